"""Fusions with layers of their own against their formulas, computed place by place in numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from fusebench.models import weights
from fusebench.models.attention import place_code
from fusebench.models.base import IntermediateFusion, ModelSpec, build

Array = npt.NDArray[np.float64]
Layer = Callable[[Array], Array]
CHANNELS = 64
SIZE = (3, 5)
HEADS = 4


def built(name: str) -> IntermediateFusion:
    model = build(ModelSpec(name, 2, (32, 32), "max", "fp32"))
    weights.initialize(model, 0)
    assert isinstance(model, IntermediateFusion)
    return model.double()


@pytest.fixture
def maps() -> list[Array]:
    """Two samples of what stems give: (2, 64, 3, 5), none negative."""
    drawn = np.random.default_rng(0)
    return [drawn.random((2, CHANNELS, *SIZE)) for _ in range(2)]


def fused(model: IntermediateFusion, maps: list[Array]) -> Array:
    with torch.no_grad():
        made: Array = model.fuse(*map(torch.from_numpy, maps)).numpy()
    return made


def linear(model: IntermediateFusion, name: str) -> Layer:
    """Return a layer of the model as a matrix: a function of vectors (…, c)."""
    layer: Any = model.get_submodule(name)
    matrix: Array = layer.weight.detach().numpy().reshape(layer.weight.shape[:2])
    bias: Array = np.zeros(()) if layer.bias is None else layer.bias.detach().numpy()

    def computed(vectors: Array) -> Array:
        made: Array = vectors @ matrix.T + bias
        return made

    return computed


def places(maps: Array) -> Array:
    """Return maps as (b, places, c), row by row."""
    return maps.reshape(*maps.shape[:2], -1).transpose(0, 2, 1)


def as_maps(vectors: Array) -> Array:
    return vectors.transpose(0, 2, 1).reshape(len(vectors), -1, *SIZE)


def assert_close(found: Array, expected: Array, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=atol)


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def shares(scores: Array) -> Array:
    """Return the softmax over the last axis."""
    raised = np.exp(scores)
    share: Array = raised / raised.sum(-1, keepdims=True)
    return share


def code() -> Array:
    """Return the place code by its definition, number by number."""
    quarter = CHANNELS // 4
    made = np.empty((SIZE[0] * SIZE[1], CHANNELS))
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            for i in range(quarter):
                for part, place in enumerate((row, column)):
                    angle = place / 10_000 ** (i / quarter)
                    at = row * SIZE[1] + column, 2 * part * quarter + i
                    made[at] = np.sin(angle)
                    made[at[0], at[1] + quarter] = np.cos(angle)
    return made


def attended(model: IntermediateFusion, name: str, queries: Array, keys: Array,
             values: Array) -> Array:  # fmt: skip
    """Return what each query finds, head by head and query by query."""
    q, k, v = (
        linear(model, f"{name}.{part}")(given)
        for part, given in (("query", queries), ("key", keys), ("value", values))
    )
    width = q.shape[2] // HEADS
    found = np.empty_like(q)
    for sample in range(len(q)):
        for head in range(HEADS):
            own = slice(head * width, (head + 1) * width)
            for place in range(q.shape[1]):
                scores = k[sample, :, own] @ q[sample, place, own] / np.sqrt(width)
                found[sample, place, own] = shares(scores) @ v[sample, :, own]
    return linear(model, f"{name}.out")(found)


def test_gated(maps: list[Array]) -> None:
    model, (rgb, lidar) = built("gated"), (places(each) for each in maps)
    z = sigmoid(linear(model, "gate")(np.concatenate([rgb, lidar], 2)))
    seen = z * np.tanh(linear(model, "values.rgb")(rgb))
    seen += (1 - z) * np.tanh(linear(model, "values.lidar")(lidar))
    assert_close(fused(model, maps), as_maps(seen))
    assert seen.shape[2] == model.fused_channels() == 96


def test_film(maps: list[Array]) -> None:
    model = built("film")
    expected: list[Array] = []
    rgb, lidar = maps
    for name, own, other in (("rgb", rgb, lidar), ("lidar", lidar, rgb)):
        both = linear(model, f"modulations.{name}")(other.mean((2, 3)))
        scale, shift = np.split(both[:, :, None, None], 2, axis=1)
        expected.append(np.maximum((1 + scale) * own + shift, 0))
    assert_close(fused(model, maps), np.concatenate(expected, 1))
    assert all((each == 0).any() for each in expected), "the case shows nothing of relu"


def test_low_rank_bilinear(maps: list[Array]) -> None:
    model, (rgb, lidar) = built("low_rank_bilinear"), (places(each) for each in maps)
    u, v = linear(model, "factors.rgb"), linear(model, "factors.lidar")
    seen = linear(model, "project")(np.tanh(u(rgb)) * np.tanh(v(lidar)))
    assert_close(fused(model, maps), as_maps(seen))


def test_low_rank_bilinear_of_identities_without_tanh_is_hadamard(
    maps: list[Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = built("low_rank_bilinear"), built("hadamard")
    for layer in (*model.get_submodule("factors").children(), model.get_submodule("project")):
        torch.nn.init.dirac_(layer.weight)  # type: ignore[arg-type]
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    monkeypatch.setattr(torch, "tanh", lambda values: values)
    found = fused(model, maps)
    np.testing.assert_array_equal(found[:, :CHANNELS], fused(other, maps))
    assert not found[:, CHANNELS:].any()


def test_place_code() -> None:
    like = torch.empty(2, CHANNELS, *SIZE, dtype=torch.float64)
    assert_close(place_code(like).numpy(), code())
    assert len(np.unique(code().round(6), axis=0)) == SIZE[0] * SIZE[1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_place_code_has_the_format_of_the_maps(dtype: torch.dtype) -> None:
    made = place_code(torch.empty(1, CHANNELS, *SIZE, dtype=dtype))
    assert made.dtype == dtype
    assert_close(made.double().numpy(), code(), atol=torch.finfo(dtype).eps)


def test_cross_attention(maps: list[Array]) -> None:
    model, p = built("cross_attention"), code()
    rgb, lidar = (places(each) for each in maps)
    expected = [
        own + attended(model, f"attentions.{name}", own + p, other + p, other)
        for name, own, other in (("rgb", rgb, lidar), ("lidar", lidar, rgb))
    ]
    seen = np.concatenate([as_maps(each) for each in expected], 1)
    assert_close(fused(model, maps), seen)


def test_bottleneck(maps: list[Array]) -> None:
    model, p = built("bottleneck"), code()
    own = dict(zip(("rgb", "lidar"), (places(each) for each in maps), strict=True))
    gathered: list[Array] = []
    for name, x in own.items():
        scores = linear(model, f"scores.{name}")(x + p)
        assert scores.shape == (2, SIZE[0] * SIZE[1], 4)
        gathered.append(shares(scores.transpose(0, 2, 1)) @ linear(model, f"values.{name}")(x))
    z = (gathered[0] + gathered[1]) / 2
    expected = [x + attended(model, f"attentions.{name}", x + p, z, z) for name, x in own.items()]
    seen = np.concatenate([as_maps(each) for each in expected], 1)
    assert_close(fused(model, maps), seen)


@pytest.mark.parametrize("name", ["cross_attention", "bottleneck"])
def test_attention_tells_places_apart_and_without_the_code_it_does_not(
    name: str, maps: list[Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found, where one input shows the same and the other's places are exchanged."""
    model = built(name)
    constant = np.broadcast_to(maps[0][:, :, :1, :1], maps[0].shape).copy()
    turned = maps[1][:, :, ::-1].copy()

    def found(lidar: Array) -> Array:
        return fused(model, [constant, lidar])[:, :CHANNELS]

    assert np.abs(found(turned) - found(maps[1])).max() > 1e-5
    monkeypatch.setattr(
        "fusebench.models.attention.place_code",
        lambda maps: torch.zeros(maps[0, 0].numel(), CHANNELS, dtype=maps.dtype),
    )
    assert_close(found(turned), found(maps[1]), atol=1e-12)


@pytest.mark.parametrize("name", ["cross_attention", "bottleneck"])
def test_attention_sees_halved_maps_and_the_head_the_result(name: str) -> None:
    model = build(ModelSpec(name, 2, (32, 32), "max", "fp32"))
    assert isinstance(model, IntermediateFusion)
    weights.initialize(model, 0)
    stems = [torch.rand(2, CHANNELS, 8, 8) for _ in range(2)]
    halved = [torch.nn.functional.max_pool2d(each, 2) for each in stems]
    expected = model.classifier(model.head(model.fuse(*halved)).permute(0, 2, 3, 1).flatten(1))
    assert torch.equal(model.classify(stems), expected)


def test_early_fusion_has_one_stem_that_reads_the_channels_of_both_inputs() -> None:
    model = build(ModelSpec("early", 2, (32, 32), "max", "fp32"))
    weights.initialize(model, 0)
    inputs = {name: torch.rand(3, 4, 32, 32) for name in ("rgb", "lidar")}
    (name,) = model.stems
    both = torch.cat([inputs["rgb"], inputs["lidar"]], dim=1)
    assert torch.equal(model(inputs), model.classify([model.stems[name](both)]))
    assert name not in inputs, "it would be taken for the stem of that input alone"
