"""Every implementation trains the same model on the same samples, each in its own way."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.implementations.notebook import NotebookTraining, PairDataset, write_pairs
from benchmarks.implementations.plain import FabricTraining, PlainConcat, tensors, val_loss
from benchmarks.implementations.project import ProjectTraining
from benchmarks.implementations.spec import Implementation
from benchmarks.library import TrainingData, load_inputs
from fusebench.device import Device
from fusebench.models.base import flatten
from fusebench.training.loop import Task, TrainingState, fit, start

KINDS = ["project", "notebook", "fabric"]


@pytest.fixture
def trainings(data: TrainingData, cpu: Device, tmp_path: Path) -> dict[str, Implementation]:
    """Each implementation, in this process."""
    return {
        "project": ProjectTraining(data, cpu, "fp32"),
        "notebook": NotebookTraining(data, tmp_path, workers=0),
        "fabric": FabricTraining(data),
    }


# --- The same samples ---


def inputs_of(data: TrainingData, normalize: bool) -> tuple[dict[str, Tensor], Tensor]:
    """Return all of val as one batch of the project: maps by name, and labels."""
    lidar = data.lidar.model_copy(update={"normalize": normalize})
    inputs = load_inputs(data.samples, data.val, lidar, ("rgb", "lidar"), torch.device("cpu"))
    return inputs.batch(torch.arange(len(inputs)))


def test_the_notebooks_maps_are_the_projects_in_metres(data: TrainingData, tmp_path: Path) -> None:
    dataset = PairDataset(write_pairs(data.samples, data.val, tmp_path), data.samples)
    maps, labels = inputs_of(data, normalize=False)
    for position in range(len(dataset)):
        rgb, lidar, label = dataset[position]
        assert torch.equal(rgb, maps["rgb"][position])
        torch.testing.assert_close(lidar, maps["lidar"][position], rtol=1e-6, atol=1e-5)
        assert label == labels[position]


def test_fabric_trains_on_the_projects_maps_in_torchs_layout(data: TrainingData) -> None:
    rgb, lidar, labels = tensors(data, data.val).tensors
    maps, of_project = inputs_of(data, data.lidar.normalize)
    assert torch.equal(rgb, maps["rgb"])
    assert torch.equal(lidar, maps["lidar"])
    assert torch.equal(labels, of_project)
    assert rgb.is_contiguous()


# --- The same model ---


def test_plain_concat_is_the_projects_function_of_the_same_weights(
    trainings: dict[str, Implementation],
) -> None:
    project = trainings["project"]
    assert isinstance(project, ProjectTraining)
    model = project.state.model
    plain = PlainConcat((64, 64), 2)
    weights = dict(model.named_parameters())
    # The project's last layer reads its input in another order.
    order = flatten(torch.arange(128.0 * 4 * 4).reshape(1, 128, 4, 4))[0].long()
    with torch.no_grad():
        plain.classifier.weight[:, order] = weights.pop("classifier.weight")
        others = [p for p in plain.parameters() if p is not plain.classifier.weight]
        for target, source in zip(others, weights.values(), strict=True):
            target.copy_(source)
        rgb, lidar = (torch.randn(4, 4, 64, 64) for _ in range(2))
        logits = model({"rgb": rgb, "lidar": lidar})
        torch.testing.assert_close(plain(rgb, lidar), logits, rtol=0, atol=1e-5)
        # Each input has its own stem.
        assert not torch.allclose(plain(lidar, rgb), logits, rtol=0, atol=1e-5)


def test_the_notebook_and_fabric_start_with_equal_weights(
    trainings: dict[str, Implementation],
) -> None:
    notebook, fabric = trainings["notebook"], trainings["fabric"]
    assert isinstance(notebook, NotebookTraining)
    assert isinstance(fabric, FabricTraining)
    for training in (notebook, fabric):
        training.start(3)
    pairs = zip(notebook.model.parameters(), fabric.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert isinstance(notebook.model, PlainConcat)


# --- Epochs ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_learns_and_a_start_repeats_it(
    kind: str, trainings: dict[str, Implementation]
) -> None:
    training, first = trainings[kind], []
    for seed in (1, 0, 0):
        training.start(seed)
        first.append(training.epoch() or 0.0)
    assert first[0] != first[1] == first[2]
    assert 0 < (training.epoch() or 0.0) < first[2]


def test_the_projects_epochs_are_those_of_its_own_loop(data: TrainingData, cpu: Device) -> None:
    project = ProjectTraining(data, cpu, "fp32")
    project.start(1)
    losses = [project.epoch() for _ in range(2)]

    def ignore(_task: Task, _state: TrainingState) -> None:
        pass

    settings = data.settings.model_copy(update={"epochs": 2, "schedule": "constant"})
    task = Task(project.task.spec, settings, 1, project.task.train, project.task.val, 1, cpu.device)
    assert losses == [record.val_loss for record in fit(task, start(task), ignore).records]


def test_val_loss_is_the_mean_over_samples_not_over_batches() -> None:
    class ReturnsRgb(nn.Module):
        def forward(self, rgb: torch.Tensor, _lidar: torch.Tensor) -> torch.Tensor:
            return rgb

    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 0])
    batches = [(logits[:2], logits[:2], labels[:2]), (logits[2:], logits[2:], labels[2:])]
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert val_loss(ReturnsRgb(), batches) == pytest.approx(expected, rel=1e-6)
