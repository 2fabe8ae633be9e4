"""Encoders of torchvision as stems: cut where they are, and started from stored weights.

torchvision is imported only when a model asks for one of them. Nothing is ever downloaded.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fusebench.errors import ArtifactError
from fusebench.inputs.inputs import CHANNELS
from fusebench.models.base import Fusion, ModelSpec, Stem
from fusebench.models.settings import STEMS, ModelSettings, StemName, weights_path
from fusebench.sealed import file_digest

# Of the red, green and blue of ImageNet: what torchvision's weights were trained with.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The convolution that reads the input.
_FIRST = {"resnet18": "conv1", "mobilenet_v3_small": "features.0.0"}
# torch's own. torchvision's 0.01 for MobileNetV3 is for epochs of thousands of steps: after the few
# hundred steps of a training here, val would still be normalised by what the means began with.
_MOMENTUM = 0.1
_COUNTER = "num_batches_tracked"


class Normalize(nn.Module):
    """(x - mean) / deviation of each channel; of channels that are no image's, x.

    Parameters
    ----------
    read : sequence of str
        The inputs whose channels are side by side.
    """

    mean_c11: Tensor
    deviation_c11: Tensor

    def __init__(self, read: tuple[str, ...]) -> None:
        super().__init__()
        mean, deviation = torch.zeros(len(read) * CHANNELS), torch.ones(len(read) * CHANNELS)
        mean[_image(read)], deviation[_image(read)] = torch.tensor(MEAN), torch.tensor(DEVIATION)
        # Not among the weights: they are the same for every model.
        self.register_buffer("mean_c11", mean[:, None, None], persistent=False)
        self.register_buffer("deviation_c11", deviation[:, None, None], persistent=False)

    def forward(self, maps_bchw: Tensor) -> Tensor:
        """Return the normalised maps."""
        return (maps_bchw - self.mean_c11) / self.deviation_c11


def _image(read: tuple[str, ...]) -> slice:
    """Return the channels of red, green and blue; the image's fourth channel is none of them."""
    first = read.index("rgb") * CHANNELS
    return slice(first, first + len(MEAN))


def encoder(spec: ModelSpec, read: tuple[str, ...]) -> Stem:
    """Return the stem that a spec names, untrained, for the channels of some inputs side by side.

    An image's red, green and blue are normalised first, whether there are stored weights or not.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016: ResNet-18, up to its
    second group of blocks. Howard et al., "Searching for MobileNetV3", ICCV 2019: the small one, up
    to its eighth block.
    """
    kind = STEMS[spec.stem]
    height, width = spec.image_size
    for _ in range(kind.halvings):
        height, width = -(-height // 2), -(-width // 2)
    layers = _layers(spec.stem, len(read) * CHANNELS)
    normalize = {"normalize": Normalize(read)} if "rgb" in read else {}
    return Stem({**normalize, **layers}, kind.channels, (height, width))


def _layers(stem: StemName, channels: int) -> dict[str, nn.Module]:
    """Return the layers of an encoder by torchvision's names, with torch's own initial weights."""
    from torchvision import models

    # Without memory: most of its weights are of layers that are cut off.
    with torch.device("meta"):
        network: nn.Module = getattr(models, stem)(weights=None)
        first = network.get_submodule(_FIRST[stem])
        assert isinstance(first, nn.Conv2d)  # noqa: S101
        # Three in the library.
        first.in_channels = channels
        first.weight = nn.Parameter(first.weight[:, :1].repeat(1, channels, 1, 1))
    if stem == "resnet18":
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")
        layers = {name: network.get_submodule(name) for name in names}
    else:
        blocks = list(network.get_submodule("features").children())
        layers = {"features": nn.Sequential(*blocks[:9])}
    for layer in layers.values():
        layer.to_empty(device="cpu")
        for part in layer.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = _MOMENTUM
            if isinstance(part, nn.Conv2d | nn.BatchNorm2d):
                part.reset_parameters()
    return layers


def check_weights(settings: ModelSettings) -> None:
    """Refuse a file that does not hold the weights of the stem.

    Raises
    ------
    ArtifactError
        As `load_weights`.
    """
    if settings.weights is None:
        return
    stem = encoder(ModelSpec("", 2, (64, 64), "max", "fp32", settings.stem), ("rgb",))
    _read(settings, stem)


def load_weights(model: Fusion, settings: ModelSettings) -> None:
    """Let the stem that reads the image start from stored weights; the others stay as they are.

    Its first convolution has the file's weights for red, green and blue and 0 for all other
    channels: the image's fourth, which is empty, and in early fusion those of the LiDAR map.

    Raises
    ------
    ArtifactError
        The file is missing, broken, of another network, or not the one that stage check read.
    """
    if settings.weights is None:
        return
    for name, read in model.encoded().items():
        if "rgb" in read:
            stem = model.stems[name]
            assert isinstance(stem, Stem)  # noqa: S101
            first = f"{_FIRST[settings.stem]}.weight"
            stored = _read(settings, stem)
            wide = torch.zeros_like(stem.state_dict()[first])
            wide[:, _image(read)] = stored[first]
            stem.load_state_dict({**stem.state_dict(), **stored, first: wide})


def _read(settings: ModelSettings, stem: Stem) -> dict[str, Tensor]:
    """Return the tensors of a file that a stem has, checked; the first convolution's as stored."""
    path = weights_path(settings.weights or "")
    wanted = {name: tensor.shape for name, tensor in stem.state_dict().items()}
    first = f"{_FIRST[settings.stem]}.weight"
    wanted[first] = torch.Size((wanted[first][0], len(MEAN), *wanted[first][2:]))
    try:
        if file_digest(path) != settings.digest:
            raise ArtifactError(
                f"{path}: not the file that stage check read; 'dvc repro -s -f check' reads it anew"
            )
        return _tensors(path, wanted)
    except (OSError, SafetensorError, _UnfitError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ArtifactError(
            f"{path}: not the weights of torchvision's {settings.stem} ({reason}); model.weights "
            "must name a safetensors file of them, as docs/encoders.md tells, or be empty"
        ) from None


class _UnfitError(Exception):
    """A file does not hold what is wanted of it."""


def _tensors(path: Path, wanted: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        stored = set(file.keys())
        _check_names(wanted, stored)
        tensors = {name: file.get_tensor(name) for name in wanted if name in stored}
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name]:
            shapes = " is ".join(str(list(shape)) for shape in (tensor.shape, wanted[name]))
            raise _UnfitError(f"'{name}' has the shape {shapes.replace(' is ', ', not ')}")
        if not torch.isfinite(tensor).all():
            raise _UnfitError(f"'{name}' holds what is no number")
    return tensors


def _check_names(wanted: Iterable[str], stored: set[str]) -> None:
    # How many batches a mean is of is in newer files only, and decides nothing.
    missing = [name for name in wanted if name not in stored and not name.endswith(_COUNTER)]
    if missing:
        raise _UnfitError(f"it has no '{missing[0]}'")
