"""Which fusion for which interaction of two sensors? python studies/interact.py [cell …]

Runs each cell of studies/interactions/plan.py that is not done as an experiment of DVC, keeps what
became of its seeds in metrics/interactions/, and commits that with the summary, contrasts, picture
and page. Hours; ended at any point and started again it goes on. See docs/interactions.md.
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
    parser.add_argument("cells", metavar="CELL", nargs="*", help="cells to run (all)")
    parser.add_argument("--again", action="store_true", help="run cells that are done, too")
    parser.add_argument("--no-commit", action="store_true", help="leave results uncommitted")
    parser.add_argument("--show", action="store_true", help="run nothing: pages anew, committed")
    arguments = parser.parse_args()

    from studies.interactions.plan import CELLS
    from studies.interactions.run import Study, unknown

    if names := unknown(arguments.cells):
        known = ", ".join(cell.name for cell in CELLS)
        parser.error(f"{', '.join(names)}: no such cell; must be of {known}")
    study = Study(commits=not arguments.no_commit, say=partial(print, flush=True))
    if arguments.show:
        study.show()
    else:
        study.run(arguments.cells, again=arguments.again)


if __name__ == "__main__":
    cli.run(main)
