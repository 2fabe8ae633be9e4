"""What every fusion is made of: stems that encode inputs, and the contract that a fusion fulfils.

Shape suffixes: b batch, c channels, h height, w width, k classes.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.device import Precision, arithmetic
from fusebench.inputs.inputs import CHANNELS, PartInputs
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName

HEAD_CHANNELS = 128


@dataclass(frozen=True)
class ModelSpec:
    """What rebuilds a model, stored beside its weights.

    Attributes
    ----------
    fusion : str
        Name in the registry.
    classes : int
        Number of logits.
    image_size : (int, int)
        Height and width of the inputs, at least `STEMS[stem].smallest` each.
    pooling : {"max", "strided"}
        How the notebook's stem halves its maps.
    precision : {"fp32", "bf16"}
        In which format convolutions and linear layers compute, in training and after.
    stem : str
        What encodes the inputs.
    """

    fusion: str
    classes: int
    image_size: tuple[int, int]
    pooling: Literal["max", "strided"]
    precision: Precision
    stem: StemName = "notebook"

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self:
        """Return the spec that was stored as JSON, where a tuple became a list."""
        if stored["pooling"] not in ("max", "strided"):
            raise ValueError(f"pooling '{stored['pooling']}' is neither 'max' nor 'strided'")
        if stored["precision"] not in ("fp32", "bf16"):
            raise ValueError(f"precision '{stored['precision']}' is neither 'fp32' nor 'bf16'")
        if stored.get("stem", "notebook") not in STEMS:
            raise ValueError(f"stem '{stored['stem']}' is none of {list(STEMS)}")
        return cls(**{**stored, "image_size": tuple(stored["image_size"])})


class ConvBlock(nn.Module):
    """3×3 convolution, halving, ReLU: (b, c_in, h, w) → (b, c_out, h/2, w/2).

    The maximum is taken before the ReLU: max and ReLU commute, and so only a quarter of the values
    is rectified. With `pooling="strided"` the convolution itself makes the steps of two.
    """

    def __init__(self, channels_in: int, channels_out: int, pooling: str = "max") -> None:
        super().__init__()
        self.pooled = pooling == "max"
        stride = 1 if self.pooled else 2
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)

    def forward(self, maps_bchw: Tensor) -> Tensor:
        """Return the block's output."""
        maps_bchw = self.conv(maps_bchw)
        return F.relu(F.max_pool2d(maps_bchw, 2) if self.pooled else maps_bchw)


class Stem(nn.Sequential):
    """An encoder of inputs: (b, c_in, h, w) → (b, c, h', w').

    Parameters
    ----------
    layers : mapping of str to Module
        In their order; weights have their names.
    channels : int
        Channels c of its maps.
    map_size : (int, int)
        Height h' and width w' of its maps.
    """

    def __init__(
        self, layers: Mapping[str, nn.Module], channels: int, map_size: tuple[int, int]
    ) -> None:
        super().__init__(OrderedDict(layers))
        self.channels, self.map_size = channels, map_size


def build_stem(spec: ModelSpec, read: tuple[str, ...]) -> Stem:
    """Return the stem that a spec names, for the channels of some inputs side by side."""
    if spec.stem == "notebook":
        return _notebook_stem(spec, len(read) * CHANNELS)
    # It imports torchvision, which other models do without.
    from fusebench.models.encoders import encoder

    return encoder(spec, read)


