"""How a fusion is trained: section `train`, and the file of settings that stage check writes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from fusebench.config import AsTuple, Off, Section, from_settings
from fusebench.device import WantedPrecision
from fusebench.files import read_json
from fusebench.inputs.lidar import LidarParams


class TrainParams(Section):
    """Section `train`. One fusion may have values of its own: see `params.effective_train`."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AsTuple] = Field(min_length=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0, le=10)
    weight_decay: Annotated[float, Off(0.0)] = Field(ge=0, le=1)
    schedule: Annotated[Literal["constant", "cosine"], Off("constant")]
    class_weights: Annotated[Literal["none", "balanced"], Off("none")]
    pooling: Literal["max", "strided"]
    precision: WantedPrecision

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{list(seeds)}: each seed may be listed once")
        return seeds


def read_settings(path: Path) -> tuple[TrainParams, LidarParams]:
    """Return what checked/settings/<fusion>.json holds.

    Raises
    ------
    ArtifactError, ParamsError
        The file is missing, or holds a value that is not allowed.
    """
    content = read_json(path)
    train = from_settings(TrainParams, content.get("train"), f"{path}: train")
    return train, from_settings(LidarParams, content.get("lidar"), f"{path}: lidar")
