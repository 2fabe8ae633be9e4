"""What the data are like: how much of the class each sensor tells, by the answers of kept models.

metrics/interaction.json holds it. For each of RGB alone, LiDAR alone and both, the model is taken
that has the lowest val NLL of all fusions and seeds; test is only measured on. What the amounts are
and what they are not: docs/statistics.md.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field

from fusebench.config import Section
from fusebench.errors import REMEDY, ArtifactError
from fusebench.files import write_json
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.results import Comparison, Result
from fusebench.report.stored import read_if_there
from fusebench.report.suite import SuiteRow, advice
from fusebench.sealed import checked
from fusebench.statistics.answers import Answers
from fusebench.statistics.decomposition import UnsolvedError
from fusebench.statistics.paired import Floats
from fusebench.statistics.shares import INFORMATION, SHARES, Estimate, estimate_shares

INTERACTION = Path("metrics/interaction.json")
KINDS: Mapping[str, tuple[str, ...]] = {
    "redundant": ("shape",),
    "unique to RGB": ("colour",),
    "unique to LiDAR": ("range",),
    "synergistic": ("xor", "nearest", "match"),
}
"""Each share of the class, and the demonstration tasks that it is all of."""
SENSORS = ("rgb", "lidar")
SEEN = ("RGB alone", "LiDAR alone", "both")
"""What the three models see."""
MOST_CLASSES = 10
"""With more, the programme would take minutes."""
FEWEST_SAMPLES = 10
"""Of each class on test; an interval from fewer would be of no use."""
_DIGITS = 4


class Amount(Section):
    """An amount of information in bits, with its 95 % interval."""

    bits: float = Field(ge=0)
    low: float = Field(ge=0)
    high: float = Field(ge=0)


class Source(Section):
    """The model behind an amount: fusion or baseline, seed, and its NLL on val in nats."""

    model: str
    seed: int
    val_nll: float


class Interaction(Section):
    """What metrics/interaction.json holds.

    Attributes
    ----------
    results : str
        Fingerprint of the comparison that it is of.
    not_estimated : str
        Why there are no amounts; empty if there are.
    seeds : int
        How many seeds of each fusion there were to choose from.
    class_bits : float
        What there is to be known of the class, log2 k for k classes.
    bits : dict of str to Amount
        By kind, as in `KINDS`; of synergistic a lower bound.
    information : dict of str to Amount
        What each model tells of the class, by what it sees, as in `SEEN`.
    models : dict of str to Source
        The models, by the same names.
    advice : str
        What is known of fusions on data like these; may be empty.
    """

    model_config = ConfigDict(extra="ignore")
    results: str
    not_estimated: str = ""
    seeds: int = Field(ge=1)
    class_bits: float = Field(ge=1)
    bits: dict[str, Amount] = Field(default_factory=dict)
    information: dict[str, Amount] = Field(default_factory=dict)
    models: dict[str, Source] = Field(default_factory=dict)
    advice: str = ""

    @property
    def kind(self) -> str:
        """The kind of task that the data look like; empty: none.

        More than half of the class is shown to be of that kind.
        """
        half = self.class_bits / 2
        return next((kind for kind, amount in self.bits.items() if amount.low > half), "")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The demonstration tasks that the data look like."""
        return KINDS.get(self.kind, ())

    def write(self) -> None:
        """Write metrics/interaction.json."""
        looks_like = {"kind": self.kind, "tasks": list(self.tasks)}
        write_json(INTERACTION, {**self.model_dump(), "looks_like": looks_like})


def interaction_of(comparison: Comparison, suite: Sequence[SuiteRow] = ()) -> Interaction:
    """Estimate what the data are like, or say why that cannot be.

    Parameters
    ----------
    suite : sequence of SuiteRow
        What was measured on the demonstration tasks.
    """
    known: dict[str, Any] = {
        "results": comparison.fingerprint,
        "seeds": len(comparison.seeds),
        "class_bits": float(np.log2(len(comparison.results[0].predictions.classes))),
    }
    try:
        chosen = _chosen(comparison)
        _check_test(chosen)
        estimates = _estimates(chosen)
    except (_NotEstimableError, UnsolvedError) as error:
        return Interaction(**known, not_estimated=str(error))
    amounts = {name: _amount(estimate) for name, estimate in estimates.items()}
    found = Interaction(
        **known,
        bits=dict(zip(KINDS, [amounts[name] for name in SHARES], strict=True)),
        information=dict(zip(SEEN, [amounts[name] for name in INFORMATION], strict=True)),
        models=dict(zip(SEEN, [_source(*one) for one in chosen], strict=True)),
    )
    if not any(amount.low > 0 for amount in found.information.values()):
        reason = "no model is shown to tell anything of the class on test"
        return found.model_copy(update={"not_estimated": reason})
    return found.model_copy(update={"advice": advice(found.tasks, suite)})


