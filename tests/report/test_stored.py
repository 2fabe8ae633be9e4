"""Metrics and measurements that compare reads: of these predictions, and as they were written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.report.made_up import NAMES

from fusebench.errors import ArtifactError
from fusebench.files import read_json, write_json
from fusebench.report.results import read_comparison


def refusal(root: Path, file: str, spoil: Callable[[dict[str, Any]], object]) -> str:
    content = read_json(root / file)
    spoil(content)
    write_json(root / file, content)
    with pytest.raises(ArtifactError) as caught:
        read_comparison(root, NAMES)
    assert str(caught.value).startswith(f"{root / file}: ")
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content.pop("test"), "key 'test' is missing; 'make mend' repairs it"),
        (lambda content: content["val"].pop("nll"), "key 'val.nll' is missing"),
        (lambda content: content["test"].update(luck=1), "unknown key 'test.luck'"),
        (lambda content: content["test"]["f1"].update(mean="high"), "test.f1.mean = 'high': must"),
        (lambda content: content["test"]["f1"].update(mean=101.0), "test.f1.mean = 101.0: must be"),
        (lambda content: content["test"]["f1"].update(mean=50.5), "of its seeds it is"),
        (lambda content: content["val"]["nll"].update(deviation=None), "of its seeds it is"),
        (lambda content: content["test"]["seeds"]["1"].update(nll=9.0), "of its seeds it is"),
        (lambda content: content["test"]["seeds"].pop("1"), "test.seeds are 0, of the predictions"),
        (lambda content: content["val"]["seeds"]["0"].pop("confusion"), "confusion' is missing"),
        (lambda content: content.update(parameters=7), "parameters = 7, of the predictions"),
        (lambda content: content.update(collapsed_seeds=-1), "collapsed_seeds = -1: must be"),
    ],
)
def test_metrics_that_are_not_allowed_or_of_others_are_named(
    spoil: Callable[[dict[str, Any]], object], reason: str, root: Path
) -> None:
    assert reason in refusal(root, "metrics/fusions/late.json", spoil)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content.pop("environment"), "key 'environment' is missing"),
        (lambda content: content["environment"].pop("torch"), "'environment.torch' is missing"),
        (lambda content: content["environment"].update(threads=0), "environment.threads = 0: must"),
        (lambda content: content.update(memory={}), "key 'memory.peak_mb' is missing"),
        (
            lambda content: content["seconds_per_epoch"].update(median="fast"),
            "seconds_per_epoch.median = 'fast': must be a valid number",
        ),
    ],
)
def test_measurements_that_are_not_allowed_are_named(
    spoil: Callable[[dict[str, Any]], object], reason: str, root: Path
) -> None:
    assert reason in refusal(root, "metrics/training/late.json", spoil)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content.pop("step_mb"), "key 'step_mb' is missing"),
        (lambda content: content.update(step_mb=0), "step_mb = 0: must be"),
        (lambda content: content["latency_ms"].pop("p95"), "key 'latency_ms.p95' is missing"),
        (
            lambda content: content.update(mflops_per_sample="few"),
            "mflops_per_sample = 'few': must",
        ),
        (lambda content: content.update(parameters=7), "parameters = 7, of the predictions"),
        (lambda content: content["environment"].pop("processor"), "processor' is missing"),
    ],
)
def test_costs_that_are_not_allowed_or_of_another_model_are_named(
    spoil: Callable[[dict[str, Any]], object], reason: str, root: Path
) -> None:
    assert reason in refusal(root, "metrics/cost/late.json", spoil)


def test_where_a_fusion_was_trained_is_told_by_its_measurements(root: Path) -> None:
    trainings = read_comparison(root, NAMES).trainings
    assert list(trainings) == list(NAMES)
    measured = read_json(root / "metrics/training/late.json")
    assert trainings["late"]["environment"] == measured["environment"]
