"""What is exported, and what the file is checked with: kept models, and the samples of test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.export.graph import Graph, build_in_fp32
from fusebench.inference.calibrated import kept_temperatures
from fusebench.inference.predictor import chosen_seeds, divisors
from fusebench.inputs.streamed import StreamedInputs
from fusebench.models.description import FILE, Description, load_seed
from fusebench.prediction.predict import KeptModels
from fusebench.samples.manifest import Manifest, read_manifest
from fusebench.samples.samples import Samples, open_samples

MODELS, SAMPLES, SPLIT = Path("models"), Path("data/samples"), Path("data/split.csv")
_PART = "test"


@dataclass(frozen=True)
class Subject:
    """A fusion's kept models, which are exported, and the samples of test.

    Attributes
    ----------
    description : Description
    seeds : tuple of int
        Whose models are exported.
    temperatures : mapping of int to float
        By seed; empty: none.
    uncalibrated : str
        Why there are none; empty if there are.
    graph : Graph
        Of these models.
    samples : Samples
    manifest : Manifest
    rows : DataFrame
        The samples of test, some of `samples.table`.
    """

    description: Description
    seeds: tuple[int, ...]
    temperatures: Mapping[int, float]
    uncalibrated: str
    graph: Graph
    samples: Samples
    manifest: Manifest
    rows: pd.DataFrame

    @classmethod
    def open(cls, fusion: str, seed: int | None, threads: int) -> Self:
        """Read the kept models of a fusion in the working directory.

        Parameters
        ----------
        seed : int or None
            Whose model is exported; None: those of all seeds.

        Raises
        ------
        ArtifactError
            Models or samples are missing, broken, or the models were trained on other samples.
        ParamsError
            The seed was not trained.
        """
        folder = MODELS / fusion
        samples, manifest = open_samples(SAMPLES), read_manifest(SPLIT)
        # Exported in fp32, which runtime.portable allows whatever they were trained in.
        device = Device(torch.device("cpu"), "exported on the CPU", threads)
        description = KeptModels.open(folder, fusion, samples, manifest, device).description
        _check_same_samples(folder, description, samples)
        seeds = chosen_seeds(folder, description, None if seed is None else [seed])
        temperatures, uncalibrated = kept_temperatures(folder, fusion, seeds)
        models = [build_in_fp32(description) for _ in seeds]
        for each, model in zip(seeds, models, strict=True):
            load_seed(folder, description, each, model)
        graph = Graph(description, models, divisors(seeds, temperatures))
        rows = manifest.part(seeds[0], _PART)
        return cls(description, seeds, temperatures, uncalibrated, graph, samples, manifest, rows)

    @property
    def divisors(self) -> list[float]:
        """What the logits of each seed are divided by."""
        return divisors(self.seeds, self.temperatures)

    def batches(self, size: int) -> Iterator[tuple[dict[str, npt.NDArray[Any]], dict[str, Tensor]]]:
        """Yield the samples of test twice, as the exported file takes them and as models see them.

        The maps that models see are made by the code that training has them from.
        """
        cpu = torch.device("cpu")
        maps = StreamedInputs(self.samples, self.rows, self.description.lidar, self.graph.sees, cpu)
        order = torch.arange(len(self.rows))
        parts = torch.split(order, size)
        for positions, (seen, _labels) in zip(parts, maps.batches(order, size), strict=True):
            yield self._recorded(self.rows.iloc[positions.numpy()]), seen

    def _recorded(self, rows: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
        """Return what an exported file takes of some samples."""
        made: dict[str, npt.NDArray[Any]] = {}
        for each in self.graph.inputs:
            if each.name == "rgb":
                made["rgb"] = self.samples.images(rows["row"].to_numpy())
            elif each.name == "lidar":
                made["lidar"] = self.samples.ranges(rows["row"].to_numpy())
            else:
                # As inputs.lidar_batch: an id past the angles has none, however long it is.
                longest = int(np.iinfo(np.int64).max)
                made["ids"] = np.array([min(int(key), longest) for key in rows["id"]])
        return made


def _check_same_samples(folder: Path, description: Description, samples: Samples) -> None:
    """Refuse models that were trained for other sensors than those of the samples."""
    angles = (description.azimuth, description.zenith)
    present = (samples.azimuth, samples.zenith)
    same = description.dataset == samples.dataset and all(
        np.array_equal(np.array(trained, np.float32), now)
        for trained, now in zip(angles, present, strict=True)
    )
    if not same:
        raise ArtifactError(
            f"{folder / FILE}: trained on samples of other classes, sensors or angles than "
            f"{SAMPLES} has; 'dvc repro' trains anew"
        )
