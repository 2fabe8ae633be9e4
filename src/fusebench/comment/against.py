"""What a change makes of the results, fusion by fusion, and what it changes of the params."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusebench.comment.markup import block, code, items, table, text
from fusebench.comment.results import Revision, reason
from fusebench.comment.sections import Section
from fusebench.config import PARAMS_FILE, parse, shown, validate
from fusebench.errors import ArtifactError, FusebenchError, ParamsError
from fusebench.evaluation.metrics import METRICS
from fusebench.recorded import check_files
from fusebench.report.columns import MEMORY
from fusebench.report.settings import CompareParams
from fusebench.report.table import TABLE
from fusebench.report.verdict import State, sentence, state
from fusebench.revisions.diff import Change, Diff, Side, diff
from fusebench.revisions.diff_text import diff_head, diff_text
from fusebench.revisions.revisions import PREDICTIONS, WORKSPACE, read_fusions
from fusebench.stale import Stale, stale, stale_predictions

_ALIKE = "**No prediction changed**: what both sides have was predicted alike on test, to the bit"
# Columns of the table that are never the same twice.
_MEASURED = (
    "Time (s/epoch)", MEMORY, "Latency (ms)", "Latency p95 (ms)", "Samples per Second",
    "Train Seconds",
)  # fmt: skip
# How many changed params stand in a comment as they are; more are folded.
_FEW = 12
_SHOWN = {
    State.BETTER: "better",
    State.WORSE: "worse",
    State.UNDECIDED: "undecided",
    State.SATURATED: "undecided",
    State.TOO_FEW_SEEDS: "too few seeds to tell",
}


def against_sections(before: Revision, after: Revision) -> Iterator[Section]:
    """Yield what `python src/show.py diff` finds, or why nothing can be compared."""
    name, heading = "changes of results", f"### Against {code(before.name)}"
    try:
        difference = _difference(before, after)
    except ArtifactError as error:
        why = f"Not compared with {code(before.name)}: {text(reason(error))}."
        yield Section(name, f"{heading}\n\n{why}")
        return
    sides = [(side, stale_predictions(side.read)) for side in (before, after)]
    lines = [f"{side.name}: {line}" for side, of in sides for line in of.lines()]
    if difference.changes:
        said = [*_changed(difference, lines)]
    else:
        alike = f"{_ALIKE}{_but([of for _, of in sides])}."
        if _tables_differ(before, after):
            alike += f" {text(TABLE)} is another all the same, also without time and memory."
        said = [alike, items([*lines, *diff_head(difference)[1:]])]
    yield Section(name, "\n\n".join([heading, *said]))
    if difference.changes:
        whole = "Every metric before and after, with intervals"
        yield Section(whole, block(diff_text(difference)), folded=True)


def _difference(before: Revision, after: Revision) -> Diff:
    params = _compare_params(after)
    old, new = (Side(of.name, _predictions(of.rev or of.name)) for of in (before, after))
    return diff(old, new, params)


def _compare_params(of: Revision) -> CompareParams:
    content = parse(of.read(PARAMS_FILE), str(PARAMS_FILE))
    if "compare" not in content:
        raise ParamsError(f"{PARAMS_FILE}: key 'compare' is missing")
    return validate(CompareParams, content["compare"], str(PARAMS_FILE), ("compare",))


def _predictions(rev: str) -> dict[str, Any]:
    if rev == WORKSPACE:
        # What lies there may have been changed since; a revision's comes by its digest.
        check_files([PREDICTIONS])
    return dict(read_fusions(rev))


def _but(states: Sequence[Stale]) -> str:
    """Say what takes from predictions that are the same."""
    if any(of.rows for of in states):
        return ", but that is stale"
    unknown = any(of.unknown for of in states)
    return ", but whether it belongs to the params cannot be told" if unknown else ""


def _tables_differ(before: Revision, after: Revision) -> bool:
    """Tell whether the tables say another thing of the predictions; a stale one is of others."""
    if any(stale(of.read).lines() for of in (before, after)):
        return False
    return _rows(before) != _rows(after)


def _rows(of: Revision) -> list[dict[str, str]] | None:
    """Return the table without what was measured of time and memory; None: there is none."""
    try:
        lines = of.read(TABLE).decode(errors="replace").splitlines()
    except ArtifactError:
        return None
    rows = csv.DictReader(lines)
    return [{name: row[name] for name in row if name not in _MEASURED} for row in rows]


def _changed(difference: Diff, lines: Sequence[str]) -> Iterator[str]:
    """Yield paragraphs: what became of each fusion, what has no partner, what is stale."""
    changes, head = difference.changes, diff_head(difference)[1:]
    yield _table(changes)
    over = f" after Holm's correction over {len(changes)}" if len(changes) > 1 else ""
    yield (
        "Each fusion against itself on test, paired by seed and sample. *Better* and *worse* are "
        f"shown of fusions trained again (95 %{over}); what is not shown may be so all the same."
    )
    sentences = [sentence(change.pair, len(changes)) for change in changes]
    yield items([*sentences, *head, *lines])


def _table(changes: Sequence[Change]) -> str:
    metric = METRICS[changes[0].pair.metric]
    unit = f" ({metric.unit})" if metric.unit else ""
    head = ("fusion", "seeds", "samples", f"{metric.label}{unit} before", "after", "change")
    rows = []
    for change in changes:
        before, after = change.metrics[metric.name]
        figures = (f"{value:.{metric.digits}f}" for value in (before, after))
        rows.append(
            (text(change.fusion), str(change.pair.seeds), str(change.samples), *figures,
             f"{after - before:+.{metric.digits}f}", _SHOWN[state(change.pair)])
        )  # fmt: skip
    return table((*head, "shown"), rows, "lrrrrrl")


def params_sections(before: Revision, after: Revision, words: str) -> Iterator[Section]:
    """Yield which params are not the same in two revisions.

    Parameters
    ----------
    words : str
        What that is called: the beginning of a sentence.
    """
    name = "changes of params"
    try:
        old, new = _params(before), _params(after)
    except FusebenchError as error:
        yield Section(name, f"{words}: not known ({text(error)}).")
        return
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if not changed:
        yield Section(name, f"{words}: none.")
        return
    rows = [[text(of) for of in (key, old.get(key, "–"), new.get(key, "–"))] for key in changed]
    shown_rows = table(("param", "before", "after"), rows, "lll")
    if len(changed) <= _FEW:
        yield Section(name, f"{words}:\n\n{shown_rows}")
    else:
        yield Section(name, f"{words}: {len(changed)}.")
        yield Section(f"The {len(changed)} params", shown_rows, folded=True)


def _params(of: Revision) -> dict[str, str]:
    return _flat(parse(of.read(PARAMS_FILE), f"{PARAMS_FILE} of '{of.name}'"))


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the values of params by dotted keys, as text."""
    flat: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = shown(value)
    return flat
