"""Which results a comment speaks of, whether they are stale, and what they say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd

from fusebench.comment.markup import code, items, text
from fusebench.comment.sections import Section
from fusebench.errors import ArtifactError, one_line
from fusebench.page.checkout import commit_of
from fusebench.report.findings import Findings
from fusebench.report.table import RESULTS, TABLE, markdown_table
from fusebench.revisions.findings import read_findings, remedy
from fusebench.revisions.revisions import WORKSPACE, reader
from fusebench.stale import Stale, stale

_BELONG = (
    "They belong to the params, seeds and models beside them; changes of code are not looked at "
    "(`make current` does)."
)


@dataclass(frozen=True)
class Revision:
    """The workspace, a git revision or an experiment.

    Attributes
    ----------
    name : str
        As a person calls it.
    read : callable
        Gives the content of a tracked file by its path; ArtifactError if there is none.
    rev : str
        As git calls it, where that is not its name.
    """

    name: str
    read: Callable[[Path], bytes]
    rev: str = ""

    @classmethod
    def of(cls, name: str) -> Self:
        """Look a revision up; raise ArtifactError if there is none of that name."""
        shown = name.rpartition("/")[2] if name.startswith("refs/exps/") else name
        return cls(shown, reader(name), name)


@dataclass(frozen=True)
class View:
    """What is to be shown of a revision.

    Attributes
    ----------
    revision : Revision
    findings : Findings or None
        None: there are no results.
    state : Stale
        Whether they are of another state than what is beside them.
    missing : str
        Why there are no results.
    """

    revision: Revision
    findings: Findings | None = None
    state: Stale = field(default_factory=Stale)
    missing: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether nothing is to be concluded from the table: it is stale, or may be."""
        return bool(self.state or self.state.unknown or TABLE.as_posix() in self.state.files)

    @classmethod
    def of(cls, revision: Revision) -> Self:
        """Read what was found in a revision."""
        try:
            findings = read_findings(revision.name, revision.read)
        except ArtifactError as error:
            return cls(revision, missing=reason(error))
        if findings.table.empty:
            return cls(revision, missing=f"{TABLE}: without a row")
        return cls(revision, findings, stale(revision.read))


def reason(error: ArtifactError) -> str:
    """Return an error as a sentence without its period; without advice that goes on below it."""
    first, *more = str(error).splitlines()
    return (first.partition(";")[0] if more else first).rstrip(".:")


def origin_section(view: View) -> Section:
    """Say which results these are, and whether they are stale."""
    name = "which results these are"
    if view.findings is None:
        return Section(name, f"There are no results: {text(view.missing)}.")
    return Section(name, f"{_origin(view.findings.table, view)} {_belonging(view)}")


def comparison_sections(view: View, *, folded: bool = False) -> Iterator[Section]:
    """Yield what metrics/comparison.md says; without what to use where it is stale or folded."""
    if view.findings is None:
        return
    answer = [] if folded or view.doubtful else [f"**{text(view.findings.answer)}**"]
    parts = [] if folded else ["### Comparison"]
    yield Section("Comparison", "\n\n".join([*parts, *answer, *_table(view.findings)]), folded)
    if not view.doubtful:
        remarks = items(view.findings.remarks)
        yield Section("What limits it, and what the data are like", remarks, folded=True)


def _origin(table: pd.DataFrame, view: View) -> str:
    first, name = table.iloc[0], view.revision.name
    fingerprint = f" {code(first[RESULTS])}" if RESULTS in table else ""
    of = f"of {code(name)}"
    if name == WORKSPACE:
        of = text(f"in the workspace; commit: {commit_of(Path()).words}")
    samples = f"{str(first['Samples']).capitalize()} samples, {first['Seeds']} seed(s)."
    return f"Results{fingerprint} {of}. {text(samples)}"


def _belonging(view: View) -> str:
    lines = view.state.lines()
    if not lines:
        return _BELONG
    known = view.doubtful and not view.state.unknown
    said = [*lines, remedy(view.revision.name)] if known else lines
    return f"**{text(' '.join(said))}**"


def _table(findings: Findings) -> tuple[str, str]:
    """Return the rows of the comparison and its note, both with escaped names."""
    names = [one_line(name) for name in findings.table["Model"]]
    # What makes the table of them turns "_" to a space, before which no stroke is to be left.
    rows = [text(name.replace("_", " ")) for name in names]
    shown, told = (
        markdown_table(findings.table.assign(Model=models), findings.pairs).partition("\n\n")
        for models in (rows, names)
    )
    return shown[0], text(told[2])
