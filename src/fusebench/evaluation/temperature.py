"""Temperature scaling: one number per model, fitted on val, that mends how sure it is.

Logits are divided by T > 0, which changes no answer. T > 1: the model was too sure; T < 1: not sure
enough (Guo et al., "On calibration of modern neural networks", ICML 2017).
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from fusebench.evaluation.metrics import Floats
from fusebench.prediction.predictions import PartPredictions

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of T: where all answers on val are right, ever surer ones would fit ever better."""


def is_bound(temperature: float) -> bool:
    """Tell whether a temperature is a bound, beyond which another would fit better."""
    return temperature in (LOWEST, HIGHEST)


def fit_temperature(part: PartPredictions) -> float:
    """Return the temperature of the lowest NLL on a part, between `LOWEST` and `HIGHEST`.

    NLL is convex in 1/T, so there is one minimum: where its slope is 0, or at a bound. 1 where T
    changes nothing, or where a logit is infinite.
    """
    if not np.isfinite(part.logits).all():
        return 1.0
    exact = part.logits.astype(np.float64)
    gaps = exact - np.take_along_axis(exact, part.labels[:, None], axis=1)
    coldest, hottest = _slope(gaps, LOWEST), _slope(gaps, HIGHEST)
    if coldest <= 0 <= hottest:
        return 1.0
    if coldest <= 0:
        return LOWEST
    if hottest >= 0:
        return HIGHEST
    ends = math.log(LOWEST), math.log(HIGHEST)
    root = brentq(lambda log_t: _slope(gaps, math.exp(log_t)), *ends, xtol=1e-10)
    return math.exp(root)


def _slope(gaps: Floats, temperature: float) -> float:
    """Return the derivative of NLL by 1/T.

    Parameters
    ----------
    gaps : array, shape (n, k)
        Each logit minus that of the true class.
    """
    return float((softmax(gaps / temperature, axis=1) * gaps).sum(axis=1).mean())


def scaled(part: PartPredictions, temperature: float) -> PartPredictions:
    """Return the predictions of a part, their logits divided by a temperature.

    In float64, in which two logits that differ stay so: every answer is the same.
    """
    logits: Any = part.logits.astype(np.float64) / temperature
    return replace(part, logits=logits)
