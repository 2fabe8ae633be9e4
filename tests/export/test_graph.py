"""What is exported, in torch: from what the sensors recorded to probabilities."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import softmax
from tests.export.made_up import SPHERICAL, answers, description_of, graph_of, recorded, samples_of

from fusebench.export.graph import Tensors, build_in_fp32, geometry_of, output_of
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarGeometry, LidarParams
from fusebench.inputs.streamed import StreamedInputs

CPU = torch.device("cpu")


@pytest.mark.parametrize("maps", [(16, 16), (20, 24)], ids=["as images", "other size"])
@pytest.mark.parametrize(
    ("projection", "align", "normalize"),
    list(product(("spherical", "notebook"), ("none", "rotate", "camera"), (True, False))),
)
def test_a_graph_makes_the_very_maps_that_training_sees(
    projection: str, align: str, normalize: bool, maps: tuple[int, int]
) -> None:
    params = LidarParams.model_validate(
        {"projection": projection, "align": align, "normalize": normalize}
    )
    description = description_of("add", lidar=params, maps=maps)
    samples = samples_of(description, 5)
    seen, _ = StreamedInputs(samples, samples.table, params, ("rgb", "lidar"), CPU).batch(
        torch.arange(5)
    )
    graph = graph_of(description)
    assert graph.rgb is not None
    assert graph.lidar is not None
    assert torch.equal(graph.rgb(torch.from_numpy(samples.rgb)), seen["rgb"])
    ids = torch.tensor([int(key) for key in samples.table["id"]])
    made = graph.lidar(torch.from_numpy(samples.lidar), ids if projection == "notebook" else None)
    assert torch.equal(made, seen["lidar"])
    # Held maps are the same, and not all alike.
    held = Inputs.load(samples, samples.table, params, ("lidar",), CPU).maps["lidar"]
    assert torch.equal(made, held)
    assert len(torch.unique(made)) > 100


def test_the_geometry_is_that_of_the_samples() -> None:
    description = description_of("add", maps=(20, 24))
    described, of_samples = (
        geometry_of(description), LidarGeometry.of(samples_of(description, 2)),
    )  # fmt: skip
    assert np.array_equal(described.azimuth, of_samples.azimuth)
    assert np.array_equal(described.zenith, of_samples.zenith)
    rest = ("max_range", "focal_length", "image_size", "quarter_turns")
    assert [getattr(described, name) for name in rest] == [
        getattr(of_samples, name) for name in rest
    ]


def test_probabilities_are_the_mean_over_models_each_by_its_temperature() -> None:
    temperatures = (0.5, 1.0, 7.0)
    graph = graph_of(description_of("concat"), temperatures)
    inputs = recorded(graph, 4)
    assert graph.rgb is not None
    assert graph.lidar is not None
    maps = {name: getattr(graph, name)(torch.from_numpy(inputs[name])) for name in graph.sees}
    logits = [model(maps).detach().double().numpy() for model in graph.models]
    of_each = [softmax(of / by, axis=1) for of, by in zip(logits, temperatures, strict=True)]
    found = answers(graph, inputs)
    assert np.abs(found - np.mean(of_each, axis=0)).max() < 1e-6
    assert np.abs(of_each[0] - of_each[2]).max() > 1e-3
    assert found.sum(axis=1) == pytest.approx(1)


def test_models_that_were_trained_in_bf16_are_exported_in_fp32() -> None:
    description = description_of("concat")
    assert description.spec.precision == "bf16"
    assert build_in_fp32(description).precision == "fp32"


def test_inputs_are_what_is_kept_of_a_sample_and_only_of_sensors_that_are_seen() -> None:
    rgb = Tensors("rgb", "uint8", (16, 16, 3), "the image: red, green, blue")
    lidar = Tensors(
        "lidar", "float32", (20, 24),
        "range of each cell in metres, 0 to 50; 50: nothing came back",
    )  # fmt: skip
    seen = {
        name: graph_of(description_of(name, maps=(20, 24))).inputs
        for name in ("early", "rgb_only", "lidar_only")
    }
    assert seen == {"early": (rgb, lidar), "rgb_only": (rgb,), "lidar_only": (lidar,)}
    output = output_of(description_of("add", classes=("a", "b", "c")))
    assert (output.name, output.dtype, output.shape) == ("probabilities", "float32", (3,))


@pytest.mark.parametrize(("fusion", "takes"), [("add", True), ("rgb_only", False)])
def test_ids_are_taken_where_angles_are_looked_up_by_them(fusion: str, takes: bool) -> None:
    notebook = SPHERICAL.model_copy(update={"projection": "notebook"})
    names = [each.name for each in graph_of(description_of(fusion, lidar=notebook)).inputs]
    assert ("ids" in names) is takes
