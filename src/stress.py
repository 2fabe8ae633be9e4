"""Stage stress@<fusion>: python src/stress.py late

Puts the kept models of a fusion under stress: test samples of which one sensor is corrupted, by
each of stress.corruptions at four severities. Keeps the logits in stress/<fusion>/.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, put under stress."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams, prepare
    from fusebench.models.registry import FUSIONS
    from fusebench.stress.settings import StressParams

    FUSIONS.check(fusion)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()
    names = load_section(PARAMS_FILE, "stress", StressParams).corruptions

    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples
    from fusebench.stress.stress import stress_fusion

    samples, manifest = open_samples(Path("data/samples")), read_manifest(Path("data/split.csv"))
    folder = Path("stress") / fusion
    stress_fusion(Path("models") / fusion, samples, manifest, prepare(runtime), names, folder)
    print(f"{fusion}: logits under {len(names)} corruptions in {folder}/")


if __name__ == "__main__":
    cli.run(main)
