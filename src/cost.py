"""Stage cost@<fusion>: python src/cost.py late

Measures what the model of a fusion costs on this machine: operations and time of a forward pass,
memory of a training step. Writes metrics/cost/<fusion>.json.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, measure."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams, prepare
    from fusebench.models.registry import FUSIONS

    FUSIONS.check(fusion)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.cost.measure import line, measure_cost
    from fusebench.files import write_json

    file = f"{fusion}.json"
    cost = measure_cost(
        fusion, Path("models") / fusion, Path("metrics/training") / file, prepare(runtime)
    )
    write_json(Path("metrics/cost") / file, cost)
    print(line(fusion, cost))


if __name__ == "__main__":
    cli.run(main)
