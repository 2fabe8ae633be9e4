"""model.json: what rebuilds the models of a fusion and says what they were trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fusebench.config import validate
from fusebench.errors import ArtifactError, ParamsError
from fusebench.files import read_json, write_json
from fusebench.inputs.lidar import LidarParams
from fusebench.models.base import ModelSpec

FILE = "model.json"
SCHEMA = 2
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
    """

    best_epoch: int
    train_counts: Mapping[str, int]


@dataclass(frozen=True)
class Description:
    """All that a model folder says beside the weights.

    Attributes
    ----------
    settings : mapping of str to Any
        Params of the training but its seeds, with what `override` changed; `precision` is what it
        came to.
    environment : mapping of str to (str or int)
        Device, threads and versions that trained: what the last bits depend on.
    """

    spec: ModelSpec
    lidar: LidarParams
    classes: tuple[str, ...]
    seeds: Mapping[int, SeedDescription]
    settings: Mapping[str, Any]
    environment: Mapping[str, str | int]

    def write(self, folder: Path) -> None:
        """Write model.json into a folder."""
        content = {
            "schema": SCHEMA,
            "spec": asdict(self.spec),
            "lidar": self.lidar.model_dump(),
            "classes": list(self.classes),
            "seeds": {str(seed): asdict(described) for seed, described in self.seeds.items()},
            "settings": dict(self.settings),
            "environment": dict(self.environment),
        }
        write_json(folder / FILE, content)

    @classmethod
    def read(cls, folder: Path) -> "Description":
        """Return what model.json in a folder says.

        Raises
        ------
        ArtifactError
            The file is missing, broken, or lacks something.
        """
        path = folder / FILE
        content = read_json(path)
        if content.get("schema") != SCHEMA:
            raise ArtifactError(f"{path}: of another version of fusebench; 'dvc repro' trains anew")
        try:
            return cls(
                ModelSpec.parse(content["spec"]),
                validate(LidarParams, content["lidar"], str(path)),
                tuple(content["classes"]),
                {int(seed): SeedDescription(**stored) for seed, stored in content["seeds"].items()},
                dict(content["settings"]),
                dict(content["environment"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, ParamsError) as error:
            raise ArtifactError(f"{path}: {error}; 'dvc checkout' mends it") from None
