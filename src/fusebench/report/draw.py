"""All curves and pictures of a comparison, written below one folder."""

from collections.abc import Sequence
from pathlib import Path

from fusebench.files import replace_folder
from fusebench.report import curves
from fusebench.report import figures as pictures
from fusebench.report.forest import pairs_picture
from fusebench.report.pairs import Pair
from fusebench.report.results import Comparison
from fusebench.samples.samples import write_csv


def write_plots(comparison: Comparison, pairs: Sequence[Pair], folder: Path) -> None:
    """Write <folder>/curves/*.csv for `dvc plots` and <folder>/*.png to look at.

    Parameters
    ----------
    folder : Path
        Holds training/<fusion>.csv, the learning curves that stage train wrote.
    """
    training = curves.training_rows(folder / "training", comparison.trained)
    roc, precision_recall = curves.ranking_rows(comparison)
    accuracy = curves.accuracy_rows(comparison)
    with replace_folder(folder / "curves") as aside:
        for name, rows in (
            ("training", training),
            ("roc", roc),
            ("precision_recall", precision_recall),
            ("accuracy", accuracy),
        ):
            write_csv(aside / f"{name}.csv", list(rows[0]), [list(row.values()) for row in rows])
    for name, figure in (
        ("training", pictures.training_picture(comparison, training)),
        ("roc", pictures.ranking_picture(comparison, roc, *curves.ROC)),
        (
            "precision_recall",
            pictures.ranking_picture(comparison, precision_recall, *curves.PRECISION_RECALL),
        ),
        ("accuracy", pictures.accuracy_picture(comparison, accuracy)),
        ("confusion", pictures.confusion_picture(comparison)),
        ("pairs", pairs_picture(pairs)),
    ):
        pictures.save(figure, folder / f"{name}.png")
