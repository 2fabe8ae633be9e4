"""What is compared: complete, and on the same samples and seeds."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.made_up import (
    MAJORITY,
    NAMES,
    THRESHOLD,
    part_of,
    write_predictions,
    write_results,
)
from tests.sealing import reseal

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import fusion_metrics
from fusebench.files import write_json, write_table
from fusebench.prediction.predictions import read_predictions, write_seed
from fusebench.report.results import Comparison, read_comparison
from fusebench.report.robustness_files import SUMMARY, Kept


def test_comparison_has_the_fusions_then_the_baselines(comparison: Comparison) -> None:
    assert [result.name for result in comparison.results] == [*NAMES, MAJORITY, THRESHOLD]
    assert list(comparison.fusions) == list(NAMES)
    assert [result.measured is None for result in comparison.results] == [False, False, True, True]
    assert [result.cost is None for result in comparison.results] == [False, False, True, True]
    assert (comparison.seeds, comparison.samples) == ([0, 1], "synthetic")


def test_results_of_other_fusions_are_ignored(root: Path) -> None:
    (root / "predictions/stale").mkdir()
    (root / "predictions/stale/info.json").write_text("broken", "utf-8")
    assert list(read_comparison(root, ("late",)).fusions) == ["late"]


@pytest.mark.parametrize(
    "path",
    [
        "predictions/late/info.json",
        "metrics/fusions/hadamard.json",
        "metrics/training/late.json",
        "metrics/cost/late.json",
        "predictions/majority_class/info.json",
        "metrics/fusions/threshold.json",
    ],
)
def test_missing_result_is_one_line_with_what_to_do(path: str, root: Path) -> None:
    (root / path).unlink()
    with pytest.raises(ArtifactError) as caught:
        read_comparison(root, NAMES)
    assert str(caught.value) == f"{root / path}: no such file; 'dvc repro' makes it"


@pytest.mark.parametrize("name", ["hadamard", THRESHOLD])
def test_results_of_other_seeds_are_refused(name: str, root: Path) -> None:
    shutil.rmtree(root / "predictions" / name)
    write_predictions(root, name, 1.0, (0, 2))
    with pytest.raises(ArtifactError, match=rf"predictions/{name}: seeds \[0, 2\] .* of late"):
        read_comparison(root, NAMES)


def test_results_on_other_samples_are_refused(root: Path) -> None:
    parts = {"val": part_of(0, "val", 1.0), "test": part_of(0, "val", 1.0)}
    write_seed(root / "predictions/hadamard", 0, parts)
    reseal(root / "predictions/hadamard")
    metrics = fusion_metrics(read_predictions(root / "predictions/hadamard"))
    write_json(root / "metrics/fusions/hadamard.json", metrics)
    with pytest.raises(ArtifactError, match="predictions/hadamard: test samples of seed 0"):
        read_comparison(root, NAMES)


def _summary(root: Path, **seeds: int) -> None:
    """Write what stage robustness found of some fusions, with so many seeds."""
    rows = [Kept(name, 0.5 + count / 100, "", 0.25, 1, count) for name, count in seeds.items()]
    write_table(root / SUMMARY, pd.DataFrame(rows, columns=Kept._fields))


def test_what_a_fusion_keeps_under_corruptions_is_read(root: Path) -> None:
    # Of another fusion nothing is asked.
    _summary(root, hadamard=2, early=7, late=2)
    found = {result.name: result.robustness for result in read_comparison(root, NAMES).results}
    assert (found["late"], found["hadamard"]) == (0.52, 0.52)
    assert np.isnan([found[MAJORITY], found[THRESHOLD]]).all()


@pytest.mark.parametrize(
    ("seeds", "found"), [({"late": 2}, "missing"), ({"late": 2, "hadamard": 3}, "3 seeds")]
)
def test_robustness_of_other_fusions_or_seeds_is_refused(
    seeds: dict[str, int], found: str, root: Path
) -> None:
    _summary(root, **seeds)
    with pytest.raises(ArtifactError) as caught:
        read_comparison(root, NAMES)
    assert str(caught.value) == (
        f"metrics/robustness_summary.csv: hadamard: {found}, predictions/hadamard has 2 seeds; "
        "'dvc repro robustness' makes it anew"
    )
    assert list(read_comparison(root, ("late",)).fusions) == ["late"]


def test_one_fusion_is_compared_with_the_baselines(tmp_path: Path) -> None:
    comparison = read_comparison(write_results(tmp_path, ("late",)), ("late",))
    assert [result.name for result in comparison.results] == ["late", MAJORITY, THRESHOLD]
