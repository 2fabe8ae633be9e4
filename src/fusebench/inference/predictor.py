"""Kept models of a fusion, one per seed, which answer for new samples."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax

from fusebench.data.layout import Layout
from fusebench.data.settings import LAYOUTS
from fusebench.device import Device
from fusebench.errors import ArtifactError, ParamsError, one_line
from fusebench.inputs.streamed import open_inputs
from fusebench.models.base import Fusion, build, predict
from fusebench.models.description import FILE, Description, load_seed
from fusebench.prediction.predict import check_models
from fusebench.samples.samples import Samples

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What the models of a fusion say of samples.

    Attributes
    ----------
    fusion : str
    ids : list of str, n
    classes : tuple of str, k
    seeds : tuple of int, s
    logits : array of float32, shape (s, n, k)
    temperatures : mapping of int to float
        By seed, what logits are divided by; empty: probabilities are as the models give them.
    """

    fusion: str
    ids: list[str]
    classes: tuple[str, ...]
    seeds: tuple[int, ...]
    logits: Logits
    temperatures: Mapping[int, float]

    @property
    def probabilities(self) -> Probabilities:
        """Probabilities of each seed, (s, n, k)."""
        return probabilities(self.logits, divisors(self.seeds, self.temperatures))


def divisors(seeds: Sequence[int], temperatures: Mapping[int, float]) -> list[float]:
    """Return what the logits of each seed are divided by: 1 where there is no temperature."""
    return [temperatures.get(seed, 1.0) for seed in seeds]


def probabilities(logits: Logits, by: Sequence[float]) -> Probabilities:
    """Return probabilities, (s, n, k), of the logits of each seed, divided by a number of its own.

    Parameters
    ----------
    logits : array of float32, shape (s, n, k)
    by : sequence of float, s
    """
    exact = logits.astype(np.float64) / np.array(by)[:, None, None]
    return np.asarray(softmax(exact, axis=2), np.float64)


@dataclass(frozen=True)
class Predictor:
    """The kept models of a fusion that are to answer.

    Attributes
    ----------
    folder : Path
        Where they are kept.
    description : Description
    model : Fusion
        Into which the weights of a seed are read.
    seeds : tuple of int
        Those that answer.
    """

    folder: Path
    description: Description
    model: Fusion
    seeds: tuple[int, ...]
    device: Device

    @classmethod
    def open(
        cls,
        folder: Path,
        device: Device,
        seeds: Sequence[int] | None = None,
        fusion: str | None = None,
    ) -> Self:
        """Read what a folder says of its models, but no weights yet.

        Parameters
        ----------
        seeds : sequence of int, optional
            By default all that are kept.
        fusion : str, optional
            What they must be of; by default any.

        Raises
        ------
        ArtifactError
            The models are missing, broken, of another fusion, or were trained on samples that are
            no files of their own, such as KITTI's objects.
        ParamsError
            A seed is no whole number, is named twice or was not trained; or this version has no
            such fusion.
        """
        description = Description.read(folder)
        trained = description.spec.fusion
        if fusion not in (None, trained):
            raise ArtifactError(
                f"{folder / FILE}: models of fusion '{trained}', not of '{fusion}'; must be asked "
                f"as '{trained}'"
            )
        check_models(folder, description, trained, device)
        _check_layout(folder, description)
        chosen = chosen_seeds(folder, description, seeds)
        return cls(folder, description, build(description.spec), chosen, device)

    @property
    def sees(self) -> tuple[str, ...]:
        """The sensors that the fusion sees: "rgb", "lidar" or both."""
        return self.model.inputs

    def logits(self, samples: Samples, batch: int) -> Iterator[Logits]:
        """Yield the logits of each seed for samples, (n, k), so many at a time as `batch` says.

        Raises
        ------
        ArtifactError
            Weights are missing or broken.
        """
        device = self.device
        inputs = open_inputs(
            samples, samples.table, self.description.lidar, self.sees, device.device,
            device.memory_budget,
        )  # fmt: skip
        for seed in self.seeds:
            load_seed(self.folder, self.description, seed, self.model)
            self.model.to(device.device).to(memory_format=torch.channels_last)
            yield predict(self.model, inputs, batch).cpu().numpy()


def _check_layout(folder: Path, description: Description) -> None:
    """Refuse models of samples that cannot be told by an image file and a LiDAR file."""
    layout = description.dataset.layout
    if not LAYOUTS.load(layout, Layout).whole_files:
        raise ArtifactError(
            f"{folder / FILE}: trained on data.layout {layout}, whose samples are cut out of their "
            "files; what is cut out of new files is not known, so they are not predicted"
        )


def chosen_seeds(
    folder: Path, description: Description, seeds: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the seeds whose models are asked for; None: all that are kept.

    Raises
    ------
    ParamsError
        They are no whole numbers, none, or one is named twice or was not trained.
    """
    kept = tuple(description.seeds)
    if seeds is None:
        return kept
    try:
        wanted = [operator.index(seed) for seed in seeds]
    except TypeError:
        raise ParamsError(
            f"seeds {one_line(repr(seeds), 200)}: must be a list of whole numbers"
        ) from None
    if not wanted or len(set(wanted)) < len(wanted):
        raise ParamsError(f"seeds {wanted}: must be one or more, each once")
    for seed in wanted:
        if seed not in kept:
            raise ParamsError(f"seeds: {seed}: not in {folder / FILE}; must be among {list(kept)}")
    return tuple(wanted)
