"""Every two fusions compared: metrics/pairs.csv, and the facts from which verdicts are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any, Self

from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.results import Comparison
from fusebench.samples.samples import parse_csv, read_csv
from fusebench.statistics.estimates import (
    FEWEST_SEEDS,
    LEVEL,
    Claim,
    deviations,
    exact_bound,
    holm,
    these_models,
    trained_again,
)
from fusebench.statistics.paired import LOWER_IS_BETTER, MEANS, Paired, kinds_of, pair
from fusebench.statistics.resampling import DRAWS, Drawings, of_means, of_others, percentiles

PAIRS = Path("metrics/pairs.csv")
PART = "test"
_DIGITS = 6


@dataclass(frozen=True)
class Pair:
    """Two fusions on one metric of test; a line of metrics/pairs.csv. Unit: percent or nats.

    Attributes
    ----------
    role : str
        "primary" for the metric that decides; "descriptive" for the others, which have no p.
    difference : float
        First − second, mean over seeds; with each seed's models and ids as they are.
    models_low, models_high, models_p, models_holm : float or None
        The claim about these trained models: 95 % interval, p, and p after Holm.
    again_low, again_high, again_p, again_holm : float or None
        The claim about the fusions trained again. None with one seed.
    detectable : float or None
        What would be shown of the second claim with 80 % power after Holm, never below `hidden`.
    hidden : float
        What may hide though no id is discordant.
    bootstrap_low, bootstrap_high : float or None
        95 % interval of the second claim by the two-way bootstrap.
    seed_deviation, id_deviation, seed_id_deviation : float or None
        Components of variance, as standard deviations.
    discordant : int or None
        Ids that add anything to the difference in any seed.
    first_mean, second_mean : float
        The metric of each, mean over seeds.
    """

    metric: str
    role: str
    first: str
    second: str
    difference: float
    models_low: float | None
    models_high: float | None
    models_p: float | None
    models_holm: float | None
    again_low: float | None
    again_high: float | None
    again_p: float | None
    again_holm: float | None
    detectable: float | None
    hidden: float
    bootstrap_low: float | None
    bootstrap_high: float | None
    seed_deviation: float | None
    id_deviation: float | None
    seed_id_deviation: float | None
    discordant: int | None
    first_mean: float
    second_mean: float
    first_stuck: int
    second_stuck: int
    seeds: int
    ids: int | None

    @classmethod
    def columns(cls) -> list[str]:
        """Return the header of metrics/pairs.csv."""
        return [field.name for field in fields(cls)]

    def cells(self) -> list[Any]:
        """Return the line's cells; what is not known is empty."""
        return ["" if value is None else value for value in asdict(self).values()]

    @classmethod
    def parse(cls, line: Mapping[str, str]) -> Self:
        """Return the pair that a line of metrics/pairs.csv holds."""
        kinds = {field.name: str(field.type) for field in fields(cls)}
        return cls(**{name: _parsed(line[name], kind) for name, kind in kinds.items()})


def _parsed(cell: str, kind: str) -> Any:
    if "str" in kind:
        return cell
    if cell == "":
        return None
    return int(cell) if "int" in kind else float(cell)


@dataclass(frozen=True)
class Compared:
    """What is known of two fusions on one metric before Holm."""

    models: Claim | None
    again: Claim | None
    bootstrap: tuple[float, float] | None
    paired: Paired | None
    hidden: float


def pairs_of(comparison: Comparison, primary: str) -> list[Pair]:
    """Compare every two trained fusions of a comparison; see `all_pairs`."""
    metrics = {result.name: result.metrics for result in comparison.results}
    trained = {name: comparison.predictions[name] for name in comparison.trained}
    return all_pairs(trained, metrics, primary)


def all_pairs(
    fusions: Mapping[str, FusionPredictions],
    metrics: Mapping[str, Mapping[str, Any]],
    primary: str,
) -> list[Pair]:
    """Compare every two fusions on the primary metric, then on the other means.

    Parameters
    ----------
    fusions : mapping of str to FusionPredictions
        The same seeds and test samples in all.
    metrics : mapping of str to dict
        By fusion, as metrics/fusions/<name>.json.
    """
    held = {
        name: {seed: parts[PART] for seed, parts in each.seeds.items()}
        for name, each in fusions.items()
    }
    positive = next(iter(fusions.values())).positive
    couples = list(combinations(held, 2))
    drawings = _drawings(next(iter(held.values())))
    lines = []
    for metric in [primary, *(name for name in MEANS if name != primary)]:
        if metric in MEANS:
            found = [_mean(held[a], held[b], metric, len(couples), drawings) for a, b in couples]
        else:
            found = _others(held, metric, positive, couples, metrics)
        lines += _lines(couples, found, metric, metric == primary, metrics)
    return lines


def _drawings(parts: Mapping[int, PartPredictions]) -> Drawings | None:
    """Return what every pair is bootstrapped with; None with one seed."""
    if len(parts) < 2:
        return None
    return Drawings.make(len(parts), kinds_of(next(iter(parts.values()))), DRAWS)


