"""Where results are shown: metrics/tuning/summary.csv and docs/tuning.md."""

from pathlib import Path

from fusebench.report.tuning import SUMMARY, TuningRow, write_tuning
from studies.common.marked import Page, markdown
from studies.common.repository import Own
from studies.tuning.tables import VERDICT, Results
from studies.tuning.trials import FOLDER, Kept, Trial
from studies.tuning.words import paragraph

PARAGRAPH, VALUES = "tuning", "tuning-values"
"""Names of marks."""
PAGE = Page(Path("docs/tuning.md"), (PARAGRAPH, VALUES))
_NONE = "–"
_VERDICT_PAGE = "verdict.md"
_LINKS = f"""

Every contrast with the chosen values: [verdict.md](../{FOLDER}/{_VERDICT_PAGE}), and with the
default ones: [verdict.md](../{VERDICT}/{_VERDICT_PAGE})."""


def write_results(results: Results) -> None:
    """Write all that follows from what is kept.

    Raises
    ------
    ArtifactError
        docs/tuning.md has lost its marks.
    """
    write_tuning(SUMMARY, results.rows)
    PAGE.write(parts_of(results))


def parts_of(results: Results) -> dict[str, str]:
    """Return the parts of the page that code writes, by their marks."""
    links = _LINKS if results.after else ""
    return {PARAGRAPH: paragraph(results) + links, VALUES: values_table(results)}


def own() -> Own:
    """Return what in a checkout is written by this study."""
    return PAGE.own(FOLDER)


def values_table(results: Results) -> str:
    """Return the chosen values and what came of them, a row per fusion, as Markdown."""
    kept, known = results.kept, {row.fusion: row for row in results.rows}
    fusions = kept.fusions if kept.is_whole else ()
    return markdown([_values(kept, fusion, known.get(fusion)) for fusion in fusions])


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
