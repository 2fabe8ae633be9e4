"""Where results are shown: summary.csv, the picture, and parts of docs/learning-curve.md."""

from collections.abc import Sequence
from pathlib import Path

from fusebench.report.drawing import save
from studies.common.marked import Page, markdown
from studies.common.study import Kept
from studies.learning_curve.picture import learning_picture
from studies.learning_curve.sentences import paragraph
from studies.learning_curve.tables import FOLDER, Results

PICTURE = "learning_curve.png"
_WORDS, _ACCURACIES, _SIZES = (
    "learning-curve", "learning-curve-accuracies", "learning-curve-sizes",
)  # fmt: skip
PAGE = Page(Path("docs/learning-curve.md"), (_WORDS, _ACCURACIES, _SIZES))
_LINK = f"""

![Balanced accuracy by training samples, a panel per fusion](../{FOLDER}/{PICTURE})"""


def write_results(
    kept: Sequence[Kept],
    planned: Sequence[str],
    *,
    margin: float | None,
    folder: Path = FOLDER,
) -> None:
    """Write all that follows from what is kept.

    Parameters
    ----------
    planned : sequence of str
        The sizes that the study consists of, by their names.
    margin : float or None
        `compare.margin.balanced_accuracy`.

    Raises
    ------
    ArtifactError
        The page has lost its marks.
    """
    results = Results.of(kept, planned, margin)
    results.write(folder)
    if results.kept:
        save(learning_picture(results), folder / PICTURE)
    PAGE.write(parts(results))


def parts(results: Results) -> dict[str, str]:
    """Return what stands between the marks of the page."""
    return {
        _WORDS: paragraph(results) + (_LINK if results.kept else ""),
        _ACCURACIES: accuracies_table(results),
        _SIZES: sizes_table(results),
    }


def accuracies_table(results: Results) -> str:
    """Return the mean of each fusion and size with its band, as Markdown."""
    return markdown(
        [
            {"fusion": fusion}
            | {
                f"{size['train_samples']:,} samples": _accuracy(results, size, fusion)
                for size in results.kept
            }
            for fusion in results.fusions
        ]
    )


def _accuracy(results: Results, size: Kept, fusion: str) -> str:
    low, high = results.band(size, fusion)
    mark = " *" if size is results.enough(fusion) else ""
    return f"{results.values(size, fusion).mean():.1f} ({low:.1f} to {high:.1f}){mark}"


def sizes_table(results: Results) -> str:
    """Return what was run, a row per size, as Markdown."""
    return markdown([_size(size) for size in results.kept])


def _size(size: Kept) -> dict[str, str]:
    samples = size["samples"]
    return {
        "split.train": f"{size['share']:g}",
        "train / val / test samples": " / ".join(f"{count:,}" for count in samples.values()),
        "steps per epoch": f"{size['steps_per_epoch']:,}",
        "epochs": f"{size['epochs']:,}",
        "steps": f"{size['steps']:,}",
        "commit": str(size["commit"])[:7],
        "trained on": f"{size['processor']}, {size['precision']}",
    }
