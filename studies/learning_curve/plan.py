"""Which sizes of the training part are run, and how long each is trained."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from fusebench.params import Params
from fusebench.split.draw import draw
from fusebench.split.params import exact
from studies.common.errors import StudyError
from studies.common.experiments import Experiment
from studies.common.kept import Unit

FACTORS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2))
"""Shares of the training part that are run, over `split.train`."""
# The stage that writes the last that is read here.
_TARGET = "evaluate"
# What of `override` would give a fusion other steps than the rest.
_OF_STEPS = ("epochs", "batch_size")


@dataclass(frozen=True)
class Size:
    """A size of the training part.

    Attributes
    ----------
    share : float
        As `split.train`.
    train_samples : int
        Of each seed's training part.
    epochs : int
        Such that there are as many optimiser steps as with the params as they are, as near as
        whole epochs come to that.
    steps_per_epoch : int
    """

    share: float
    train_samples: int
    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Optimiser steps of a training."""
        return self.epochs * self.steps_per_epoch

    @property
    def name(self) -> str:
        """The share, as it is written."""
        return repr(self.share)

    @property
    def overrides(self) -> tuple[str, ...]:
        """What the experiment sets."""
        return f"split.train={self.name}", f"train.epochs={self.epochs}"

    def about(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "share": self.share, "train_samples": self.train_samples, "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch, "steps": self.steps,
        }  # fmt: skip


def sizes(params: Params, table: pd.DataFrame) -> list[Size]:
    """Return the sizes from smallest to largest; one that leaves no room for val or test is not.

    Parameters
    ----------
    table : DataFrame
        samples.csv.

    Raises
    ------
    StudyError
        A fusion has epochs or a batch size of its own.
    SplitError
        A size is too small to hold each class.
    """
    _check(params)
    batch = params.train.batch_size
    counts = {share: _train_samples(params, table, share) for share in _shares(params)}
    usual = params.train.epochs * math.ceil(counts[params.split.train] / batch)
    found = []
    for share, samples in counts.items():
        each = math.ceil(samples / batch)
        found.append(Size(share, samples, max(1, round(usual / each)), each))
    return found


def _check(params: Params) -> None:
    for fusion, override in params.override.items():
        for key in _OF_STEPS:
            if (override or {}).get(key) is not None:
                raise StudyError(
                    f"params.yaml: override.{fusion}.{key} = {override[key]}: must be empty, since "
                    "each fusion is to be trained with equally many steps"
                )


def _shares(params: Params) -> Iterator[float]:
    split = params.split
    others = sum(map(exact, (split.val, split.test, split.holdout)))
    for factor in FACTORS:
        share = exact(split.train) * factor
        if share + others <= 1:
            yield float(share)


def _train_samples(params: Params, table: pd.DataFrame, share: float) -> int:
    # How many samples a part has is the same for each seed.
    seed = params.train.seeds[0]
    manifest = draw(table, params.split.model_copy(update={"train": share}), [seed])
    return int((manifest[f"seed_{seed}"] == "train").sum())


def units(params: Params, deciding: Mapping[str, Any], table: pd.DataFrame) -> list[Unit]:
    """Return what is to be run.

    Parameters
    ----------
    deciding : mapping
        What of params.yaml decides results.
    table : DataFrame
        samples.csv.
    """
    return [
        Unit(
            Experiment(f"learning-curve-{size.name}", size.overrides, (_TARGET,)),
            size.name, deciding, size.about(),
        )
        for size in sizes(params, table)
    ]  # fmt: skip
