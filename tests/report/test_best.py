"""metrics/best.csv: the distance of each fusion to the best, made of the pairs."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tests.parts import study
from tests.report.made_up import PAIR, pairs_table

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import means
from fusebench.files import write_table
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.best import BEST_KINDS, best_of, best_rows, draws_of, parse_best, read_best
from fusebench.report.findings import compare_fusions
from fusebench.report.settings import CompareParams
from fusebench.statistics.failures import SeedValues


def _fusions(seeds: int) -> dict[str, FusionPredictions]:
    """Return three fusions, of which the best sees one sensor alone."""
    fusions = study(seeds)
    info = {**fusions["add"].info, "inputs": ["rgb"]}
    return fusions | {"add": replace(fusions["add"], info=info)}


def _best(seeds: int, primary: str = "balanced_accuracy", margin: float | None = 2.0,
          names: tuple[str, ...] = ("late", "concat", "add")) -> pd.DataFrame:  # fmt: skip
    fusions = _fusions(seeds)
    params = CompareParams(
        temperature=True, primary=primary, margin={primary: margin}, contrasts=("add/any",)
    )
    return compare_fusions({name: fusions[name] for name in names}, params)[1]


@pytest.mark.parametrize(("primary", "sign"), [("balanced_accuracy", -1), ("nll", 1)])
def test_the_best_mean_stands_first_and_is_nearest(primary: str, sign: int) -> None:
    rows = best_rows(_best(5, primary))
    assert [sign * row.mean for row in rows] == sorted(sign * row.mean for row in rows)
    assert {row.fusion for row in rows} == {"late", "concat", "add"}
    assert rows[0].may_be_best
    assert rows[0].below == min(row.below for row in rows)
    assert all(row.below >= sign * (row.mean - rows[0].mean) for row in rows)
    assert [row.fused for row in rows] == [row.fusion != "add" for row in rows]


def test_the_margin_decides_what_is_as_good() -> None:
    below = {row.fusion: row.below for row in best_rows(_best(5))}
    middle = sorted(below.values())[1]
    for margin, good in ((middle + 1e-6, 2), (middle - 0.01, 1), (None, 0)):
        rows = best_rows(_best(5, margin=margin))
        assert sum(row.as_good for row in rows) == good


def test_fewer_than_five_seeds_tell_nothing_of_the_best() -> None:
    for row in best_rows(_best(4)):
        assert math.isnan(row.below)
        assert row.may_be_best
        assert not row.as_good


def test_one_fusion_is_compared_with_nothing() -> None:
    (row,) = best_rows(_best(5, names=("late",)))
    assert math.isnan(row.below)
    assert not row.as_good


def test_irregular_differences_are_never_called_as_good() -> None:
    row = best_rows(_best(5, margin=99.0))[0]
    assert row.as_good
    assert not row._replace(irregular="yes").as_good


def test_irregular_is_what_a_pair_with_one_that_may_be_the_best_is() -> None:
    names = ("late", "concat", "add")
    calm = SeedValues(np.full(10, 99.0), np.zeros(10, bool), np.ones(10, bool), 74.5, 50.0)
    seeds = dict.fromkeys(names, calm)
    infos = {name: {"inputs": ["rgb"]} for name in names}
    even = PAIR._replace(difference=0.0, first_mean=99.0, second_mean=99.0)
    worse = PAIR._replace(difference=-20.0)
    pairs = pairs_table(
        even._replace(first="concat", second="add", compares="successes"),
        worse._replace(first="late", second="concat", compares="successes"),
        worse._replace(first="late", second="add"),
    )
    rows = {row.fusion: row for row in best_rows(best_of(pairs, seeds, infos, "accuracy", 2.0))}
    assert [rows[name].may_be_best for name in names] == [False, True, True]
    assert [rows[name].is_irregular for name in names] == [True, True, True]
    away = pairs.assign(compares=["means", "successes", "means"])
    rows = {row.fusion: row for row in best_rows(best_of(away, seeds, infos, "accuracy", 2.0))}
    # late may not be the best, so that what it does harms no bound but its own.
    assert [rows[name].is_irregular for name in names] == [True, False, False]


@pytest.mark.parametrize("primary", means())
def test_a_row_tells_what_its_seeds_do(primary: str) -> None:
    rows = {row.fusion: row for row in best_rows(_best(5, primary, 0.5))}
    assert [rows[name].collapsed for name in ("late", "concat", "add")] == [1, 0, 0]
    assert rows["add"].collapse_rate == pytest.approx(1 - 0.05 ** (1 / 5), abs=1e-6)
    assert rows["late"].collapse_rate > rows["add"].collapse_rate
    worse = rows["add"].mean_at_collapse_rate - rows["add"].mean
    assert worse < 0 if primary in ("accuracy", "balanced_accuracy") else worse > 0
    assert len({row.success_beyond for row in rows.values()}) == 1
    assert 0 <= rows["late"].succeeded <= rows["add"].succeeded <= 5


def test_draws_are_told_by_the_val_samples() -> None:
    # Made-up seeds have one val part.
    assert {row.draws for row in best_rows(_best(5))} == {"fixed"}
    fusions = _fusions(3)
    assert draws_of(fusions) == "fixed"
    for of in fusions.values():
        of.seeds[2]["val"] = of.seeds[2]["val"].take(range(10))
    assert draws_of(fusions) == "anew"
    assert draws_of(_fusions(1)) == "anew"


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_table_reads_back_as_it_was(seeds: int, tmp_path: Path) -> None:
    frame, path = _best(seeds, margin=None), tmp_path / "best.csv"
    assert list(frame) == list(BEST_KINDS)
    write_table(path, frame)
    assert_frame_equal(read_best(path), frame)
    assert_frame_equal(parse_best(path.read_text("utf-8")), frame)
    with pytest.raises(ArtifactError, match=r"metrics/best\.csv: column 'below' is missing"):
        parse_best("metric,fusion,inputs,mean\n")
