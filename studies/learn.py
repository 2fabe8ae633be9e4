"""How do fusions do with fewer and more samples? python studies/learn.py [share …]

Trains all fusions on an eighth, a quarter, a half, all and twice the samples that split.train asks
for, with equally many optimiser steps, through DVC's queue; keeps what came of each size in
metrics/learning_curve/, and commits that with the summary, picture and page. Ended at any point and
started again it goes on. See docs/learning-curve.md.
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
    parser.add_argument("shares", metavar="SHARE", nargs="*", help="values of split.train (all)")
    parser.add_argument("--again", action="store_true", help="run sizes that are done, too")
    parser.add_argument("--no-commit", action="store_true", help="leave results uncommitted")
    parser.add_argument("--show", action="store_true", help="run nothing: page anew, committed")
    arguments = parser.parse_args()

    from studies.learning_curve.run import planned, study

    of = study(commits=not arguments.no_commit, say=partial(print, flush=True))
    if arguments.show:
        of.show()
        return
    units = planned()
    known = [unit.name for unit in units]
    if unknown := [name for name in arguments.shares if name not in known]:
        parser.error(f"{', '.join(unknown)}: no such size; must be of {', '.join(known)}")
    of.run(
        [unit for unit in units if not arguments.shares or unit.name in arguments.shares],
        again=arguments.again,
    )


if __name__ == "__main__":
    cli.run(main)
