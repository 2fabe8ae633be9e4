"""What LiDAR files hold, counted over many: sizes, extremes, and what may mean "no return"."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass
class Ranges:
    """What maps or points hold, of all that were opened.

    Attributes
    ----------
    shapes : Counter of tuple of int
        Of maps.
    cells : Counter of str
        Cells (or points) in all, and those that are zero, nan, inf or negative.
    largest : float
        The largest finite value, in the unit of the file.
    at_largest : int
        Cells that hold exactly this.
    files_at_largest : int
        Files that have such cells.
    lowest, highest : array of float64, shape (3,)
        Of points: the box around all.
    """

    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    largest: float = -np.inf
    at_largest: int = 0
    files_at_largest: int = 0
    lowest: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(3, np.inf))
    highest: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(3, -np.inf))

    def add_map(self, values: npt.NDArray[Any]) -> None:
        """Count a map."""
        self.shapes[values.shape] += 1
        self._add(values.astype(np.float64))

    def add_points(self, points: npt.NDArray[np.float64]) -> None:
        """Count a file of points, (n, 3)."""
        known = points[~np.isnan(points).any(axis=1)]
        if len(known):
            self.lowest = np.minimum(self.lowest, known.min(axis=0))
            self.highest = np.maximum(self.highest, known.max(axis=0))
        self._add(np.sqrt((known**2).sum(axis=1)))

    def _add(self, values: npt.NDArray[np.float64]) -> None:
        finite = values[np.isfinite(values)]
        self.cells.update(
            all=values.size, zero=int((values == 0).sum()), nan=int(np.isnan(values).sum()),
            inf=int(np.isposinf(values).sum()), negative=int((values < 0).sum()),
        )  # fmt: skip
        largest = float(finite.max(initial=-np.inf))
        if largest > self.largest:
            self.largest, self.at_largest, self.files_at_largest = largest, 0, 0
        if largest == self.largest and len(finite):
            self.at_largest += int((finite == largest).sum())
            self.files_at_largest += 1
