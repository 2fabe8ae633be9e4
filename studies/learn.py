"""How do fusions do with fewer and more samples? python studies/learn.py [share …]

Trains all fusions on an eighth, a quarter, a half, all and twice the samples that split.train asks
for, with equally many optimiser steps, through DVC's queue; keeps what came of each size in
metrics/learning_curve/, and commits that with the summary, picture and page. Ended at any point and
started again it goes on. See docs/learning-curve.md.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The library is not installed.
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Read the arguments, run what is not done."""
    from studies.common.script import run_study
    from studies.learning_curve.run import study

    run_study(__doc__, "share", "values of split.train (all)", study)


if __name__ == "__main__":
    cli.run(main)
