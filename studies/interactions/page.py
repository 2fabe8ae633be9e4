"""Where results are shown: tables, picture, verdict.md, and parts of the README and of a page."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.marks import marked, replaced
from fusebench.files import write_text
from fusebench.report.drawing import save
from fusebench.report.interaction import KINDS
from fusebench.report.suite import SuiteRow
from fusebench.synthetic.task import task_of
from studies.common.repository import Own
from studies.interactions.outcomes import FOLDER, Kept
from studies.interactions.picture import interactions_picture
from studies.interactions.plan import FUSIONS, Cell
from studies.interactions.samples import tasks_picture
from studies.interactions.tables import Results
from studies.interactions.verdict import paragraph, verdict_page

PICTURE, TASKS, VERDICT = "interactions.png", "tasks.png", "verdict.md"
README, PAGE = Path("README.md"), Path("docs/interactions.md")
DOCUMENTS = (README, PAGE)
PARAGRAPH, CELLS, SHARES, LIKENESS = (
    "interactions", "interactions-cells", "interactions-shares", "interactions-likeness",
)  # fmt: skip
"""Names of marks; the README needs the first only, and is left alone without it."""
_NONE = "–"
_LINKS = f"""

![Seeds that solve each task, by fusion](../{FOLDER}/{PICTURE})

Every sentence: [{VERDICT}](../{FOLDER}/{VERDICT})."""


def write_results(results: Results, folder: Path = FOLDER) -> None:
    """Write all that follows from what is kept.

    Raises
    ------
    ArtifactError
        docs/interactions.md has lost its marks.
    """
    results.write(folder)
    save(interactions_picture(results), folder / PICTURE)
    save(tasks_picture(), folder / TASKS)
    write_text(folder / VERDICT, verdict_page(results))
    for document in documents():
        write_text(document, filled(document, document.read_text("utf-8"), results))


def documents() -> list[Path]:
    """Return the documents that have a part of the results in them."""
    return [path for path in DOCUMENTS if path == PAGE or _shows(path)]


def _shows(path: Path) -> bool:
    return path.is_file() and marked(path.read_text("utf-8"), PARAGRAPH)


def filled(document: Path, text: str, results: Results) -> str:
    """Return a document's text with what is between its marks made anew."""
    parts = {PARAGRAPH: paragraph(results)}
    if document == PAGE:
        parts = {
            PARAGRAPH: parts[PARAGRAPH] + (_LINKS if results.cells else ""),
            CELLS: cells_table(results),
            SHARES: shares_table(results),
            LIKENESS: likeness_table(results),
        }
    return _replaced(text, parts, str(document))


def own() -> Own:
    """Return what in a checkout is written by this study."""
    return Own(FOLDER, documents(), unmarked)


def unmarked(text: str) -> str:
    """Return a document's text with nothing between the marks of this study."""
    return _replaced(
        text, {name: "" for name in (PARAGRAPH, CELLS, SHARES, LIKENESS) if marked(text, name)}
    )


def _replaced(text: str, parts: Mapping[str, str], document: str = "") -> str:
    for name, content in parts.items():
        text = replaced(text, name, content, document)
    return text


def cells_table(results: Results) -> str:
    """Return what is run, a row per cell, as Markdown."""
    done = {kept.cell.name: kept for kept in results.kept}
    return _markdown([_cell(cell, done.get(cell.name)) for cell in results.plan])


def _cell(cell: Cell, kept: Kept | None) -> dict[str, str]:
    fusions = "all" if cell.fusions == FUSIONS else ", ".join(cell.fusions)
    samples, took, where = _NONE, _NONE, "not run"
    if kept is not None:
        samples = " / ".join(f"{count:,}" for count in kept.about["samples"].values())
        took = f"{kept.about['training_seconds'] / 60:.0f}"
        where = f"{str(kept.about['commit'])[:7]}, {kept.about['processor']}"
    return {
        "cell": f"{cell.name} (probe of {cell.probe})" if cell.probe else cell.name,
        "fusions": fusions,
        "seeds": str(cell.seeds),
        "epochs": str(cell.epochs),
        "learning rate": f"{cell.lr:g}",
        "batch": str(cell.batch_size),
        "train / val / test samples": samples,
        "minutes of training": took,
        "commit, processor": where,
    }


def shares_table(results: Results) -> str:
    """Return seeds that solve each cell, and by which epoch half of them do, as Markdown."""
    rows = {(row.fusion, row.cell): row for row in results.summaries}
    cells = [kept.cell.name for kept in results.kept]
    return _markdown(
        [
            {"fusion": fusion} | {cell: _share(rows.get((fusion, cell))) for cell in cells}
            for fusion in FUSIONS
        ]
        if cells
        else []
    )


def _share(row: SuiteRow | None) -> str:
    if row is None:
        return ""
    median = "" if math.isnan(row.median_epoch) else f" ({row.median_epoch:g})"
    return f"{row.solved}/{row.seeds}{median}"


def likeness_table(results: Results) -> str:
    """Return what stage compare says of each cell's data, beside what is so, as Markdown."""
    return _markdown([_likeness(kept) for kept in results.cells if "interaction" in kept.about])


def _likeness(kept: Kept) -> dict[str, str]:
    found = kept.about["interaction"]
    said = {kind: f"{amount['bits']:.2f}" for kind, amount in found["bits"].items()}
    return {
        "cell": kept.cell.name,
        "is": task_of(kept.cell.task).interaction,
        "looks": found["not_estimated"] or found["looks_like"]["kind"] or "like none of the tasks",
        **{f"{kind}, bits": said.get(kind, _NONE) for kind in KINDS},
    }


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "Nothing was run yet."
    table: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return table
