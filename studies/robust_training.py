"""What does training on corrupted samples buy? python studies/robust_training.py [recipe …]

Trains all fusions with sensors that fail (dropout), with noise besides (dropout-noise), and on maps
in the camera's frame (camera), through DVC's queue; compares each with the same fusion and seeds as
HEAD has them; keeps what came of it in metrics/robust/, and commits that with tables, picture and
page.
Ended at any point and started again it goes on. See docs/robust-training.md.
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
    from studies.robust.run import study

    run_study(__doc__, "recipe", "what to train with (all)", study)


if __name__ == "__main__":
    cli.run(main)
