"""How much is measured, and what is promised."""

from dataclasses import dataclass

FUSION = "concat"
SPLIT_SEED = 0
"""Whose train and val part every contestant gets; the seeds of a plan vary weights and order."""


@dataclass(frozen=True)
class Plan:
    """How often each thing is measured. The defaults take about six minutes on two cores.

    Attributes
    ----------
    seeds : tuple of int
        Trainings per contestant.
    rounds : int
        Epochs that every contestant makes with the first seed, whatever loss it has reached.
    epochs : int
        After so many without reaching `val_loss`, a training is given up.
    val_loss : float
        What a training is to reach, in nats per sample.
    stage_repeats : int
        Runs of each data stage, and of a `dvc repro` with nothing to do.
    start_repeats : int
        Starts of each script.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int = 7
    epochs: int = 12
    val_loss: float = 0.05
    stage_repeats: int = 3
    start_repeats: int = 5


# What this project promises on two cores; held or not, it is shown beside what was measured.
LIMITS = {
    "training ratio bf16": 2.5,
    "training ratio fp32": 1.4,
    "share of peak": 72.0,
    "synthesize seconds": 10.0,
    "extract seconds": 8.0,
    "extract MB": 600.0,
    "help seconds": 0.5,
    "start seconds": 1.5,
    "start ratio": 1.25,
    "no-op seconds": 2.0,
}
