"""What the scripts of studies of units share: options, and running what is not done."""

from collections.abc import Callable
from functools import partial

from fusebench import cli
from studies.common.study import Study


def run_study(
    description: str | None,
    what: str,
    help_: str,
    study: Callable[..., Study],
) -> None:
    """Read the arguments of a study's script, run what is not done.

    Parameters
    ----------
    what : str
        What a unit is called: "size".
    help_ : str
        Of the names of units among the arguments.
    study : callable
        Gives the study, from `commits` and `say`.
    """
    parser = cli.parser(description)
    parser.add_argument("names", metavar=what.upper(), nargs="*", help=help_)
    parser.add_argument("--again", action="store_true", help=f"run each {what} that is done, too")
    parser.add_argument("--no-commit", action="store_true", help="leave results uncommitted")
    parser.add_argument("--show", action="store_true", help="run nothing: page anew, committed")
    arguments = parser.parse_args()
    of = study(commits=not arguments.no_commit, say=partial(print, flush=True))
    if arguments.show:
        of.show()
        return
    units = of.planned()
    known = [unit.name for unit in units]
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"{', '.join(unknown)}: no such {what}; must be of {', '.join(known)}")
    chosen = [unit for unit in units if not arguments.names or unit.name in arguments.names]
    of.run(chosen, again=arguments.again)
