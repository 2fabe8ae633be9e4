"""Training states and finished seeds as bytes, and back to the last bit: safetensors, no pickle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from fusebench.training.loop import EpochRecord, Task, TrainingState, start

# What Adam holds of each parameter (torch.optim.Adam).
_ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class FinishedSeed:
    """What came of the training of one seed.

    Attributes
    ----------
    weights : mapping of str to tensor
        Those of the epoch with the lowest val loss.
    best_epoch : int
        That epoch, from 1.
    records : sequence of EpochRecord
        The learning curve.
    seconds : sequence of float
        Of each epoch.
    memory : mapping of str to (float or str)
        As `device.peak_memory`, at the end of this seed.
    """

    weights: Mapping[str, Tensor]
    best_epoch: int
    records: Sequence[EpochRecord]
    seconds: Sequence[float]
    memory: Mapping[str, float | str]

    @property
    def best(self) -> EpochRecord:
        """The record of the epoch whose weights were kept."""
        return self.records[self.best_epoch - 1]


def pack_finished(finished: FinishedSeed) -> bytes:
    """Return a finished seed as the bytes of a safetensors file."""
    about = {
        "best_epoch": finished.best_epoch,
        "records": [asdict(record) for record in finished.records],
        "seconds": list(finished.seconds),
        "memory": dict(finished.memory),
    }
    return _pack(finished.weights, about)


def unpack_finished(content: bytes) -> FinishedSeed:
    """Return the finished seed that `pack_finished` packed."""
    about = _about(content)
    return FinishedSeed(load(content), **{**about, "records": _records(about)})


def pack_state(state: TrainingState) -> bytes:
    """Return a state between two epochs as the bytes of a safetensors file."""
    tensors = {f"model.{name}": tensor for name, tensor in state.model.state_dict().items()}
    for name, parameter in state.model.named_parameters():
        of_adam = state.optimizer.state[parameter]
        tensors |= {f"{kind}.{name}": of_adam[kind] for kind in _ADAM}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best_weights.items()}
    about = {
        "epoch": state.epoch,
        "records": [asdict(record) for record in state.records],
        "seconds": state.seconds,
        "best_loss": state.best_loss,
        "best_epoch": state.best_epoch,
    }
    return _pack(tensors, about)


def unpack_state(content: bytes, task: Task) -> TrainingState:
    """Return the state that `pack_state` packed, on the task's device, to go on with `fit`."""
    about, tensors = _about(content), load(content)
    state = start(task)
    state.model.load_state_dict(_part(tensors, "model"))
    of_adam = {kind: _part(tensors, kind) for kind in _ADAM}
    for name, parameter in state.model.named_parameters():
        # In the parameter's own layout in memory, as the optimiser makes them.
        averages = {
            kind: torch.empty_like(parameter, requires_grad=False).copy_(of_adam[kind][name])
            for kind in _ADAM[1:]
        }
        step = of_adam["step"][name].to(parameter.device)
        state.optimizer.state[parameter] = {"step": step, **averages}
    state.epoch, state.seconds = about["epoch"], list(about["seconds"])
    state.records = _records(about)
    state.best_loss, state.best_epoch = about["best_loss"], about["best_epoch"]
    state.best_weights = {
        name: tensor.to(task.device) for name, tensor in _part(tensors, "best").items()
    }
    return state


def _pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # JSON keeps every float: it writes the shortest text that reads back as the same number.
    return save(contiguous, {"about": json.dumps(about, allow_nan=False)})


def _about(content: bytes) -> dict[str, Any]:
    """Return what stands in a safetensors file's header beside the tensors."""
    length = int.from_bytes(content[:8], "little")
    about: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["about"])
    return about


def _records(about: Mapping[str, Any]) -> list[EpochRecord]:
    return [EpochRecord(**record) for record in about["records"]]


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a part's."""
    start = f"{part}."
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }
