"""Initial weights, and weights on disk: safetensors, never a pickle."""

import errno
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fusebench.aside import replace_file
from fusebench.errors import REMEDY, ArtifactError
from fusebench.seeds import derive_seed


def initialize(model: nn.Module, seed: int) -> None:
    """Set all weights as a pure function of (seed, layer name), distributed as torch's default.

    Layers of the same name and shape start equal in every fusion; that makes comparisons paired.
    Batch normalisation starts as torch's default, the same for every seed.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015; with a = √5 as in torch.nn.Linear.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
            continue
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            if next(layer.parameters(recurse=False), None) is not None:
                kind = type(layer).__name__
                raise TypeError(f"{name}: no rule for the initial weights of {kind}")
            continue
        generator = torch.Generator().manual_seed(derive_seed("weights", seed, name))
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
        if layer.bias is not None:
            bound = 1 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def save(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write named tensors in one step."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with replace_file(path) as aside:
        try:
            save_file(contiguous, aside)
        except SafetensorError as error:
            # The library has no other error for a disk that is full.
            raise OSError(errno.EIO, " ".join(str(error).split()), str(path)) from None


def load(path: Path, model: nn.Module) -> None:
    """Read weights into a model.

    Raises
    ------
    ArtifactError
        The file is missing, broken, or of another model.
    """
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' trains it") from None
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{path}: not this model's weights ({reason}); {REMEDY}") from None
