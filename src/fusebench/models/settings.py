"""Section `model`: what encodes each input, and the weights that it starts from.

Without torch, so that stage check can refuse what does not fit.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import model_validator

from fusebench.config import PARAMS_FILE, Off, Section, shown
from fusebench.errors import ParamsError, one_line
from fusebench.sealed import file_digest

StemName = Literal["notebook", "resnet18", "mobilenet_v3_small"]


@dataclass(frozen=True)
class StemKind:
    """What is known of a stem without building it.

    Attributes
    ----------
    channels : int
        Of its maps.
    halvings : int
        How often it halves height and width.
    batch_norm : bool
        Whether it normalises by batches (Ioffe & Szegedy, ICML 2015).
    """

    channels: int
    halvings: int
    batch_norm: bool

    @property
    def smallest(self) -> int:
        """Least height and width of its inputs, in pixels: the head halves its maps twice more."""
        return 4 << self.halvings


STEMS: Mapping[StemName, StemKind] = {
    "notebook": StemKind(64, 2, batch_norm=False),
    "resnet18": StemKind(128, 3, batch_norm=True),
    "mobilenet_v3_small": StemKind(48, 4, batch_norm=True),
}


class ModelParams(Section):
    """Section `model`.

    Attributes
    ----------
    stem : str
        The encoder of each input.
    weights : str or None
        A safetensors file of torchvision's weights for it, from the root of the project.
    """

    stem: Annotated[StemName, Off("notebook")]
    weights: Annotated[str | None, Off(None)]

    @model_validator(mode="after")
    def _there_are_weights(self) -> Self:
        if self.stem == "notebook" and self.weights is not None:
            raise ValueError(
                f"weights = {shown(self.weights)}: must be empty while stem is 'notebook', for "
                "which torchvision has none"
            )
        return self

    def check_size(self, size: tuple[int, int], source: str) -> None:
        """Refuse inputs that are too small for the stem.

        Parameters
        ----------
        size : (int, int)
            Height and width of the inputs.
        source : str
            Where they are from, for the error.
        """
        least = STEMS[self.stem].smallest
        if min(size) < least:
            allowed = [name for name, kind in STEMS.items() if min(size) >= kind.smallest]
            raise ParamsError(
                f"{PARAMS_FILE}: model.stem = '{self.stem}': takes inputs of at least {least} × "
                f"{least}, and those of {source} are {size[0]} × {size[1]}; must be one of "
                f"{allowed} for these"
            )

    def with_digest(self) -> "ModelSettings":
        """Return the section with what names the content of the file of weights.

        Raises
        ------
        ParamsError
            There is no such file.
        """
        digest = None if self.weights is None else _digest(self.weights)
        return ModelSettings(stem=self.stem, weights=self.weights, digest=digest)


class ModelSettings(ModelParams):
    """Section `model`, as stage check writes it for the trainings.

    Attributes
    ----------
    digest : str or None
        As `sealed.file_digest` of `weights`.
    """

    digest: Annotated[str | None, Off(None)]

    @property
    def decisive(self) -> dict[str, str]:
        """What decides a training: of the file its content; nothing for the notebook's stem."""
        known = {"stem": self.stem, "weights": self.digest}
        return {} if self.stem == "notebook" else {key: it for key, it in known.items() if it}


NOTEBOOK = ModelSettings(stem="notebook", weights=None, digest=None)


def weights_path(named: str) -> Path:
    """Return where a file of weights is; for an experiment's folder, in the main checkout."""
    return Path(os.environ.get("DVC_ROOT", "")) / named


def _digest(named: str) -> str:
    try:
        return file_digest(weights_path(named))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParamsError(
            f"{PARAMS_FILE}: model.weights = {shown(named)}: {one_line(reason)}; must be a "
            "safetensors file, as docs/encoders.md tells, or empty"
        ) from None
