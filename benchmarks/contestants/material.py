"""What every contestant works on: the same samples, split and settings."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.plan import SPLIT_SEED
from fusebench.config import PARAMS_FILE, load_section
from fusebench.errors import ArtifactError
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.manifest import read_manifest
from fusebench.samples.samples import SampleRow, Samples, open_samples
from fusebench.training.settings import TrainParams

SAMPLES = Path("data/samples")
MANIFEST = Path("data/split.csv")


@dataclass(frozen=True)
class Material:
    """Samples of one split, and how models are trained on them."""

    samples: Samples
    train: list[SampleRow]
    val: list[SampleRow]
    lidar: LidarParams
    settings: TrainParams

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        height, width = self.samples.rgb.shape[1:3]
        return height, width


def check_material() -> None:
    """Raise ArtifactError if there are no samples, or no split of them, in this project."""
    for path in (SAMPLES, MANIFEST):
        if not path.exists():
            raise ArtifactError(f"{path}: no such file; 'dvc repro split' makes it")


def read_material() -> Material:
    """Return what stages extract and split wrote into this project.

    Raises
    ------
    ArtifactError
        Something is missing or broken.
    """
    check_material()
    samples, manifest = open_samples(SAMPLES), read_manifest(MANIFEST)
    manifest.check_rows(samples.rows)
    train, val = (manifest.rows_of(SPLIT_SEED, part) for part in ("train", "val"))
    lidar = load_section(PARAMS_FILE, "lidar", LidarParams)
    return Material(samples, train, val, lidar, load_section(PARAMS_FILE, "train", TrainParams))
