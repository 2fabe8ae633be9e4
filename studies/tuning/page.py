"""Where results are shown: metrics/tuning/summary.csv and docs/tuning.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.marks import marked, replaced
from fusebench.files import write_text
from fusebench.report.tuning import SUMMARY, TuningRow, write_tuning
from studies.common.repository import Own
from studies.tuning.tables import VERDICT, Results
from studies.tuning.trials import FOLDER, Kept, Trial
from studies.tuning.words import paragraph

PAGE = Path("docs/tuning.md")
PARAGRAPH, VALUES = "tuning", "tuning-values"
"""Names of marks."""
_NONE = "–"
_VERDICT_PAGE = "verdict.md"
_LINKS = f"""

Every contrast with the chosen values: [verdict.md](../{FOLDER}/{_VERDICT_PAGE}), and with those of
params.yaml: [verdict.md](../{VERDICT}/{_VERDICT_PAGE})."""


def write_results(results: Results) -> None:
    """Write all that follows from what is kept.

    Raises
    ------
    ArtifactError
        docs/tuning.md has lost its marks.
    """
    write_tuning(SUMMARY, results.rows)
    write_text(PAGE, filled(PAGE.read_text("utf-8"), results))


def filled(text: str, results: Results) -> str:
    """Return the page's text with what is between its marks made anew."""
    links = _LINKS if results.after else ""
    return _replaced(text, {PARAGRAPH: paragraph(results) + links, VALUES: values_table(results)})


def own() -> Own:
    """Return what in a checkout is written by this study."""
    return Own(FOLDER, [PAGE], unmarked)


def unmarked(text: str) -> str:
    """Return the page's text with nothing between the marks of this study."""
    return _replaced(text, {name: "" for name in (PARAGRAPH, VALUES) if marked(text, name)})


def _replaced(text: str, parts: Mapping[str, str]) -> str:
    for name, content in parts.items():
        text = replaced(text, name, content, str(PAGE))
    return text


def values_table(results: Results) -> str:
    """Return the chosen values and what came of them, a row per fusion, as Markdown."""
    kept, known = results.kept, {row.fusion: row for row in results.rows}
    if not kept.is_whole:
        return "Nothing was run yet."
    return _markdown([_values(kept, fusion, known.get(fusion)) for fusion in kept.fusions])


def _values(kept: Kept, fusion: str, row: TuningRow | None) -> dict[str, str]:
    chosen, default = kept.chosen(fusion), kept.of(fusion)[0]
    return {
        "fusion": fusion,
        "learning rate": f"{chosen.lr:g}",
        "schedule": chosen.schedule,
        "epochs": str(chosen.epochs),
        "trial": str(chosen.trial),
        "val NLL, default": _nll(default),
        "val NLL, chosen": _nll(chosen),
        "test balanced accuracy (rank), default values": _place(
            row and row.default_balanced_accuracy, row and row.default_rank
        ),
        "with the chosen values": _place(
            row and row.tuned_balanced_accuracy, row and row.tuned_rank
        ),
    }


def _nll(trial: Trial) -> str:
    return "failed" if trial.val_nll != trial.val_nll else f"{trial.val_nll:.4f}"


def _place(mean: float | None, rank: float | None) -> str:
    if mean is None or mean != mean:
        return _NONE
    return f"{mean:.1f}" if rank is None or rank != rank else f"{mean:.1f} ({rank:g})"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    table: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return table
