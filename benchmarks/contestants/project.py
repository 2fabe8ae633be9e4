"""The contestant that all others are compared with: this project as it is shipped."""

from dataclasses import replace

import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from benchmarks.contestants.material import Material
from benchmarks.plan import FUSION
from fusebench.device import Device, Precision
from fusebench.inputs.inputs import Inputs
from fusebench.models import registry
from fusebench.models.base import ModelSpec, predict
from fusebench.training.loop import Task, start, train_epoch


class Project:
    """Trains with the project's own loop, as stage train does."""

    def __init__(self, material: Material, device: Device, precision: Precision) -> None:
        dataset = material.samples.dataset
        spec = ModelSpec(
            FUSION, len(dataset.classes), material.size, material.settings.pooling, precision
        )
        names = registry.fusion_class(FUSION).inputs
        train, val = (
            Inputs.load(material.samples, rows, material.lidar, names, device.device)
            for rows in (material.train, material.val)
        )
        positive = dataset.classes.index(dataset.positive)
        self.task = Task(spec, material.settings, 0, train, val, positive, device.device)
        self._state = start(self.task)

    def start(self, seed: int) -> None:
        """Begin a training anew, its weights and its order of samples those of `seed`."""
        self.task = replace(self.task, seed=seed)
        self._state = start(self.task)

    def turn(self) -> float:
        """Make one epoch, train and val pass; return the val loss in nats per sample."""
        task, state = self.task, self._state
        train_epoch(task, state)
        logits_nk = predict(state.model, task.val, task.settings.batch_size)
        state.epoch += 1
        return float(F.cross_entropy(logits_nk, task.val.labels))