def _mean(
    first: Mapping[int, PartPredictions],
    second: Mapping[int, PartPredictions],
    metric: str,
    tests: int,
    drawings: Drawings | None,
) -> Compared:
    paired = pair(first, second, metric)
    return Compared(
        these_models(paired),
        trained_again(paired) if drawings else None,
        percentiles(of_means(paired, drawings), LEVEL) if drawings else None,
        paired,
        exact_bound(paired, tests),
    )


def _others(
    held: Mapping[str, Mapping[int, PartPredictions]],
    metric: str,
    positive: int,
    couples: Sequence[tuple[str, str]],
    metrics: Mapping[str, Mapping[str, Any]],
) -> list[Compared]:
    """Compare on a metric that is no mean: the bootstrap's deviation is the standard error."""
    seeds = len(next(iter(held.values())))
    if seeds < 2:
        return [Compared(None, None, None, None, 0.0) for _ in couples]
    drawn = of_others(held, metric, positive)
    found = []
    for first, second in couples:
        values = drawn[first] - drawn[second]
        difference = metrics[first][PART][metric]["mean"] - metrics[second][PART][metric]["mean"]
        claim = Claim(difference, float(values.std(ddof=1)), seeds - 1)
        found.append(Compared(None, claim, percentiles(values, LEVEL), None, 0.0))
    return found


def _lines(
    couples: Sequence[tuple[str, str]],
    found: Sequence[Compared],
    metric: str,
    decides: bool,
    metrics: Mapping[str, Mapping[str, Any]],
) -> list[Pair]:
    adjusted = {
        name: holm([getattr(each, name).p for each in found])
        if decides and all(getattr(each, name) is not None for each in found)
        else [None] * len(found)
        for name in ("models", "again")
    }
    return [
        _line(couple, each, metric, decides, metrics, (models, again), len(couples))
        for couple, each, models, again in zip(
            couples, found, adjusted["models"], adjusted["again"], strict=True
        )
    ]


def _line(
    couple: tuple[str, str],
    found: Compared,
    metric: str,
    decides: bool,
    metrics: Mapping[str, Mapping[str, Any]],
    adjusted: tuple[float | None, float | None],
    tests: int,
) -> Pair:
    first, second = (metrics[name] for name in couple)
    means = [each[PART][metric]["mean"] for each in (first, second)]
    # A deviation of few seeds is no ground for a promise of power.
    promised = decides and found.again is not None and len(first[PART]["seeds"]) >= FEWEST_SEEDS
    return Pair(
        metric=metric,
        role="primary" if decides else "descriptive",
        first=couple[0],
        second=couple[1],
        difference=_rounded(means[0] - means[1]),
        **_claimed("models", found.models, adjusted[0] if decides else None, decides),
        **_claimed("again", found.again, adjusted[1] if decides else None, decides),
        detectable=_rounded(max(found.again.detectable(tests), found.hidden))
        if promised and found.again is not None
        else None,
        hidden=_rounded(found.hidden),
        bootstrap_low=_rounded(found.bootstrap[0]) if found.bootstrap else None,
        bootstrap_high=_rounded(found.bootstrap[1]) if found.bootstrap else None,
        **_deviations(found.paired),
        discordant=found.paired.discordant if found.paired else None,
        first_mean=means[0],
        second_mean=means[1],
        first_stuck=first["stuck_seeds"],
        second_stuck=second["stuck_seeds"],
        seeds=len(first[PART]["seeds"]),
        ids=found.paired.contributions.shape[1] if found.paired else None,
    )


def _claimed(
    name: str, claim: Claim | None, adjusted: float | None, decides: bool
) -> dict[str, float | None]:
    low, high = claim.interval() if claim else (None, None)
    return {
        f"{name}_low": _rounded(low),
        f"{name}_high": _rounded(high),
        f"{name}_p": _rounded(claim.p) if claim and decides else None,
        f"{name}_holm": _rounded(adjusted),
    }


def _deviations(paired: Paired | None) -> dict[str, float | None]:
    held = deviations(paired) if paired else {"seed": None, "id": None, "seed_id": None}
    return {f"{name}_deviation": _rounded(value) for name, value in held.items()}


def _rounded(value: float | None) -> Any:
    return None if value is None else round(value, _DIGITS)


def read_pairs(path: Path) -> list[Pair]:
    """Return the lines of metrics/pairs.csv; raise ArtifactError if it is missing or broken."""
    return [Pair.parse(line) for line in read_csv(path, Pair.columns())]


def parse_pairs(text: str) -> list[Pair]:
    """Return the lines of the text of metrics/pairs.csv."""
    return [Pair.parse(line) for line in parse_csv(PAIRS, text, Pair.columns())]


def better(metric: str, difference: float) -> bool:
    """Tell whether a difference, first − second, speaks for the first."""
    return difference < 0 if metric in LOWER_IS_BETTER else difference > 0


def primary_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs on the metric that decides."""
    return [each for each in pairs if each.role == "primary"]
