"""Simulations spread over processes: the same numbers, whatever their number."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fusebench.system import MOST_PROCESSES

# Studies simulated by one task: a process takes up the next when it is done.
_PIECE = 50


@dataclass(frozen=True)
class Job:
    """Studies of one circumstance.

    Attributes
    ----------
    simulate : callable
        Takes the arguments, how many studies, and how many come before; returns what comes of them,
        a list for each number of seeds. At the top level of a module, for other processes.
    arguments : tuple
    trials : int
    """

    simulate: Callable[..., list[list[Any]]]
    arguments: tuple[Any, ...]
    trials: int

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """How many studies each task simulates, and how many come before."""
        edges = [*range(0, self.trials, _PIECE), self.trials]
        return [(end - start, start) for start, end in pairwise(edges)]

    def run(self, trials: int, start: int) -> list[list[Any]]:
        """Simulate a piece."""
        return self.simulate(*self.arguments, trials, start)


def spread(jobs: Sequence[Job], workers: int) -> Iterator[list[list[Any]]]:
    """Yield what comes of each job, in order.

    Parameters
    ----------
    workers : int
        Processes; 1: this one.
    """
    if workers == 1:
        for job in jobs:
            yield _joined([job.run(*piece) for piece in job.pieces])
        return
    # Not forked: threads of numpy's libraries do not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, MOST_PROCESSES), mp_context=context) as pool:
        waiting = [[pool.submit(job.run, *piece) for piece in job.pieces] for job in jobs]
        for pieces in waiting:
            yield _joined([piece.result() for piece in pieces])


def _joined(pieces: Sequence[list[list[Any]]]) -> list[list[Any]]:
    """Join the lists of several pieces, those of each number of seeds."""
    return [[one for piece in same for one in piece] for same in zip(*pieces, strict=True)]
