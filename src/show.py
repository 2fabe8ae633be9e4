"""Show results: python src/show.py {table,verdict,plan,diff,export} …

python src/show.py COMMAND --help says what a command takes. On a terminal a few words have colours;
NO_COLOR=1 in the environment leaves them out.
"""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fusebench import cli
from fusebench.errors import ArtifactError

if TYPE_CHECKING:
    from fusebench.report.findings import Findings
    from fusebench.stale import Stale


def main() -> None:
    """Read the arguments, show."""
    parser = cli.parser(__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for show in (table, verdict, plan, diff, export):
        text = inspect.cleandoc(show.__doc__ or "")
        command = commands.add_parser(
            show.__name__, help=text.splitlines()[0].rstrip("."), description=text,
            formatter_class=parser.formatter_class,
        )  # fmt: skip
        command.set_defaults(show=show)
        _add_arguments(command)
    arguments = vars(parser.parse_args())
    arguments.pop("show")(**arguments)


def _add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare what a command takes; the names are those of its function's parameters."""
    name = command.prog.split()[-1]
    revision = "git commit, branch or tag, or name of an experiment"
    if name == "plan":
        revision += ", or a folder that export wrote"
        command.add_argument(
            "--difference", type=float, metavar="POINTS",
            help="the difference to be shown, in the metric's unit, above 0 (default: the margin)",
        )  # fmt: skip
    if name == "diff":
        command.add_argument(
            "before", metavar="REV", nargs="?", default="HEAD~1",
            help=f"before: {revision} (default: HEAD~1)",
        )  # fmt: skip
        command.add_argument(
            "after", metavar="REV2", nargs="?", default="workspace",
            help=f"after: {revision} (default: the workspace)",
        )  # fmt: skip
    elif name == "export":
        command.add_argument("rev", metavar="REV", help=revision)
        command.add_argument(
            "folder", metavar="FOLDER", type=Path, help="folder to write; replaced as a whole"
        )
    else:
        command.add_argument(
            "rev", metavar="REV", nargs="?", help=f"{revision} (default: the workspace)"
        )


def table(rev: str | None) -> None:
    """Show the comparison as a table, and which fusion to use.

    It is metrics/comparison.csv, as stage compare wrote it.

    python src/show.py table            the workspace
    python src/show.py table notebook   an experiment
    """
    from fusebench.report.table import SCREEN_WIDTH, screen_table
    from fusebench.report.verdict import on_screen
    from fusebench.stale import stale

    read = _reader(rev)
    findings, state = _findings(rev, read), stale(read)
    cli.show(screen_table(findings.table, findings.pairs))
    said = [findings.answer, *findings.remarks]
    remarks = [*state.lines(), _remedy(rev)] if state else [*said, *state.lines()]
    cli.show(on_screen(remarks, SCREEN_WIDTH))


def verdict(rev: str | None) -> None:
    """Say which fusion to use, and what is known of every two.

    It is what metrics/pairs.csv allows to be said; the surest pair stands first.

    python src/show.py verdict          the workspace
    python src/show.py verdict HEAD~1   a commit
    """
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen
    from fusebench.stale import stale

    read = _reader(rev)
    findings, state = _findings(rev, read), stale(read)
    _refuse_stale(state, rev)
    said = [findings.answer, *findings.remarks, *findings.sentences, *state.lines()]
    cli.show(on_screen(said, SCREEN_WIDTH))


def plan(rev: str | None, difference: float | None) -> None:
    """Say how many seeds and test ids would show a difference.

    From the components of variance in metrics/pairs.csv: per planned contrast, with the test part
    as it is and larger ones. What is shown in the first of Holm's steps with 80 %,
    the seeds' variance being known no better than it is.

    python src/show.py plan metrics/verdict                  the margin that is declared
    python src/show.py plan metrics/verdict --difference 5   a difference of 5 points
    python src/show.py plan verdict                          an experiment
    """
    from fusebench.report.export import exported, is_exported
    from fusebench.report.plan import plan_text
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen
    from fusebench.stale import Stale, stale

    if rev and is_exported(Path(rev)):
        findings, state = exported(Path(rev)), Stale()
    else:
        read = _reader(rev)
        findings, state = _findings(rev, read), stale(read)
    _refuse_stale(state, rev)
    cli.show(plan_text(findings.pairs, findings.best, difference, SCREEN_WIDTH))
    if state.lines():
        cli.show(on_screen(state.lines(), SCREEN_WIDTH))


def _reader(rev: str | None) -> "Callable[[Path], bytes]":
    """Return what reads files of the workspace, or of a revision."""
    from fusebench.revisions.revisions import WORKSPACE, reader

    return reader(WORKSPACE if rev is None else rev)


def _findings(rev: str | None, read: "Callable[[Path], bytes]") -> "Findings":
    """Return what was found in the workspace, or in a revision."""
    from fusebench.revisions.findings import read_findings
    from fusebench.revisions.revisions import WORKSPACE

    return read_findings(WORKSPACE if rev is None else rev, read)


def _refuse_stale(state: "Stale", rev: str | None) -> None:
    """Raise ArtifactError if there would be said something of another state."""
    if state:
        said = " ".join(state.lines())
        raise ArtifactError(f"{said} {_remedy(rev)}")


def _remedy(rev: str | None) -> str:
    from fusebench.revisions.findings import remedy
    from fusebench.revisions.revisions import WORKSPACE

    return remedy(WORKSPACE if rev is None else rev)


def diff(before: str, after: str) -> None:
    """Compare each fusion with itself before a change.

    Paired by seed and test sample, on every metric; compare.primary of params.yaml decides. No
    interval goes beyond the metric's bounds, seen from the value before. Predictions that do not
    belong to the params beside them are named.
    Predictions come out of DVC's cache, or a remote. Where neither has them, the error holds the
    commands that make them anew beside this folder: a processor of the same kind and the same
    versions give the same ones.

    python src/show.py diff              HEAD~1 against the workspace
    python src/show.py diff main         main against the workspace
    python src/show.py diff main slower  main against an experiment
    """
    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.report.settings import CompareParams
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen
    from fusebench.revisions.diff import Side
    from fusebench.revisions.diff import diff as compared
    from fusebench.revisions.diff_text import diff_text
    from fusebench.revisions.revisions import read_fusions, reader
    from fusebench.stale import stale_predictions

    params = load_section(PARAMS_FILE, "compare", CompareParams)
    old, new = (Side(name, read_fusions(name)) for name in (before, after))
    lines = [
        f"{name}: {line}"
        for name in (before, after)
        for line in stale_predictions(reader(name)).lines()
    ]
    cli.show(diff_text(compared(old, new, params)))
    if lines:
        cli.show(on_screen(lines, SCREEN_WIDTH))


def export(rev: str, folder: Path) -> None:
    """Copy tables and pictures of a revision to a folder, and write verdict.md beside them.

    They come out of git; the verdict is printed, too.

    python src/show.py export verdict metrics/verdict
    """
    from fusebench.report.export import export as write
    from fusebench.stale import stale

    read = _reader(rev)
    state = stale(read)
    _refuse_stale(state, rev)
    try:
        write(read, folder)
    except ArtifactError as error:
        # Advice for the workspace does not help: what is committed stays as it is.
        raise ArtifactError(f"'{rev}' cannot be exported: {str(error).partition(';')[0]}") from None
    print((folder / "verdict.md").read_text("utf-8"), end="")
    if state.lines():
        cli.show("\n".join(state.lines()))


if __name__ == "__main__":
    cli.run(main)
