"""What is tried: the space, how many trials, and by which sampler. Declared before any is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fusebench.progress import Shows
from studies.common.errors import StudyError

TRIALS = 8
"""Of each fusion, the default among them."""
LR = (1e-4, 1e-2)
SCHEDULES = ("constant", "cosine")
SAMPLER_SEED = 0
# The first trials are the default and random ones; from then on the sampler makes use of them.
STARTUP = 4
SEEDS = tuple(range(10))
"""With which the chosen values are trained: those of make verdict."""


class Choice(NamedTuple):
    """What of `train` is chosen for a fusion."""

    lr: float
    schedule: str
    epochs: int

    @property
    def words(self) -> str:
        """How a line names it."""
        return f"lr {self.lr:g}, {self.schedule}, {self.epochs} epochs"


class Outcome(NamedTuple):
    """What came of a trial.

    Attributes
    ----------
    val_nll : float
        In nats, mean over val, in the epoch that is kept; NaN: training failed.
    best_epoch : int
        That epoch, from 1; 0: training failed.
    """

    val_nll: float
    best_epoch: int


@dataclass(frozen=True)
class Subject:
    """A fusion that is tuned.

    Attributes
    ----------
    fusion : str
    default : Choice
        The values of params.yaml.
    digest : str
        Names all else that decides what comes of a trial, but code and machine.
    train : callable
        Trains one seed with some values and tells what came of it on val.
    seconds : float
        Of an epoch, about; NaN: not known.
    """

    fusion: str
    default: Choice
    digest: str
    train: Callable[[Choice, Shows], Outcome]
    seconds: float = float("nan")


@dataclass(frozen=True)
class Space:
    """From what values are chosen, the same for every fusion.

    Attributes
    ----------
    epochs : (int, int)
        Those of params.yaml, and twice as many.
    lr : (float, float)
        Ends of the interval; the learning rate is drawn from it by its logarithm.
    """

    epochs: tuple[int, int]
    lr: tuple[float, float] = LR
    schedules: tuple[str, ...] = SCHEDULES

    @classmethod
    def around(cls, epochs: int) -> "Space":
        """Return the space for a project that trains so many epochs."""
        return cls((epochs, 2 * epochs))

    @property
    def declared(self) -> dict[str, Any]:
        """How metrics/tuning/tuning.json has it."""
        return {
            "lr": list(self.lr), "schedule": list(self.schedules), "epochs": list(self.epochs),
        }  # fmt: skip

    def check(self, subjects: Sequence[Subject]) -> None:
        """Refuse fusions whose default is not in the space, so that it could not be chosen.

        Raises
        ------
        StudyError
            There is one.
        """
        for subject in subjects:
            (lr, schedule, epochs), (low, high) = subject.default, self.lr
            where = f"params.yaml: {subject.fusion}"
            if not low <= lr <= high:
                raise StudyError(f"{where}: lr = {lr:g}: must be {low:g} to {high:g} to be tuned")
            if schedule not in self.schedules:
                allowed = " or ".join(self.schedules)
                raise StudyError(f"{where}: schedule = '{schedule}': must be {allowed} to be tuned")
            if epochs not in self.epochs:
                raise StudyError(
                    f"{where}: epochs = {epochs}: must be train.epochs ({self.epochs[0]}) or twice "
                    "that to be tuned"
                )
