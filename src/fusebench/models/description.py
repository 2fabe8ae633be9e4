"""model.json: what rebuilds the models of a fusion and says what they were trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from fusebench.config import AsTuple, Off, Section, Size
from fusebench.errors import REMEDY, ArtifactError
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import ModelSpec
from fusebench.models.settings import StemName
from fusebench.samples.samples import Dataset, StoredDataset
from fusebench.sealed import (
    check_file,
    check_names,
    checked,
    file_digest,
    read_sealed,
    write_sealed,
)

FILE = "model.json"
SCHEMA = 4
"""Version of model.json. It rises when a reader of an earlier one would misread the file."""


@dataclass(frozen=True)
class SeedDescription:
    """What is particular to one seed.

    Attributes
    ----------
    best_epoch : int
        The epoch whose weights were kept, from 1.
    train_counts : mapping of str to int
        Samples of each class in the training part.
    weights : str or None
        Digest of the file of weights; None: not stored yet.
    """

    best_epoch: int
    train_counts: Mapping[str, int]
    weights: str | None = None


class _Spec(Section):
    """A `ModelSpec` as it is stored."""

    fusion: str
    classes: int = Field(ge=2)
    image_size: Size
    pooling: Literal["max", "strided"]
    precision: Literal["fp32", "bf16"]
    # Left out where it is this one: files from before there were others stay as they are.
    stem: Annotated[StemName, Off("notebook")] = "notebook"


Radians = Annotated[tuple[float, ...], AsTuple]


class _Seed(Section):
    """A `SeedDescription` as it is stored."""

    best_epoch: int = Field(ge=1)
    train_counts: dict[str, Annotated[int, Field(ge=0)]]
    weights: str


class _Stored(Section):
    """model.json, its schema and digest left out."""

    spec: _Spec
    lidar: LidarParams
    dataset: StoredDataset
    azimuth: Radians
    zenith: Radians
    seeds: dict[Annotated[str, Field(pattern=r"^\d+$")], _Seed] = Field(min_length=1)
    # Section has a method of that name.
    trained_with: dict[str, Any] = Field(alias="settings")


@dataclass(frozen=True)
class Description:
    """All that a model folder says beside the weights.

    Attributes
    ----------
    dataset : Dataset
        What the samples were that it was trained on.
    azimuth, zenith : tuple of float
        Angles of their LiDAR maps, radians: what new samples are projected by.
    settings : mapping of str to Any
        Params of the training but its seeds, with what `override` changed; `precision` is what it
        came to.
    """

    spec: ModelSpec
    lidar: LidarParams
    dataset: Dataset
    azimuth: tuple[float, ...]
    zenith: tuple[float, ...]
    seeds: Mapping[int, SeedDescription]
    settings: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is a position in it."""
        return self.dataset.classes

    def write(self, folder: Path) -> None:
        """Write model.json into a folder that holds the weights of all its seeds."""
        content = {
            "schema": SCHEMA,
            "spec": _Spec(**asdict(self.spec)).settings(),
            "lidar": self.lidar.model_dump(),
            "dataset": StoredDataset.of(self.dataset).model_dump(mode="json"),
            "azimuth": list(self.azimuth),
            "zenith": list(self.zenith),
            "seeds": {
                str(seed): {**asdict(described), "weights": file_digest(folder / _weights(seed))}
                for seed, described in self.seeds.items()
            },
            "settings": dict(self.settings),
        }
        write_sealed(folder / FILE, content)

    @classmethod
    def read(cls, folder: Path) -> "Description":
        """Return what model.json in a folder says.

        Raises
        ------
        ArtifactError
            The file is missing or broken; or weights that it promises are not there, or others are.
        """
        path = folder / FILE
        content = read_sealed(
            path, SCHEMA, "of another version of fusebench; 'dvc repro' trains anew"
        )
        stored = checked(_Stored, content, path)
        dataset = stored.dataset.dataset(path)
        for name, angles, count in zip(
            ("azimuth", "zenith"),
            (stored.azimuth, stored.zenith),
            dataset.sensors.lidar.angle_counts,
            strict=True,
        ):
            if len(angles) != count:
                raise ArtifactError(
                    f"{path}: {name}: {len(angles)} angles; the sensor has {count}; {REMEDY}"
                )
        if stored.spec.classes != len(dataset.classes):
            raise ArtifactError(
                f"{path}: spec.classes = {stored.spec.classes}: there are {len(dataset.classes)} "
                f"classes; {REMEDY}"
            )
        seeds = {
            int(seed): SeedDescription(**described.model_dump())
            for seed, described in stored.seeds.items()
        }
        check_names(folder, "seed_*", [_weights(seed) for seed in seeds], FILE)
        spec = ModelSpec(**stored.spec.model_dump())
        return cls(
            spec, stored.lidar, dataset, stored.azimuth, stored.zenith, seeds, stored.trained_with
        )

    @classmethod
    def read_whole(cls, folder: Path) -> "Description":
        """Return what `read` does; raise ArtifactError if one of the weights is broken, too."""
        description = cls.read(folder)
        for seed, described in description.seeds.items():
            _check_weights(folder, seed, described)
        return description


def _weights(seed: int) -> str:
    return f"seed_{seed}.safetensors"


def _check_weights(folder: Path, seed: int, described: SeedDescription) -> None:
    check_file(folder / _weights(seed), described.weights or "", folder / FILE)


def load_seed(folder: Path, description: Description, seed: int, model: nn.Module) -> None:
    """Read the weights of a seed into a model.

    Raises
    ------
    ArtifactError
        They are missing, or not those that model.json was written for.
    """
    _check_weights(folder, seed, description.seeds[seed])
    weights.load(folder / _weights(seed), model)
