"""What is run and compared: cells, ceilings, planned contrasts. All of it is declared here.

A cell is one task with one set of params, for several fusions and seeds. To change a number of a
cell is to run it anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fusebench.config import PARAMS_FILE, load
from fusebench.params import Params
from fusebench.synthetic.task import TASKS, task_of
from studies.common.errors import StudyError

SOLVED = 90.0
"""Balanced accuracy, in %, from which on a seed counts as having solved its task."""
CHANCE = 50.0
"""Balanced accuracy, in %, of an answer that does not look at the sample."""
IMAGE_SIZE = 32
"""Height and width of images and maps, in pixels, as data/small.yaml has them."""
REACHED = 95.0
"""Balanced accuracy, in %, that some fusion is meant to reach in each task."""
NEAR = 2.0
"""Points that a single sensor may be from its ceiling."""

SINGLE = ("rgb_only", "lidar_only")
"""Fusions that see one sensor."""
FUSIONS = (
    "early", "concat", "add", "hadamard", "gated", "film", "low_rank_bilinear", "cross_attention",
    "bottleneck", "late", "late_matched", *SINGLE,
)  # fmt: skip

CEILINGS: Mapping[str, Mapping[str, float]] = {
    name: {f"{sensor}_only": ceiling for sensor, ceiling in task_of(name).ceilings.items()}
    for name in TASKS.names()
}
"""Of each task: the highest balanced accuracy, in %, that a single sensor allows."""

_SUM = (
    "its logits are a sum of one term per sensor, and no such sum has the sign of an exclusive-or"
)
NOTES: Mapping[tuple[str, str], str] = {
    ("xor", "late_matched"): _SUM,
    ("nearest", "late_matched"): f"{_SUM}, which this is for any two places: red and near in one",
    ("match", "late_matched"): f"{_SUM}, which this is for any two places: seen by both in one",
}
"""By task and fusion: why a fusion cannot express a task. Facts about formulas, not results."""

# What every cell has in common, by keys of params.yaml: all that decides a result and no cell sets,
# so that nothing depends on what the file says. One thread for each of the seeds that are trained
# beside each other: the maps are small.
_COMMON = {
    "data.archive": "data/demo.zip", "data.sensors": "data/small.yaml", "data.classes": "auto",
    "data.positive": "auto", "synthesize.seed": 0, "synthesize.difficulty.gap": 4.0,
    "synthesize.difficulty.objects": 2, "synthesize.difficulty.noise": 0.0,
    "split.holdout": 0.0, "split.group": "id", "split.draws": "per_seed", "split.seed": 0,
    "lidar.projection": "spherical", "lidar.normalize": "true", "train.weight_decay": 0.0,
    "train.schedule": "constant", "train.class_weights": "none", "train.pooling": "max",
    "train.precision": "auto", "runtime.threads": 1, "runtime.portable": "false",
    "runtime.stacked": "false",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One task with one set of params.

    Attributes
    ----------
    task : str
        As `synthesize.task`.
    align : str
        As `lidar.align`.
    seeds : int
        How many: 0, 1, 2, …
    epochs, batch_size, lr
        As in section `train`.
    train, val, test : float
        Shares of all pairs, as in section `split`.
    count : int
        Samples of each class of the demonstration archive.
    fusions : tuple of str
    probe : str
        Name of the cell of which this is a probe: some of its fusions with longer training or
        another rate, which tells failure of training from failure of what a fusion can express.
        Empty: this is no probe.
    tag : str
        What the name of a probe ends with; empty in other cells.
    """

    task: str
    align: str = "none"
    seeds: int = 8
    epochs: int = 30
    batch_size: int = 32
    lr: float = 0.001
    train: float = 0.2
    val: float = 0.05
    test: float = 0.3
    count: int = 5000
    fusions: tuple[str, ...] = FUSIONS
    probe: str = ""
    tag: str = ""

    @property
    def name(self) -> str:
        """What the cell is called: "nearest", "nearest-camera", and a probe "nearest-long"."""
        align = "" if self.align == "none" else self.align
        return "-".join(filter(None, (self.task, align, self.tag)))

    @property
    def is_synergy(self) -> bool:
        """Whether no single sensor tells anything of the class."""
        return all(ceiling == CHANCE for ceiling in CEILINGS[self.task].values())

    @property
    def _counts(self) -> str:
        classes = task_of(self.task).classes
        return f"{{{', '.join(f'{name}: {self.count}' for name in classes)}}}"

    @property
    def overrides(self) -> tuple[str, ...]:
        """What `-S` of DVC takes: each a key of params.yaml with its value."""
        values: dict[str, object] = {
            "synthesize.task": self.task,
            "synthesize.counts": self._counts,
            **_COMMON,
            "fusion": self.fusions[0],
            "fusions": _listed(self.fusions),
            "lidar.align": self.align,
            "split.train": self.train,
            "split.val": self.val,
            "split.test": self.test,
            "train.seeds": _listed(range(self.seeds)),
            "train.epochs": self.epochs,
            "train.batch_size": self.batch_size,
            "train.lr": self.lr,
        }  # fmt: skip
        return tuple(f"{key}={value}" for key, value in values.items())


