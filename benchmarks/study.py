"""Train every fusion in fp32 and in bf16, with ten seeds: python benchmarks/study.py

Shows what bf16 costs in accuracy, with ranges scaled and as they are. Takes about an hour on two
cores; what an interrupted run has finished is kept. Writes the file precision-<machine>.json in
benchmarks/results/ and prints what it shows. Needs what `dvc repro extract` makes.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Train what is missing, write and print the study."""
    cli.parser(__doc__).parse_args()

    from benchmarks.library import StudySettings
    from benchmarks.machine import probe
    from benchmarks.precision import SEEDS, run_study, section

    environment = probe()
    path = ROOT / "benchmarks/results" / f"precision-{environment['machine']}.json"
    print(section(run_study(StudySettings.read(SEEDS), environment, path)))
    print(f"\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    cli.run(main)
