"""What does training on corrupted samples buy? python studies/robust_training.py [recipe …]

Trains all fusions with sensors that fail (dropout), with noise besides (dropout-noise), and on maps
in the camera's frame (camera), through DVC's queue; compares each with the same fusion and seeds as
HEAD has them; keeps what came of it in metrics/robust/, and commits that with tables, picture and
page.
Ended at any point and started again it goes on. See docs/robust-training.md.
"""

import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The library is not installed.
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Read the arguments, run what is not done."""
    parser = cli.parser(__doc__)
    parser.add_argument("recipes", metavar="RECIPE", nargs="*", help="what to train with (all)")
    parser.add_argument("--again", action="store_true", help="run recipes that are done, too")
    parser.add_argument("--no-commit", action="store_true", help="leave results uncommitted")
    parser.add_argument("--show", action="store_true", help="run nothing: page anew, committed")
    arguments = parser.parse_args()

    from studies.robust.run import planned, study

    of = study(commits=not arguments.no_commit, say=partial(print, flush=True))
    if arguments.show:
        of.show()
        return
    units = planned()
    known = [unit.name for unit in units]
    if unknown := [name for name in arguments.recipes if name not in known]:
        parser.error(f"{', '.join(unknown)}: no such recipe; must be of {', '.join(known)}")
    of.run(
        [unit for unit in units if not arguments.recipes or unit.name in arguments.recipes],
        again=arguments.again,
    )


if __name__ == "__main__":
    cli.run(main)