def _notebook_stem(spec: ModelSpec, channels: int) -> Stem:
    """Return two blocks: (b, channels, h, w) → (b, 64, h/4, w/4)."""
    kind = STEMS["notebook"]
    height, width = spec.image_size
    for _ in range(kind.halvings):
        # Pooling leaves an odd last line out, a convolution with stride 2 keeps it.
        odd = 0 if spec.pooling == "max" else 1
        height, width = (height + odd) // 2, (width + odd) // 2
    blocks = {
        "0": ConvBlock(channels, kind.channels // 2, spec.pooling),
        "1": ConvBlock(kind.channels // 2, kind.channels, spec.pooling),
    }
    return Stem(blocks, kind.channels, (height, width))


class Classifier(nn.Linear):
    """The layer that gives the logits: always fp32, or they would have eight bits and many ties."""

    def forward(self, features_bf: Tensor) -> Tensor:
        """Return logits (b, k)."""
        with torch.autocast(features_bf.device.type, enabled=False):
            return super().forward(features_bf.to(self.weight.dtype))


def flatten(maps_bchw: Tensor) -> Tensor:
    """Return maps as vectors (b, h·w·c), in the order that channels_last has in memory: no copy."""
    return maps_bchw.permute(0, 2, 3, 1).flatten(1)


class Fusion(nn.Module, ABC):
    """A classifier of paired inputs. A subclass says where and how they meet.

    Attributes
    ----------
    strategy : str
        Where the inputs meet, as the comparison table says it.
    inputs : tuple of str
        Which of "rgb" and "lidar" the model reads.
    channels : int
        Of a stem's maps.
    map_size : (int, int)
        Height and width of a stem's maps.
    """

    strategy: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]] = ("rgb", "lidar")

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.precision = spec.precision
        stems = {name: build_stem(spec, read) for name, read in self.encoded().items()}
        # The same names in every fusion: initial weights are a function of seed and name.
        self.stems = nn.ModuleDict(stems)
        any_stem = next(iter(stems.values()))
        self.channels, self.map_size = any_stem.channels, any_stem.map_size

    @classmethod
    def encoded(cls) -> dict[str, tuple[str, ...]]:
        """Return the inputs that each stem reads, by the stem's name: a stem for each input."""
        return {name: (name,) for name in cls.inputs}

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return logits (b, k) for inputs of shape (b, 4, h, w), by name."""
        with arithmetic(self.precision, inputs[self.inputs[0]].device):
            return self.classify(
                [
                    self.stems[name](_beside([inputs[each] for each in read]))
                    for name, read in self.encoded().items()
                ]
            )

    @abstractmethod
    def classify(self, maps: list[Tensor]) -> Tensor:
        """Return logits (b, k) from the stems' maps, each (b, channels, *map_size)."""


def _beside(maps: list[Tensor]) -> Tensor:
    """Return the channels of all maps, side by side."""
    return maps[0] if len(maps) == 1 else torch.cat(maps, dim=1)


class IntermediateFusion(Fusion):
    """Maps of the stems are fused to one, which one head classifies.

    The head: halve, 3×3 convolution to 128 channels, ReLU, halve, flatten, linear.
    """

    strategy = "intermediate"

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        height, width = self.map_size
        self.head = ConvBlock(self.fused_channels(), HEAD_CHANNELS)
        self.classifier = Classifier(HEAD_CHANNELS * (height // 4) * (width // 4), spec.classes)

    def fused_channels(self) -> int:
        """Return how many channels `fuse` gives."""
        return self.channels

    @abstractmethod
    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return one map from the stems' maps, in the order of `encoded`."""

    def classify(self, maps: list[Tensor]) -> Tensor:
        """Return logits (b, k)."""
        return self.classify_halved(F.max_pool2d(self.fuse(*maps), 2))

    def classify_halved(self, fused_bchw: Tensor) -> Tensor:
        """Return logits (b, k) from the fused map, halved, by the rest of the head."""
        logits_bk: Tensor = self.classifier(flatten(self.head(fused_bchw)))
        return logits_bk


def fusion_class(name: str) -> type[Fusion]:
    """Return the class that fusions/<name>.py holds.

    Raises
    ------
    ParamsError
        There is no such file, or it does not hold exactly one fusion.
    """
    fusion: type[Fusion] = FUSIONS.load(name, Fusion)
    return fusion


def build(spec: ModelSpec) -> Fusion:
    """Return an untrained model with torch's own initial weights; see `weights.initialize`."""
    return fusion_class(spec.fusion)(spec)


@torch.inference_mode()
def predict(model: Fusion, inputs: PartInputs, batch_size: int) -> Tensor:
    """Return logits (N, k), float32, on the model's device."""
    model.eval()
    batches = inputs.batches(torch.arange(len(inputs)), batch_size)
    return torch.cat([model(maps) for maps, _labels in batches])
