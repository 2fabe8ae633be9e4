"""How good probabilities are on test, as stored and after temperature scaling.

In metrics/probabilities.csv. The temperature of a seed is fitted on val; test is only measured on.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, get_type_hints

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.evaluation.temperature import fit_temperature, scaled
from fusebench.files import parse_table
from fusebench.prediction.predictions import PartPredictions
from fusebench.report.results import Comparison
from fusebench.report.stored import decoded, read_if_there

PROBABILITIES = Path("metrics/probabilities.csv")
_DIGITS = 6
_MEASURED = ("nll", "brier", "calibration_error")


class Probability(NamedTuple):
    """A seed of a fusion or of the threshold; a row of metrics/probabilities.csv. NaN: not fitted.

    Attributes
    ----------
    fusion : str
    seed : int
    temperature : float
        What logits are divided by; see `evaluation.temperature`.
    nll, brier, calibration_error : float
        On test, as stored: nats, 0 to 1, percent.
    scaled_nll, scaled_brier, scaled_calibration_error : float
        The same with that temperature.
    """

    fusion: str
    seed: int
    temperature: float
    nll: float
    brier: float
    calibration_error: float
    scaled_nll: float
    scaled_brier: float
    scaled_calibration_error: float


PROBABILITY_KINDS: dict[str, type] = get_type_hints(Probability)
"""Columns of metrics/probabilities.csv and their types, in their order."""


def probabilities_table(comparison: Comparison, *, temperature: bool) -> pd.DataFrame:
    """Measure the probabilities of all that looks at an input.

    Parameters
    ----------
    temperature : bool
        Whether temperatures are fitted; else what is scaled is NaN.

    Returns
    -------
    DataFrame
        The columns of `Probability`.
    """
    rows = []
    for result in comparison.results:
        if not result.predictions.info["inputs"]:
            # A constant answer: nothing to be sure of.
            continue
        for seed, parts in result.predictions.seeds.items():
            value = fit_temperature(parts["val"]) if temperature else math.nan
            figures = _measured(parts["test"], value)
            rows.append({"fusion": result.name, "seed": seed, "temperature": value} | figures)
    return _typed(pd.DataFrame(rows, columns=list(PROBABILITY_KINDS)))


def _measured(test: PartPredictions, temperature: float) -> dict[str, float]:
    figures = {name: METRICS[name].function(test, 0) for name in _MEASURED}
    if math.isnan(temperature):
        return figures | {f"scaled_{name}": math.nan for name in _MEASURED}
    cooled = scaled(test, temperature)
    return figures | {f"scaled_{name}": METRICS[name].function(cooled, 0) for name in _MEASURED}


def temperatures(table: pd.DataFrame) -> Mapping[tuple[str, int], float]:
    """Return the temperature of each fusion and seed that has one."""
    return {
        (row.fusion, row.seed): row.temperature
        for row in probability_rows(table)
        if not math.isnan(row.temperature)
    }


def probability_rows(table: pd.DataFrame) -> list[Probability]:
    """Return the rows of a table of probabilities."""
    typed = _typed(table)
    return [Probability(*row) for row in typed.itertuples(index=False, name=None)]


def read_probabilities(read: Callable[[Path], bytes]) -> pd.DataFrame | None:
    """Return what metrics/probabilities.csv holds; None where there is no such file.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path; commits of earlier versions lack this one.

    Raises
    ------
    ArtifactError
        It is broken.
    """
    content = read_if_there(read, PROBABILITIES)
    if content is None:
        return None
    return _typed(parse_table(PROBABILITIES, decoded(content, PROBABILITIES), PROBABILITY_KINDS))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(PROBABILITY_KINDS)].astype(PROBABILITY_KINDS).round(_DIGITS)
