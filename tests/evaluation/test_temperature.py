"""Temperature scaling: it never fits val worse, changes no answer, and is bounded."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from tests.evaluation.made_up import part_of, parts

from fusebench.evaluation.metrics import METRICS, Floats, nll_per_sample
from fusebench.evaluation.temperature import HIGHEST, LOWEST, fit_temperature, is_bound, scaled
from fusebench.files import read_table, write_table
from fusebench.prediction.predictions import PartPredictions


def _nll(part: PartPredictions, temperature: float = 1.0) -> float:
    return float(nll_per_sample(scaled(part, temperature)).mean())


@given(parts())
def test_val_is_never_fitted_worse_than_without(part: PartPredictions) -> None:
    fitted = _nll(part, fit_temperature(part))
    assert fitted <= _nll(part) * (1 + 1e-9) + 1e-12


@given(parts(), st.floats(LOWEST, HIGHEST))
def test_no_other_temperature_fits_better(part: PartPredictions, other: float) -> None:
    fitted = _nll(part, fit_temperature(part))
    assert fitted <= _nll(part, other) * (1 + 1e-9) + 1e-12


@given(parts(), st.floats(LOWEST, HIGHEST))
def test_answers_and_accuracy_stay(part: PartPredictions, temperature: float) -> None:
    cooled = scaled(part, temperature)
    assert (cooled.logits.argmax(axis=1) == part.logits.argmax(axis=1)).all()
    for name in ("accuracy", "balanced_accuracy"):
        assert METRICS[name].function(cooled, 0) == METRICS[name].function(part, 0)


def _calibrated(seed: int, count: int, classes: int = 3) -> tuple[list[int], Floats]:
    """Return labels that were drawn by the probabilities of logits, and these: (count, classes)."""
    source = np.random.default_rng(seed)
    logits = source.normal(0, 2, (count, classes))
    shares = softmax(logits, axis=1)
    labels = (shares.cumsum(axis=1) < source.random((count, 1))).sum(axis=1)
    return labels.tolist(), logits


@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_larger_logits_have_a_larger_temperature(seed: int, classes: int, factor: float) -> None:
    labels, logits = _calibrated(seed, 300, classes)
    first, second = (fit_temperature(part_of(labels, by * logits)) for by in (1.0, factor))
    assert second == pytest.approx(factor * first, rel=1e-5)


def test_the_temperature_of_made_up_answers_is_found() -> None:
    labels, logits = _calibrated(0, 20_000)
    found = fit_temperature(part_of(labels, 3 * logits))
    assert found == pytest.approx(3, rel=0.05)
    assert not is_bound(found)


def test_where_val_is_all_right_or_all_wrong_the_temperature_is_a_bound() -> None:
    right = part_of([0, 1, 1], 5.0 * np.eye(2)[[0, 1, 1]])
    assert fit_temperature(right) == LOWEST
    wrong = part_of([0, 1, 1], 5.0 * np.eye(2)[[1, 0, 0]])
    assert fit_temperature(wrong) == HIGHEST


def test_the_bounds_alone_are_bounds(tmp_path: Path) -> None:
    values = [LOWEST, HIGHEST, 1.0, LOWEST + 1e-6, HIGHEST - 1e-6, math.nan]
    assert [is_bound(value) for value in values] == [True, True, False, False, False, False]
    # Also where they were written and read.
    write_table(tmp_path / "some.csv", pd.DataFrame({"temperature": values[:2]}).round(6))
    read = read_table(tmp_path / "some.csv", {"temperature": float})["temperature"]
    assert all(map(is_bound, read.tolist()))


@pytest.mark.parametrize("logits", [np.zeros((3, 2)), np.array([[np.inf, 0], [0, 1], [1, 0]])])
def test_where_it_changes_nothing_or_cannot_be_told_it_is_one(logits: np.ndarray) -> None:
    assert fit_temperature(part_of([0, 1, 0], logits)) == 1


@pytest.mark.parametrize("size", [1e-30, 1e4])
def test_logits_of_any_size_are_fitted_without_a_warning(size: float) -> None:
    source = np.random.default_rng(1)
    labels = source.integers(0, 2, 40)
    found = fit_temperature(part_of(labels.tolist(), size * source.normal(size=(40, 2))))
    assert LOWEST <= found <= HIGHEST
