"""Stage check_inputs: python src/check_inputs.py data/samples data/inputs.json

Says how much of each sensor reaches the models under `lidar.align`, and writes that to
metrics/inputs.json. Refuses samples of which a sensor carries nothing at all. data/inputs.json,
on which training depends, always says the same: other shares train nothing again.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, measure, say it, refuse what is empty."""
    parser = cli.parser(__doc__)
    parser.add_argument("samples", type=Path, help="folder that stage extract wrote")
    parser.add_argument("passed", type=Path, help="JSON file to write")
    arguments = parser.parse_args()

    from fusebench.aside import replace_outputs
    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.files import write_json
    from fusebench.inputs.lidar import LidarParams
    from fusebench.samples.samples import open_samples
    from fusebench.survival import (
        lidar_survival,
        refuse_empty,
        rgb_survival,
        survival_lines,
    )

    params = load_section(PARAMS_FILE, "lidar", LidarParams)
    # Of all samples, the holdout's among them: counts of returns and colours tell no answer.
    samples = open_samples(arguments.samples)
    lidar, rgb = lidar_survival(samples, params.align), rgb_survival(samples)
    refuse_empty(lidar, rgb)
    outputs = [Path("metrics/inputs.json"), arguments.passed]
    with replace_outputs(files=outputs) as (shares, passed):
        write_json(shares, {"lidar": lidar, "rgb": rgb})
        write_json(passed, {"inputs": "every sensor carries something"})
    cli.show("\n".join(survival_lines(lidar, rgb)))


if __name__ == "__main__":
    cli.run(main)
