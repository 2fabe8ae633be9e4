"""Stage predict@<fusion>: python src/predict_parts.py late

Keeps the logits that each seed's model gives for val and test in predictions/<fusion>/.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, predict."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams, prepare
    from fusebench.models.registry import FUSIONS

    FUSIONS.check(fusion)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.prediction.predict import predict_fusion
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples

    samples, manifest = open_samples(Path("data/samples")), read_manifest(Path("data/split.csv"))
    folder = Path("predictions") / fusion
    predict_fusion(Path("models") / fusion, samples, manifest, prepare(runtime), folder)
    print(f"{fusion}: logits of val and test in {folder}/")


if __name__ == "__main__":
    cli.run(main)
