"""Where results are shown: tables, the picture, and parts of docs/robust-training.md."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from fusebench.report.drawing import save
from fusebench.report.robust import RobustRow
from fusebench.report.robustness_text import label
from studies.common.marked import Page, markdown
from studies.common.study import Kept
from studies.robust.picture import robust_picture
from studies.robust.sentences import paragraph
from studies.robust.tables import FOLDER, Results

PICTURE = "robust.png"
_WORDS, _CHANGES, _CORRUPTIONS, _RUN = (
    "robust", "robust-changes", "robust-corruptions", "robust-run",
)  # fmt: skip
PAGE = Page(Path("docs/robust-training.md"), (_WORDS, _CHANGES, _CORRUPTIONS, _RUN))
_LINK = f"""

![Change of balanced accuracy by fusion and recipe](../{FOLDER}/{PICTURE})"""


def write_results(kept: Sequence[Kept], planned: Sequence[str], folder: Path = FOLDER) -> None:
    """Write all that follows from what is kept.

    Parameters
    ----------
    planned : sequence of str
        The recipes that the study consists of.

    Raises
    ------
    ArtifactError
        The page has lost its marks.
    """
    results = Results.of(kept, planned)
    results.write(folder)
    if results.kept:
        save(robust_picture(results), folder / PICTURE)
    PAGE.write(parts(results))


def parts(results: Results) -> dict[str, str]:
    """Return what stands between the marks of the page."""
    return {
        _WORDS: paragraph(results) + (_LINK if results.kept else ""),
        _CHANGES: markdown(
            [_change(row, results, recipe) for recipe in results.kept
             for row in results.rows(recipe)]
        ),
        _CORRUPTIONS: markdown(
            [row for recipe in results.kept for row in _corruptions(results, recipe)]
        ),
        _RUN: markdown([_run(recipe) for recipe in results.kept]),
    }  # fmt: skip


def _change(row: RobustRow, results: Results, recipe: Kept) -> dict[str, str]:
    corrupted, clean = (results.band(recipe, row.fusion, of) for of in ("all", "clean"))
    return {
        "recipe": row.recipe,
        "fusion": row.fusion,
        "clean (%)": f"{row.clean_balanced_accuracy:.1f}",
        "change (points)": _with_band(row.clean_change, clean),
        "corrupted (%)": f"{row.corrupted_balanced_accuracy:.1f}",
        "change, corrupted (points)": _with_band(row.corrupted_change, corrupted),
        "robustness (%)": _percent(row.robustness),
        "its change": _percent(row.robustness_change, "+"),
    }


def _with_band(change: float, band: tuple[float, float]) -> str:
    return f"{change:+.1f} ({band[0]:+.1f} to {band[1]:+.1f})"


def _percent(share: float, sign: str = "") -> str:
    # A round number, and so never "-0".
    return "–" if math.isnan(share) else f"{round(100 * share):{sign}d}"


def _corruptions(results: Results, recipe: Kept) -> list[Mapping[str, str]]:
    """Return a row per corruption with the change of each fusion."""
    rows = results.by_corruption(recipe)
    return [
        {
            "recipe": recipe["recipe"],
            "corruption": label(name) + (" *" if name in recipe["corruptions"] else ""),
            **{row.fusion: f"{row.change:+.1f}" for row in rows if row.corruption == name},
        }
        for name in recipe["sensors"]
    ]


def _run(recipe: Kept) -> dict[str, str]:
    return {
        "recipe": recipe["recipe"],
        "in training": ", ".join(recipe["corruptions"]) or recipe["setting"],
        "probability of each": f"{recipe['probability']:g}" if recipe["corruptions"] else "",
        "commit": str(recipe["commit"])[:7],
        "trained on": f"{recipe['processor']}, {recipe['precision']}",
    }
