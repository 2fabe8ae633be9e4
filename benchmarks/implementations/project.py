"""The project's own loop."""

from dataclasses import replace

import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from benchmarks.library import TrainingData, load_inputs
from benchmarks.timing import FUSION
from fusebench.device import Device, Precision
from fusebench.models.base import ModelSpec, fusion_class, predict
from fusebench.training.loop import Task, start, train_epoch


class ProjectTraining:
    """Trains with the project's own loop, as stage train does; the reference of the others."""

    def __init__(self, data: TrainingData, device: Device, precision: Precision) -> None:
        spec = ModelSpec(FUSION, data.classes, data.size, data.settings.pooling, precision)
        names = fusion_class(FUSION).inputs
        train, val = (
            load_inputs(data.samples, rows, data.lidar, names, device.device)
            for rows in (data.train, data.val)
        )
        dataset = data.samples.dataset
        positive = dataset.classes.index(dataset.positive)
        self.task = Task(spec, data.settings, 0, train, val, positive, device.device)
        self.state = start(self.task)

    def start(self, seed: int) -> None:
        """Begin a training anew, its weights and its order of samples those of `seed`."""
        self.task = replace(self.task, seed=seed)
        self.state = start(self.task)

    def epoch(self) -> float:
        """Run one epoch, train and val pass; return the val loss in nats per sample."""
        train_epoch(self.task, self.state)
        logits_nk = predict(self.state.model, self.task.val, self.task.settings.batch_size)
        self.state.epoch += 1
        return float(F.cross_entropy(logits_nk, self.task.val.labels))