class _NotEstimableError(Exception):
    """The predictions are not such that there is an estimate; the message says why."""


_Chosen = list[tuple[Result, int]]
"""A result and one of its seeds for each of `SEEN`."""


def _chosen(comparison: Comparison) -> _Chosen:
    """Return the model of the lowest val NLL for each of `SEEN`: its result and seed.

    Raises
    ------
    _NotEstimableError
        No fusion sees just that.
    """
    wanted = *({sensor} for sensor in SENSORS), set(SENSORS)
    chosen = []
    for seen, inputs in zip(SEEN, wanted, strict=True):
        rows = [row for row in comparison.results if set(row.predictions.info["inputs"]) == inputs]
        # A baseline is one number of the map: without a trained model it says too little of it.
        if all(row.measured is None for row in rows):
            raise _NotEstimableError(f"no fusion among these sees {seen}")
        chosen.append(min(((row, seed) for row in rows for seed in _seeds(row)), key=_val_nll))
    return chosen


def _seeds(row: Result) -> list[int]:
    return list(row.predictions.seeds)


def _val_nll(model: tuple[Result, int]) -> float:
    row, seed = model
    return float(row.metrics["val"]["seeds"][str(seed)]["nll"])


def _source(row: Result, seed: int) -> Source:
    return Source(model=row.name, seed=seed, val_nll=_val_nll((row, seed)))


def _amount(estimate: Estimate) -> Amount:
    bits, low, high = (
        round(value, _DIGITS) for value in (estimate.bits, estimate.low, estimate.high)
    )
    return Amount(bits=bits, low=low, high=high)


def _test(model: tuple[Result, int]) -> PartPredictions:
    row, seed = model
    return row.predictions.seeds[seed]["test"]


def _check_test(chosen: _Chosen) -> None:
    """Refuse test parts that are not the same, have too many classes, or too few of one."""
    first, classes = _test(chosen[0]), chosen[0][0].predictions.classes
    if any(not np.array_equal(_test(one).digests, first.digests) for one in chosen):
        raise _NotEstimableError("the test samples of the seeds differ")
    if len(classes) > MOST_CLASSES:
        raise _NotEstimableError(f"{len(classes)} classes; it is made for {MOST_CLASSES} at most")
    counts = np.bincount(first.labels, minlength=len(classes))
    rarest = int(counts.argmin())
    if counts[rarest] < FEWEST_SAMPLES:
        raise _NotEstimableError(
            f"{counts[rarest]} test samples of {classes[rarest]}; {FEWEST_SAMPLES} of each class "
            "are needed"
        )


def _estimates(chosen: _Chosen) -> dict[str, Estimate]:
    test = _test(chosen[0])
    ids = np.unique(test.groups, return_inverse=True)[1].astype(np.int64)
    fitted = [_answers(row.predictions, seed) for row, seed in chosen]
    answers = [of.of(_test(one).logits) for of, one in zip(fitted, chosen, strict=True)]
    classes = len(chosen[0][0].predictions.classes)
    return estimate_shares(test.labels, ids, answers, [of.count for of in fitted], classes)


def _answers(predictions: FusionPredictions, seed: int) -> Answers:
    """Return how a model's logits become answers, fitted to val."""
    val = predictions.seeds[seed]["val"]
    return Answers.fit(val.logits, val.labels, _shares(predictions.info, seed))


def _shares(info: Mapping[str, Any], seed: int) -> Floats:
    """Return the shares of the classes that a model was trained to expect, shape (k,)."""
    if (info.get("settings") or {}).get("class_weights") == "balanced":
        return np.full(len(info["classes"]), 1 / len(info["classes"]))
    by_class = info["train_counts"][str(seed)]
    # A class without a training sample would be named always.
    counts = np.array([max(1, by_class[name]) for name in info["classes"]], np.float64)
    shares: Floats = counts / counts.sum()
    return shares


def read_interaction(read: Callable[[Path], bytes]) -> Interaction | None:
    """Return what metrics/interaction.json holds; None where there is no such file.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path; commits of earlier versions lack this one.

    Raises
    ------
    ArtifactError
        It is broken.
    """
    content = read_if_there(read, INTERACTION)
    return None if content is None else parse_interaction(content)


def parse_interaction(content: bytes) -> Interaction:
    """Return what the bytes of metrics/interaction.json hold; raise ArtifactError if broken."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{INTERACTION}: not valid JSON: {error}; {REMEDY}") from None
    interaction = checked(Interaction, found, INTERACTION)
    names = tuple(KINDS), SEEN, SEEN
    held = interaction.bits, interaction.information, interaction.models
    if not interaction.not_estimated and [tuple(keys) for keys in held] != list(names):
        raise ArtifactError(f"{INTERACTION}: lacks amounts or models; {REMEDY}")
    return interaction
