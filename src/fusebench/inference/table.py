"""Answers for new samples as a table, in CSV or JSON."""

import json

import numpy as np
import pandas as pd

from fusebench.files import json_text
from fusebench.inference.predictor import Answers

DIGITS = 6
"""Of probabilities that are written."""


def answers_table(answers: Answers) -> pd.DataFrame:
    """Return a row per sample.

    Returns
    -------
    DataFrame
        id.
        class: the one of the highest mean probability.
        probability: that mean, over seeds.
        spread: its standard deviation over seeds, n − 1 in the denominator; NaN with one seed.
        lowest, highest: of the seeds' probabilities of this class.
        agree: share of the seeds whose own answer this class is.
        calibrated: whether temperatures were used.
        p_<class>: the mean probability of each class.
    """
    of_seeds = answers.probabilities
    means = of_seeds.mean(axis=0)
    chosen = means.argmax(axis=1)
    of_chosen = np.take_along_axis(of_seeds, chosen[None, :, None], axis=2)[:, :, 0]
    one = len(answers.seeds) == 1
    columns = {
        "id": answers.ids,
        "class": [answers.classes[label] for label in chosen],
        "probability": of_chosen.mean(axis=0),
        "spread": np.full(len(chosen), np.nan) if one else of_chosen.std(axis=0, ddof=1),
        "lowest": of_chosen.min(axis=0),
        "highest": of_chosen.max(axis=0),
        "agree": (of_seeds.argmax(axis=2) == chosen).mean(axis=0),
        "calibrated": bool(answers.temperatures),
    }
    of_classes = {f"p_{name}": means[:, label] for label, name in enumerate(answers.classes)}
    return pd.DataFrame({**columns, **of_classes})


def as_csv(answers: Answers) -> str:
    """Return the table as CSV, rounded to `DIGITS`."""
    table = answers_table(answers).round(DIGITS)
    return str(table.to_csv(index=False, lineterminator="\n"))


def as_json(answers: Answers) -> str:
    """Return the table as JSON, rounded to `DIGITS`, with what answered; an empty cell is null."""
    temperatures = [answers.temperatures.get(seed) for seed in answers.seeds]
    content = {
        "fusion": answers.fusion,
        "classes": list(answers.classes),
        "seeds": list(answers.seeds),
        "temperatures": temperatures if answers.temperatures else None,
        "samples": json.loads(answers_table(answers).round(DIGITS).to_json(orient="records")),
    }
    return json_text(content)
