"""The two-way bootstrap: seeds and test ids drawn anew, both at once.

Owen, Annals of Applied Statistics 1, 2007; there "pigeonhole bootstrap". It counts seed × id more
than once, but its percentiles know nothing of how few seeds there are. A cross-check of the
intervals for means, and the way for other metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from fusebench.evaluation.metrics import part_metrics
from fusebench.prediction.predictions import PartPredictions
from fusebench.seeds import derive_seed
from fusebench.statistics.paired import Floats, Ints, Paired, kinds_of

DRAWS = 2000
# A metric that is no mean has to be computed anew for each draw, fusion and seed.
DRAWS_OF_OTHERS = 400


@dataclass(frozen=True)
class Drawings:
    """How often each seed and each id is drawn, in each of d drawings.

    Attributes
    ----------
    seeds : array of float64, whole numbers, shape (d, s)
    ids : array of float64, whole numbers, shape (d, j)
        Of each kind of id as many as there are.
    """

    seeds: Floats
    ids: Floats

    @classmethod
    def make(cls, seeds: int, kinds: Ints, draws: int) -> Self:
        """Draw; the same for the same arguments, so that results repeat and fusions are paired."""
        source = np.random.default_rng(derive_seed("bootstrap"))
        ids = np.zeros((draws, len(kinds)))
        for kind in np.unique(kinds):
            held = kinds == kind
            count = int(held.sum())
            ids[:, held] = source.multinomial(count, np.full(count, 1 / count), size=draws)
        times = source.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
        return cls(times.astype(np.float64), ids)


def of_means(paired: Paired, drawings: Drawings) -> Floats:
    """Return the difference in each drawing, shape (d,), for a metric that is a mean."""
    by_id = drawings.seeds @ paired.contributions / paired.seeds
    found: Floats = (by_id * drawings.ids).sum(axis=1)
    return found


def of_others(
    fusions: Mapping[str, Mapping[int, PartPredictions]],
    metric: str,
    positive: int,
    draws: int = DRAWS_OF_OTHERS,
) -> dict[str, Floats]:
    """Return any metric of each fusion, mean over the drawn seeds, in each of `draws` drawings.

    Every fusion gets the same drawings, so the differences of two are paired.

    Parameters
    ----------
    fusions : mapping of str to (mapping of int to PartPredictions)
        By name and seed; the same seeds and samples in all.
    """
    parts = next(iter(fusions.values()))
    _, inverse = np.unique(next(iter(parts.values())).ids, return_inverse=True)
    drawings = Drawings.make(len(parts), kinds_of(next(iter(parts.values()))), draws)
    chosen = [
        np.repeat(np.arange(len(inverse)), times[inverse].astype(np.int64))
        for times in drawings.ids
    ]
    return {
        name: np.array(
            [
                _drawn(list(held.values()), metric, positive, times, positions)
                for times, positions in zip(drawings.seeds, chosen, strict=True)
            ]
        )
        for name, held in fusions.items()
    }


def _drawn(
    parts: Sequence[PartPredictions],
    metric: str,
    positive: int,
    times: Floats,
    positions: npt.NDArray[np.intp],
) -> float:
    values = [
        float(part_metrics(_chosen(part, positions), positive)[metric]) if count else 0.0
        for part, count in zip(parts, times, strict=True)
    ]
    return float(np.average(values, weights=times))


def _chosen(part: PartPredictions, positions: npt.NDArray[np.intp]) -> PartPredictions:
    return PartPredictions(
        part.ids[positions],
        part.classes[positions],
        part.digests[positions],
        part.labels[positions],
        part.logits[positions],
    )


def percentiles(values: Floats, level: float) -> tuple[float, float]:
    """Return the percentile interval of bootstrapped values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
