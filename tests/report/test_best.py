"""metrics/best.csv: the distance of each fusion to the best, made of the pairs."""

import math

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tests.parts import study

from fusebench.errors import ArtifactError
from fusebench.report.best import BEST_KINDS, best_of, best_rows, parse_best
from fusebench.report.pairs import pairs_of

INPUTS = {"late": ("rgb", "lidar"), "concat": ("rgb", "lidar"), "add": ("rgb",)}


def _best(seeds: int, primary: str = "balanced_accuracy", margin: float | None = 2.0,
          names: tuple[str, ...] = tuple(INPUTS)) -> pd.DataFrame:  # fmt: skip
    fusions = study(seeds)
    pairs = pairs_of({name: fusions[name] for name in names}, primary)
    return best_of(pairs, {name: INPUTS[name] for name in names}, margin)


@pytest.mark.parametrize(("primary", "sign"), [("balanced_accuracy", -1), ("nll", 1)])
def test_the_best_mean_stands_first_and_is_nearest(primary: str, sign: int) -> None:
    rows = best_rows(_best(5, primary))
    assert [sign * row.mean for row in rows] == sorted(sign * row.mean for row in rows)
    assert {row.fusion for row in rows} == set(INPUTS)
    assert rows[0].may_be_best
    assert rows[0].below == min(row.below for row in rows)
    assert all(row.below >= sign * (row.mean - rows[0].mean) for row in rows)
    assert [row.fused for row in rows] == [row.fusion != "add" for row in rows]


def test_the_margin_decides_what_is_as_good() -> None:
    below = {row.fusion: row.below for row in best_rows(_best(5))}
    middle = sorted(below.values())[1]
    for margin, good in ((middle, 2), (middle - 0.01, 1), (math.nan, 0)):
        rows = best_rows(_best(5, margin=None if math.isnan(margin) else margin))
        assert sum(row.as_good for row in rows) == good


def test_fewer_than_five_seeds_tell_nothing_of_the_best() -> None:
    for row in best_rows(_best(4)):
        assert math.isnan(row.below)
        assert row.may_be_best
        assert not row.as_good


def test_one_fusion_is_compared_with_nothing() -> None:
    frame = _best(5, names=("late",))
    assert list(frame) == list(BEST_KINDS)
    assert best_rows(frame) == []


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_table_reads_back_as_it_was(seeds: int) -> None:
    frame = _best(seeds, margin=None)
    assert_frame_equal(parse_best(frame.to_csv(index=False)), frame)
    with pytest.raises(ArtifactError, match=r"metrics/best\.csv: column 'below' is missing"):
        parse_best("metric,fusion,inputs,mean\n")
