"""What may go wrong with a sensor: the contract of a corruption, and samples that it befell.

A corruption is a file in corruptions/, found by its name. It changes what one sensor recorded,
before anything is made of it, so that every fusion meets the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.errors import ParamsError
from fusebench.inputs.lidar import LidarGeometry
from fusebench.registry import Registry
from fusebench.samples.samples import Rows, Samples
from fusebench.sealed import file_digest
from fusebench.seeds import derive_seed

Sensor = Literal["rgb", "lidar"]
Reading = npt.NDArray[Any]
"""What a sensor recorded of a sample: an image (H, W, 3), uint8, or ranges (h, w), float32, in
metres."""

SEVERITIES = 4
"""How many amounts a corruption has; severity 0 is the sample as it was recorded."""
# Rows of tables, and a picture, have the others.
CORRUPTIONS = Registry("corruptions", "corruption", ("all", "clean", "robustness"))


@dataclass(frozen=True)
class Recording:
    """What is to be corrupted.

    Attributes
    ----------
    reading : array
        Not to be changed in place.
    geometry : LidarGeometry
        Of the sensors.
    draw : numpy Generator
        All randomness of the corruption.
    another : callable
        Draws another sample and returns what the same sensor recorded of it.
    """

    reading: Reading
    geometry: LidarGeometry
    draw: np.random.Generator
    another: Callable[[], Reading]


class Corruption(ABC):
    """What may go wrong with a sensor, more or less.

    Attributes
    ----------
    sensor : {"rgb", "lidar"}
        The one whose recordings it changes.
    label : str
        In sentences and pictures.
    amount : str
        What the amounts say, for pictures: "standard deviation".
    unit : str
        Of the amounts.
    severities : tuple of 4 floats
        Amounts, growing; the last is meant to hurt.
    of_samples : bool
        Whether an amount is a share of samples that it befalls as a whole. Of training samples it
        then befalls those that are drawn, always at its last amount.
    """

    sensor: ClassVar[Sensor]
    label: ClassVar[str]
    amount: ClassVar[str]
    unit: ClassVar[str]
    severities: ClassVar[tuple[float, float, float, float]]
    of_samples: ClassVar[bool] = False

    @abstractmethod
    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return what the sensor records instead, with shape and type of the reading."""


@cache
def corruption_of(name: str) -> Corruption:
    """Return the corruption that corruptions/<name>.py holds.

    Raises
    ------
    ParamsError
        There is no such file, it does not hold exactly one, or its severities are no four
        growing amounts.
    """
    kind: type[Corruption] = CORRUPTIONS.load(name, Corruption)
    amounts = list(kind.severities)
    if len(amounts) != SEVERITIES or amounts != sorted(set(amounts)):
        raise ParamsError(
            f"corruptions/{name}.py: severities = {tuple(amounts)}: must be {SEVERITIES}, each "
            "larger than the one before"
        )
    return kind()


def code_of(name: str) -> str:
    """Return what names the code of a corruption, as `sealed.file_digest`."""
    return file_digest(CORRUPTIONS.path(name))


@dataclass(frozen=True)
class Condition:
    """A corruption at one of its amounts; severity 0: none.

    Attributes
    ----------
    corruption : str
        Its name.
    severity : int
        0 to 4.
    """

    corruption: str
    severity: int

    @property
    def amount(self) -> float:
        """The amount, in the corruption's unit."""
        if not self.severity:
            return 0.0
        return corruption_of(self.corruption).severities[self.severity - 1]

    def befall(self, recording: Recording) -> Reading:
        """Return what the sensor records under it."""
        return corruption_of(self.corruption).corrupt(recording, self.amount)


def corrupted(
    samples: Samples,
    rows: pd.DataFrame,
    chosen: Sequence[Sequence[Condition]],
    seeds: Sequence[str],
    pool: pd.DataFrame | None = None,
) -> Samples:
    """Return some samples, in memory, with what befell each of them.

    Parameters
    ----------
    rows : DataFrame
        Some of `samples.table`.
    chosen : sequence of sequences of Condition, one per row
        In the order in which they are applied.
    seeds : sequence of str
        Words that, with the content of a sample and the condition, decide all draws.
    pool : DataFrame, optional
        Some of `samples.table`: those of which one is "another sample"; by default `rows`.

    Returns
    -------
    Samples
        Only these, in the order of `rows`; `row` counts them from 0.
    """
    at = rows["row"].to_numpy()
    others = at if pool is None else pool["row"].to_numpy()
    read: Mapping[str, Callable[[Rows], Reading]] = {
        "rgb": samples.images, "lidar": samples.ranges,
    }  # fmt: skip
    # Copies: rows are taken by their numbers.
    made = {sensor: readings(at) for sensor, readings in read.items()}
    geometry = LidarGeometry.of(samples)
    for place, (digest, conditions) in enumerate(zip(rows["digest"], chosen, strict=True)):
        for condition in filter(_befalls, conditions):
            sensor = corruption_of(condition.corruption).sensor
            words = (*seeds, condition.corruption, condition.severity, digest)
            draw = np.random.default_rng(derive_seed("corruption", *words))
            another = partial(_another, read[sensor], int(at[place]), others, draw)
            recording = Recording(made[sensor][place], geometry, draw, another)
            made[sensor][place] = condition.befall(recording)
    table = rows.reset_index(drop=True).assign(row=np.arange(len(rows)))
    return Samples(
        made["rgb"], made["lidar"], samples.azimuth, samples.zenith, table, samples.dataset
    )


def _befalls(condition: Condition) -> bool:
    return condition.severity > 0


def _another(
    read: Callable[[Rows], Reading],
    own: int,
    others: npt.NDArray[np.integer],
    draw: np.random.Generator,
) -> Reading:
    """Return what was recorded of another sample, each as likely; of one alone, its own."""
    row = own
    while row == own and (others != own).any():
        row = int(draw.choice(others))
    reading: Reading = read([row])[0]
    return reading
