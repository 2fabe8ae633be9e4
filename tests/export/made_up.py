"""Untrained models of small inputs, and what sensors recorded, for tests of exported models."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tests.datasets import dataset_of, table_of

from fusebench.export.graph import Graph, build_in_fp32
from fusebench.export.subject import Subject
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import Fusion, ModelSpec
from fusebench.models.description import Description, SeedDescription
from fusebench.models.settings import STEMS, StemName
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples

FARTHEST = 50.0
SPHERICAL = LidarParams(projection="spherical", align="none", normalize=True)


def description_of(
    fusion: str,
    stem: StemName = "notebook",
    *,
    lidar: LidarParams = SPHERICAL,
    maps: tuple[int, int] | None = None,
    pooling: Any = "max",
    classes: tuple[str, ...] = ("cubes", "spheres"),
    seeds: tuple[int, ...] = (0,),
) -> Description:
    """Return what is said of models that were trained in bf16, of the smallest images.

    Parameters
    ----------
    maps : (int, int), optional
        Size of the LiDAR maps; by default that of the images.
    """
    size = (STEMS[stem].smallest, STEMS[stem].smallest)
    rows, columns = maps or size
    dataset = dataset_of(
        classes, image_size=list(size), size=[rows, columns], max_range=FARTHEST, focal_length=18.0
    )
    return Description(
        ModelSpec(fusion, len(classes), size, pooling, "bf16", stem), lidar, dataset,
        tuple(np.linspace(0.4, -0.4, rows).tolist()),
        tuple(np.linspace(-0.3, 0.5, columns).tolist()),
        {seed: SeedDescription(2, dict.fromkeys(classes, 3), f"{seed:032d}") for seed in seeds},
        {"lr": 0.001, "precision": "bf16"},
    )  # fmt: skip


def graph_of(description: Description, temperatures: tuple[float, ...] = (1.0,)) -> Graph:
    """Return the graph of untrained models, one per temperature, that differ."""
    models = []
    for seed in range(len(temperatures)):
        model = build_in_fp32(description)
        weights.initialize(model, seed)
        models.append(model)
    return Graph(description, models, temperatures)


def recorded(graph: Graph, count: int, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Return what an exported model takes of some samples, by the names of its inputs."""
    generator = np.random.default_rng(seed)
    made: dict[str, npt.NDArray[Any]] = {}
    for each in graph.inputs:
        shape = (count, *each.shape)
        if each.name == "lidar":
            # Where nothing came back, it is the maximum range.
            ranges = generator.uniform(0, 1.5 * FARTHEST, shape).clip(max=FARTHEST)
            made["lidar"] = ranges.astype(np.float32)
        else:
            made[each.name] = generator.integers(0, 256, shape).astype(each.dtype)
    return made


def samples_of(description: Description, count: int) -> Samples:
    """Return samples of both classes in turn, whose ids go past the angles."""
    made = recorded(graph_of(description), count)
    dataset = description.dataset
    ids = [f"{37 * row}" for row in range(count)]
    table = table_of(ids, [row % len(dataset.classes) for row in range(count)], dataset.classes)
    height, width = description.spec.image_size
    rgb = made.get("rgb", np.zeros((count, height, width, 3), np.uint8))
    nothing = np.zeros((count, len(description.azimuth), len(description.zenith)), np.float32)
    return Samples(
        rgb, made.get("lidar", nothing),
        np.array(description.azimuth, np.float32), np.array(description.zenith, np.float32),
        table, dataset,
    )  # fmt: skip


def models_of(graph: Graph) -> list[Fusion]:
    """Return the models of a graph."""
    return [model for model in graph.models if isinstance(model, Fusion)]


def subject_of(count: int, fusion: str = "concat", *, others: int = 0, **described: Any) -> Subject:
    """Return two models with temperatures, and so many samples of test; others are val."""
    description = description_of(fusion, seeds=(0, 1), **described)
    temperatures = {0: 0.5, 1: 2.0}
    samples = samples_of(description, count + others)
    parts = ["test"] * count + ["val"] * others
    manifest = Manifest(samples.table.assign(seed_0=parts, seed_1=parts))
    graph = graph_of(description, tuple(temperatures.values()))
    rows = manifest.part(0, "test")
    return Subject(description, (0, 1), temperatures, "", graph, samples, manifest, rows)


def answers(graph: Graph, inputs: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Return what a graph answers in torch."""
    with torch.inference_mode():
        made: npt.NDArray[np.float32] = graph(
            **{name: torch.from_numpy(array) for name, array in inputs.items()}
        ).numpy()
    return made