def check_params() -> None:
    """Refuse params of which a part that cells do not set would decide a result.

    Raises
    ------
    StudyError
        A fusion has settings of its own, or another stem than the notebook's; training samples are
        corrupted; or data lie in another way than the demonstration's.
    """
    params = load(PARAMS_FILE, Params)
    own = [
        f"override.{name}.{key}"
        for name, override in params.override.items()
        for key, value in (override or {}).items()
        if value is not None
    ]
    if own:
        raise StudyError(f"{PARAMS_FILE}: {own[0]} is set; all fusions are to be trained alike")
    if params.model.stem != "notebook":
        raise StudyError(
            f"{PARAMS_FILE}: model.stem = '{params.model.stem}': must be notebook for this study"
        )
    if params.data.layout != "class_folders":
        raise StudyError(
            f"{PARAMS_FILE}: data.layout = '{params.data.layout}': must be class_folders for this "
            "study"
        )
    if params.train.augment:
        named = list(params.train.probabilities)
        raise StudyError(f"{PARAMS_FILE}: train.augment names {named}: must be [] for this study")


def _listed(values: Sequence[object]) -> str:
    return f"[{','.join(map(str, values))}]"


# Fusions that fail in their cell in most seeds or in all, with four times the epochs.
PROBES: tuple[Cell, ...] = (
    Cell(
        task="xor", fusions=("film", "late"), epochs=32, seeds=3, probe="xor", tag="long",
    ),
    Cell(
        task="nearest", fusions=("low_rank_bilinear", "late"), epochs=32, seeds=3,
        probe="nearest", tag="long",
    ),
)  # fmt: skip

CELLS: tuple[Cell, ...] = (
    Cell(task="shape", seeds=5, epochs=12),
    Cell(task="colour", seeds=5, epochs=2),
    Cell(task="range", seeds=5, epochs=2),
    Cell(task="xor", epochs=8),
    Cell(task="nearest", epochs=8),
    Cell(task="nearest", align="camera", epochs=8),
    Cell(task="match", epochs=4),
    *PROBES,
)
"""In the order in which they are run and shown."""

# Few: of eight seeds an exact paired test has p = 0.0078 at best, and after Holm over five 0.039.
_PLANNED = (
    ("concat", "late_matched"),
    ("hadamard", "concat"),
    ("early", "concat"),
    ("cross_attention", "concat"),
    ("film", "concat"),
)
_ALIGNED = ("nearest-camera", "nearest")
_ALIGNED_FUSIONS = ("early", "concat", "hadamard", "cross_attention")


class Planned(NamedTuple):
    """Two fusions, or one in two cells, that are compared.

    Attributes
    ----------
    family : str
        Contrasts that Holm's correction is over together, for each test by itself.
    first_cell, second_cell : str
        Names of cells; the same where two fusions are compared.
    """

    family: str
    first_cell: str
    first: str
    second_cell: str
    second: str

    @property
    def is_of_alignment(self) -> bool:
        """Whether one fusion is compared in two cells."""
        return self.first_cell != self.second_cell


def planned(cells: Sequence[Cell] = CELLS) -> Iterator[Planned]:
    """Yield the planned contrasts: within each cell of synergy, then of what alignment changes."""
    for cell in cells:
        if cell.is_synergy and not cell.probe:
            for first, second in _PLANNED:
                yield Planned(cell.name, cell.name, first, cell.name, second)
    after, before = _ALIGNED
    if {after, before} <= {cell.name for cell in cells}:
        for fusion in _ALIGNED_FUSIONS:
            yield Planned(f"{after}/{before}", after, fusion, before, fusion)
