"""How many groups of each stratum a stratified draw takes, so that parts are nested."""

import heapq
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fusebench.split.params import exact

Stratum = tuple[int, ...]
"""The labels that a group is drawn by, sorted: those of its samples, or of named groups one."""
Positions = npt.NDArray[np.int64]


def stratified_counts(
    strata: Sequence[Stratum], sizes: Sequence[int], free: Sequence[int], share: float
) -> Positions:
    """Return how many groups of each stratum a stratified draw takes.

    They are placed one after another, so that each beginning is stratified and smaller shares are
    nested in larger ones: class k is due for its m-th group when the share reaches (m − ½)/N_k of
    the N_k groups that hold it, and at that moment one of them is placed. Without groups of several
    classes each class gets its share to the nearest number; with groups of two classes it is within
    one, as long as there is something left to choose from. Groups are counted, whatever their size.

    Parameters
    ----------
    strata : sequence of Stratum
        Sorted.
    sizes, free : sequence of int
        How many groups of each stratum all samples make, and how many are left to draw from.
    share : float
        Of all samples, also of those that are not left any more.
    """
    pace = _Pace(strata, sizes)
    limit = math.floor(pace.unit * exact(share))
    waiting = {
        label: [number for number, of in enumerate(strata) if free[number] and label in of]
        for label in pace.due
    }
    taken = [0] * len(strata)
    queue = [(due, label) for label, due in pace.due.items()]
    heapq.heapify(queue)
    while queue and queue[0][0] <= limit:
        due, label = heapq.heappop(queue)
        if due != pace.due[label] or not waiting[label]:
            # It got a group since, or there is none left.
            continue
        chosen = pace.choose(waiting[label], label)
        pace.place(chosen)
        taken[chosen] += 1
        for other in set(strata[chosen]):
            heapq.heappush(queue, (pace.due[other], other))
            if taken[chosen] == free[chosen]:
                waiting[other].remove(chosen)
    return np.array(taken, np.int64)


class _Pace:
    """Keeps classes, and the strata of groups that hold them, in step with the growing share.

    Attributes
    ----------
    unit : int
        All shares are whole numbers of 1/unit, so that they are compared exactly.
    due : dict of int to int
        The share at which a class is due for its next group.
    """

    def __init__(self, strata: Sequence[Stratum], sizes: Sequence[int]) -> None:
        totals: Counter[int] = Counter()
        for stratum, size in zip(strata, sizes, strict=True):
            totals.update(dict.fromkeys(stratum, size))
        self.unit = 2 * math.lcm(*totals.values(), *sizes)
        self._strata = strata
        self._step = {label: self.unit // total for label, total in totals.items()}
        self._step_of_stratum = [self.unit // size for size in sizes]
        self.due = {label: step // 2 for label, step in self._step.items()}
        self._due_of_stratum = [step // 2 for step in self._step_of_stratum]

    def choose(self, strata: Sequence[int], label: int) -> int:
        """Return which stratum to place, of some that hold the class `label`, which is due.

        Best is one that puts no class a group ahead; then one whose own turn comes before the
        class is due again; of those the one that binds most classes, since the strata with fewer
        can still even out what it leaves.
        """
        if len(strata) == 1:
            return strata[0]
        now = self.due[label]
        horizon = now + self._step[label]

        def rank(number: int) -> tuple[bool, bool, int, int, int]:
            stratum, turn = self._strata[number], self._due_of_stratum[number]
            ahead = any(self.due[k] - self._step[k] // 2 > now for k in stratum)
            return ahead, turn > horizon, -len(stratum), turn, number

        return min(strata, key=rank)

    def place(self, number: int) -> None:
        """Count a group of a stratum."""
        self._due_of_stratum[number] += self._step_of_stratum[number]
        for label in self._strata[number]:
            self.due[label] += self._step[label]
