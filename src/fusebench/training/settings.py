"""How a fusion is trained: section `train`, and the file of settings that stage check writes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fusebench.config import AsTuple, Off, Section, Seeds, from_settings
from fusebench.device import WantedPrecision
from fusebench.errors import REMEDY, ArtifactError, ParamsError
from fusebench.files import read_json
from fusebench.inputs.corruption import CORRUPTIONS
from fusebench.inputs.lidar import LidarParams
from fusebench.models.settings import ModelSettings


class Augmentation(Section):
    """A corruption that befalls training samples, each with a probability."""

    corruption: Annotated[str, AfterValidator(CORRUPTIONS.checked)]
    probability: float = Field(gt=0, le=1)


def _once(listed: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    named = [each.corruption for each in listed]
    if len(set(named)) < len(named):
        raise ValueError(f"{named}: each corruption may be listed once")
    return listed


class TrainParams(Section):
    """Section `train`. One fusion may have values of its own: see `params.effective_train`."""

    seeds: Seeds = Field(min_length=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0, le=10)
    weight_decay: Annotated[float, Off(0.0)] = Field(ge=0, le=1)
    schedule: Annotated[Literal["constant", "cosine"], Off("constant")]
    class_weights: Annotated[Literal["none", "balanced"], Off("none")]
    augment: Annotated[tuple[Augmentation, ...], AsTuple, AfterValidator(_once), Off(())]
    pooling: Literal["max", "strided"]
    precision: WantedPrecision

    @property
    def probabilities(self) -> dict[str, float]:
        """How likely each corruption of `augment` befalls a training sample, by its name."""
        return {each.corruption: each.probability for each in self.augment}


def read_settings(path: Path) -> tuple[TrainParams, LidarParams, ModelSettings]:
    """Return what checked/settings/<fusion>.json holds.

    Raises
    ------
    ArtifactError
        The file is missing, or holds a value that is not allowed.
    """
    content = read_json(path)
    try:
        train = from_settings(TrainParams, content.get("train"), f"{path}: train")
        lidar = from_settings(LidarParams, content.get("lidar"), f"{path}: lidar")
        # Not there where all of it is off.
        model = from_settings(ModelSettings, content.get("model", {}), f"{path}: model")
    except ParamsError as error:
        # What stage check wrote was allowed.
        raise ArtifactError(f"{error}; {REMEDY}") from None
    return train, lidar, model
