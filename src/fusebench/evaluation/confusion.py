"""Plot data of one fusion: how often each class was taken for each other."""

from pathlib import Path

import numpy as np

from fusebench.evaluation.counts import confusion_counts
from fusebench.files import replace_file
from fusebench.prediction.predictions import FusionPredictions
from fusebench.samples.samples import write_csv


def write_confusion(path: Path, predictions: FusionPredictions) -> None:
    """Write the confusion on test as a CSV file: a line per actual and predicted class.

    `count` is the mean over seeds of the number of samples, `share` its percentage of the actual
    class.
    """
    classes = predictions.classes
    counts = np.mean(
        [
            confusion_counts(part.labels, part.logits.argmax(axis=1), len(classes))
            for part in (parts["test"] for parts in predictions.seeds.values())
        ],
        axis=0,
    )
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    lines: list[list[str | float]] = [
        [classes[row], classes[column], round(count, 4), round(float(shares[row, column]), 4)]
        for (row, column), count in np.ndenumerate(counts)
    ]
    with replace_file(path) as aside:
        write_csv(aside, ["actual", "predicted", "count", "share"], lines)
