"""Whether an exported file answers as the models do, on all of test."""

from dataclasses import dataclass

import numpy as np
import torch

from fusebench.errors import ArtifactError
from fusebench.export.format import Run
from fusebench.export.subject import Subject
from fusebench.inference.predictor import Probabilities, probabilities
from fusebench.prediction.predict import BATCH
from fusebench.prediction.predictions import read_predictions
from fusebench.revisions.revisions import PREDICTIONS

TOLERANCE = 1e-4
"""How far a probability may be from that of the models in torch; more is refused."""


@dataclass(frozen=True)
class Difference:
    """How two answers for the same samples differ.

    Attributes
    ----------
    largest : float
        Of the differences of probabilities, absolute.
    other_class : int
        Samples whose most probable class is another.
    """

    largest: float
    other_class: int

    @classmethod
    def of(cls, one: Probabilities, other: Probabilities) -> "Difference":
        """Compare probabilities, (n, k) each."""
        moved = one.argmax(axis=1) != other.argmax(axis=1)
        return cls(float(np.abs(one - other).max()), int(moved.sum()))


@dataclass(frozen=True)
class Check:
    """An exported file, run on all of test.

    Attributes
    ----------
    batch, last : int
        Samples at once, and in the last batch.
    from_torch : Difference
        From the models in torch, in fp32, with the maps that training makes.
    probabilities : array, shape (n, k)
        Of the exported file.
    """

    batch: int
    last: int
    from_torch: Difference
    probabilities: Probabilities


def check(run: Run, subject: Subject) -> Check:
    """Run an exported file beside its models on all of test, batch by batch.

    Raises
    ------
    ArtifactError
        A probability differs by more than `TOLERANCE`, or is no number.
    """
    count = len(subject.rows)
    # A last batch of another size shows that any size is taken.
    sizes = range(min(BATCH, count - 1), 1, -1)
    size = next((size for size in sizes if count % size), 1)
    exported, expected = [], []
    for recorded, maps in subject.batches(size):
        exported.append(run(recorded).astype(np.float64))
        with torch.inference_mode():
            logits = np.stack([model(maps).numpy() for model in subject.graph.models])
        expected.append(probabilities(logits, subject.divisors).mean(axis=0))
    found = np.concatenate(exported)
    difference = Difference.of(found, np.concatenate(expected))
    # A NaN is not within it, either.
    if not difference.largest <= TOLERANCE:
        raise ArtifactError(
            f"the exported model of {subject.description.spec.fusion} differs from the models in "
            f"torch by up to {difference.largest:.2g} in a probability of test, of {TOLERANCE:g} "
            "that are allowed, so nothing was written; another format may do"
        )
    return Check(size, count % size or size, difference, found)


def from_kept(subject: Subject, found: Probabilities, behind: str) -> tuple[Difference | None, str]:
    """Return how an exported file differs from the predictions that are kept; or why not known.

    They were made in the precision of the training, where the file computes in fp32.

    Parameters
    ----------
    found : array, shape (n, k)
        Probabilities of the file, for all of test.
    behind : str
        As `results.behind`.
    """
    fusion = subject.description.spec.fusion
    if behind:
        return None, behind
    try:
        seeds = read_predictions(PREDICTIONS / fusion).seeds
    except ArtifactError as error:
        return None, str(error)
    parts = [seeds[seed]["test"] for seed in subject.seeds if seed in seeds]
    digests = subject.rows["digest"].to_numpy(str)
    if len(parts) < len(subject.seeds) or not all(
        np.array_equal(part.digests, digests) for part in parts
    ):
        return None, f"{PREDICTIONS / fusion} is of other seeds or samples"
    kept = probabilities(np.stack([part.logits for part in parts]), subject.divisors)
    return Difference.of(found, kept.mean(axis=0)), ""
