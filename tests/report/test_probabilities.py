"""metrics/probabilities.csv and the picture of reliability."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from pandas.testing import assert_frame_equal
from tests.report.made_up import MAJORITY, NAMES, THRESHOLD

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import CALIBRATION_BINS
from fusebench.evaluation.temperature import HIGHEST, fit_temperature
from fusebench.files import write_table
from fusebench.report import probabilities, reliability
from fusebench.report.results import Comparison


@pytest.fixture(scope="module")
def table(comparison: Comparison) -> pd.DataFrame:
    return probabilities.probabilities_table(comparison, temperature=True)


def test_figures_as_stored_are_those_of_evaluate(
    comparison: Comparison, table: pd.DataFrame
) -> None:
    rows = {(row.fusion, row.seed): row for row in probabilities.probability_rows(table)}
    assert {name for name, _ in rows} == {*NAMES, THRESHOLD}
    for result in comparison.results:
        if result.name == MAJORITY:
            continue
        for seed, metrics in result.metrics["test"]["seeds"].items():
            row = rows[result.name, int(seed)]
            found = (row.nll, row.brier, row.calibration_error)
            assert found == tuple(metrics[key] for key in ("nll", "brier", "calibration_error"))


def test_the_temperature_of_a_seed_is_fitted_on_its_val_alone(
    comparison: Comparison, table: pd.DataFrame
) -> None:
    known = probabilities.temperatures(table)
    for name, fusion in comparison.fusions.items():
        for seed, parts in fusion.seeds.items():
            value = fit_temperature(parts["val"])
            assert known[name, seed] == pytest.approx(value, abs=1e-6)
            assert known[name, seed] != pytest.approx(fit_temperature(parts["test"]))


def test_without_temperatures_nothing_is_scaled(comparison: Comparison) -> None:
    table = probabilities.probabilities_table(comparison, temperature=False)
    assert table.filter(like="scaled").isna().all(axis=None)
    assert table["nll"].notna().all()
    assert not probabilities.temperatures(table)
    assert not reliability.reliability_table(comparison, table)["scaled"].any()
    figure = reliability.reliability_figure(comparison, reliability.reliability_table(
        comparison, table), table)  # fmt: skip
    assert not figure.legends
    assert not any("T " in axes.get_title() for axes in figure.axes)


def test_the_file_is_read_as_it_was_written_and_may_be_absent(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    write_table(tmp_path / "probabilities.csv", table)
    content = (tmp_path / "probabilities.csv").read_bytes()
    found = probabilities.read_probabilities(lambda _: content)
    assert found is not None
    assert_frame_equal(found, table)
    assert probabilities.read_probabilities(lambda path: (tmp_path / path).read_bytes()) is None
    with pytest.raises(ArtifactError, match=r"probabilities\.csv: column 'seed' is missing"):
        probabilities.read_probabilities(lambda _: b"fusion\nlate\n")


def test_bins_hold_all_samples_and_tell_the_calibration_error(
    comparison: Comparison, table: pd.DataFrame
) -> None:
    bins = reliability.reliability_table(comparison, table)
    assert set(bins["scaled"]) == {0, 1}
    samples = len(next(iter(comparison.fusions["late"].seeds.values()))["test"].labels)
    for (_, _), rows in bins.groupby(["fusion", "scaled"]):
        assert rows["count"].sum() == pytest.approx(samples, abs=1e-3)
        assert rows["bin"].is_unique
        assert rows["bin"].between(0, CALIBRATION_BINS - 1).all()
        # A confidence at an end may be rounded to it.
        assert (rows["confidence"] >= rows["low"] - 1e-3).all()
        assert (rows["confidence"] <= rows["high"] + 1e-3).all()
    stored = bins[(bins["fusion"] == "late") & (bins["scaled"] == 0)]
    right = (stored["accuracy"] * stored["count"]).sum() / samples
    accuracies = next(row for row in comparison.results if row.name == "late")
    assert right == pytest.approx(np.mean(accuracies.metric_of_seeds("accuracy")), abs=1e-2)


def test_scaled_bins_are_surer_where_the_temperature_is_below_one(
    comparison: Comparison, table: pd.DataFrame
) -> None:
    for value, change in ((0.5, 1), (2.0, -1)):
        bins = reliability.reliability_table(comparison, table.assign(temperature=value))
        late = bins[bins["fusion"] == "late"]
        sure = [
            float((rows["confidence"] * rows["count"]).sum() / rows["count"].sum())
            for _, rows in late.groupby("scaled")
        ]
        assert change * (sure[1] - sure[0]) > 1


def test_the_picture_has_a_panel_of_each_that_looks_and_says_what_scaling_does(
    comparison: Comparison, table: pd.DataFrame
) -> None:
    own = table["fusion"] == "late"
    held = table.assign(temperature=table["temperature"].mask(own, HIGHEST))
    bins = reliability.reliability_table(comparison, table)
    figure = reliability.reliability_figure(comparison, bins, held)
    titles = {axes.get_title().split("\n")[0]: axes for axes in figure.axes if axes.axison}
    assert list(titles) == ["late", "hadamard", "threshold"]
    late = titles["late"]
    count = int(own.sum())
    after = table[own]["scaled_calibration_error"].mean()
    assert f"T {HIGHEST:.2f} ({count} at bound)\nECE" in late.get_title()
    assert f"→ {after:.2f} %" in late.get_title()
    for number, drawn in enumerate(late.collections):
        rows = bins[(bins["fusion"] == "late") & (bins["scaled"] == number)]
        assert (
            np.asarray(drawn.get_offsets()).tolist()
            == rows[["confidence", "accuracy"]].to_numpy().tolist()
        )
    points = late.collections[0]
    assert isinstance(points, PathCollection)
    areas = np.asarray(points.get_sizes())
    counts = bins[(bins["fusion"] == "late") & (bins["scaled"] == 0)]["count"].to_numpy()
    assert (np.argsort(areas, kind="stable") == np.argsort(counts, kind="stable")).all()
    assert len(figure.legends) == 1
