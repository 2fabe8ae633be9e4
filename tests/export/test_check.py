"""What an exported file is compared with: the models in torch, and kept predictions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.export.made_up import answers, models_of, subject_of

from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.export import check as checking
from fusebench.export.check import Difference, check, from_kept
from fusebench.export.format import Arrays
from fusebench.export.subject import Subject
from fusebench.inference.predictor import probabilities
from fusebench.inputs.inputs import Inputs
from fusebench.models.base import predict
from fusebench.prediction.predictions import FusionPredictions, PartPredictions

pytestmark = pytest.mark.usefixtures("cpu")

Run = Callable[[Arrays], npt.NDArray[np.float32]]


def run_of(subject: Subject, off: float = 0.0, sizes: list[int] | None = None) -> Run:
    """Return what runs the graph, `off` by so much in the last of the samples of a batch."""

    def run(inputs: Arrays) -> npt.NDArray[np.float32]:
        found = answers(subject.graph, dict(inputs))
        found[-1] += np.array([off, -off], np.float32)
        if sizes is not None:
            sizes.append(len(found))
        return found

    return run


@pytest.mark.parametrize(
    ("count", "batches"),
    [(1, [1]), (2, [1, 1]), (5, [4, 1]), (32, [31, 1]), (64, [31, 31, 2]), (70, [32, 32, 6])],
)
def test_all_samples_are_run_and_the_last_batch_is_of_another_size(
    count: int, batches: list[int]
) -> None:
    subject, sizes = subject_of(count), list[int]()
    found = check(run_of(subject, sizes=sizes), subject)
    assert sizes == batches
    assert (found.batch, found.last) == (batches[0], batches[-1])
    assert found.probabilities.shape == (count, 2)
    assert found.from_torch.largest < 1e-6
    assert found.from_torch.other_class == 0


def test_what_is_compared_with_is_the_training_s_own_way_to_probabilities(cpu: Device) -> None:
    subject = subject_of(7)
    sees = subject.graph.sees
    inputs = Inputs.load(
        subject.samples, subject.rows, subject.description.lidar, sees, cpu.device
    )  # fmt: skip
    logits = [predict(model, inputs, 7).numpy() for model in models_of(subject.graph)]
    expected = probabilities(np.stack(logits), [0.5, 2.0]).mean(axis=0)
    found = check(run_of(subject), subject)
    assert np.abs(found.probabilities - expected).max() < 1e-6


@pytest.mark.parametrize("off", [2e-4, -1.01e-4, np.nan])
def test_a_file_that_is_off_in_one_sample_is_refused(off: float) -> None:
    subject = subject_of(6)
    with pytest.raises(ArtifactError, match="the exported model of concat differs from the models"):
        check(run_of(subject, off), subject)


def test_a_file_within_the_tolerance_is_not() -> None:
    found = check(run_of(subject := subject_of(6), 5e-5), subject)
    assert found.from_torch.largest == pytest.approx(5e-5, abs=1e-6)


def test_a_difference_is_the_largest_of_all_and_counts_samples_of_another_class() -> None:
    one = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    other = np.array([[0.45, 0.55], [0.6, 0.4], [0.25, 0.75]])
    found = Difference.of(one, other)
    assert found.largest == pytest.approx(0.3)
    assert found.other_class == 1


# --- Kept predictions ---


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Callable[[Subject, int, int], None]:
    """Let predictions be kept of the first `count` samples, with logits times `factor`."""

    def store(subject: Subject, count: int, factor: int) -> None:
        rows = subject.rows[:count]
        lidar, device = subject.description.lidar, subject.graph.temperatures.device
        inputs = Inputs.load(subject.samples, rows, lidar, subject.graph.sees, device)
        logits = [factor * predict(model, inputs, 4).numpy() for model in models_of(subject.graph)]
        seeds = {
            seed: {"test": PartPredictions.of(rows, of_seed)}
            for seed, of_seed in zip(subject.seeds, logits, strict=True)
        }
        kept = FusionPredictions({}, seeds)
        monkeypatch.setattr(checking, "read_predictions", lambda _folder: kept)

    return store


Keep = Callable[[Subject, int, int], None]


def test_kept_predictions_are_compared_by_the_same_temperatures(keep: Keep) -> None:
    subject = subject_of(6)
    found = check(run_of(subject), subject)
    keep(subject, 6, 1)
    same, why = from_kept(subject, found.probabilities, "")
    assert why == ""
    assert same is not None
    assert same.largest < 1e-6
    keep(subject, 6, 3)
    other, _ = from_kept(subject, found.probabilities, "")
    assert other is not None
    assert other.largest > 1e-3


def test_kept_predictions_of_others_are_not_compared(keep: Keep) -> None:
    subject = subject_of(6)
    found = check(run_of(subject), subject)
    keep(subject, 5, 1)
    assert from_kept(subject, found.probabilities, "") == (
        None, "predictions/concat is of other seeds or samples",
    )  # fmt: skip
    assert from_kept(subject, found.probabilities, "trained anew") == (None, "trained anew")


def test_missing_predictions_are_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    subject = subject_of(3)
    found, why = from_kept(subject, np.full((3, 2), 0.5), "")
    assert found is None
    assert why.startswith("predictions/concat/info.json: no such file")
