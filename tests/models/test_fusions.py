"""The contract of a fusion. Every file in fusions/ is tested by being there."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fusebench.models import registry, weights
from fusebench.models.base import (
    ConvBlock,
    Fusion,
    IntermediateFusion,
    ModelSpec,
    Stem,
    build,
    flatten,
    fusion_class,
)

NAMES = registry.names()
UNIMODAL = [name for name in NAMES if len(fusion_class(name).inputs) == 1]
KNOWN_INPUTS = ("rgb", "lidar")
PARAMETERS = {
    # The notebook's.
    "late": 3_336_662, "concat": 191_042, "add": 117_314, "hadamard": 117_314,
    # One stem and the head; two stems with a head each.
    "rgb_only": 97_634, "lidar_only": 97_634, "late_matched": 195_266,
    # One stem and the head; the first convolution reads four channels more.
    "early": 98_786,
    # Two stems, a layer of their own, and a head that is as wide as that leaves room for.
    "gated": 179_042, "low_rank_bilinear": 183_202,
    # concat, and what the maps tell each other.
    "film": 207_682, "cross_attention": 207_682, "bottleneck": 208_258,
}  # fmt: skip
# Fusions that differ from concat by more than 10 % in parameters or operations, and why.
OTHER_SIZE = {
    "add": "its head reads one map, and there is nothing to make wider",
    "hadamard": "its head reads one map, and there is nothing to make wider",
    "early": "it has one stem, and a head that reads one map",
    "rgb_only": "it has one stem, and a head that reads one map",
    "lidar_only": "it has one stem, and a head that reads one map",
    "late": "the notebook's: large linear layers; late_matched has concat's size",
}

Pooling = Literal["max", "strided"]

every_fusion = pytest.mark.parametrize("name", NAMES)
each_pooling = pytest.mark.parametrize("pooling", ["max", "strided"])


def built(
    name: str,
    pooling: Pooling = "max",
    classes: int = 2,
    size: tuple[int, int] = (32, 16),
    seed: int = 0,
) -> Fusion:
    model = build(ModelSpec(name, classes, size, pooling, "fp32"))
    weights.initialize(model, seed)
    return model


def random_maps(
    count: int = 6, size: tuple[int, int] = (32, 16), seed: int = 0
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, 4, *size, generator=generator) for name in KNOWN_INPUTS}


def all_equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


# --- Logits ---


@pytest.mark.parametrize(
    ("size", "classes"), [((16, 16), 2), ((48, 64), 3), ((17, 50), 2), ((35, 23), 3)]
)
@each_pooling
@every_fusion
def test_logits_are_finite_and_one_per_class(
    name: str, pooling: Pooling, size: tuple[int, int], classes: int
) -> None:
    logits = built(name, pooling, classes, size)(random_maps(3, size))
    assert (logits.shape, logits.dtype) == ((3, classes), torch.float32)
    assert torch.isfinite(logits).all()


@each_pooling
@every_fusion
def test_batch_size_does_not_matter(name: str, pooling: Pooling) -> None:
    model, inputs = built(name, pooling).eval(), random_maps(5)
    together = model(inputs)
    for position in range(5):
        alone = model({key: maps[position : position + 1] for key, maps in inputs.items()})
        torch.testing.assert_close(alone[0], together[position], rtol=0, atol=1e-6)
    assert not torch.allclose(together[0], together[1], rtol=0, atol=1e-4)


# --- Parameters ---


@each_pooling
@every_fusion
def test_every_parameter_gets_a_gradient_and_changes_in_one_step(
    name: str, pooling: Pooling
) -> None:
    model = built(name, pooling, classes=3)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    torch.autograd.backward(F.cross_entropy(model(random_maps()), torch.arange(6) % 3))
    optimizer.step()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key
        assert not torch.equal(parameter, before[key]), key


@each_pooling
@every_fusion
def test_checkpoint_holds_every_parameter_and_gives_the_same_logits(
    name: str, pooling: Pooling, tmp_path: Path
) -> None:
    model, other, path = built(name, pooling), built(name, pooling, seed=1), tmp_path / "w"
    weights.save(path, model.state_dict())
    assert set(load_file(path)) >= {key for key, _ in model.named_parameters()}
    inputs = random_maps()
    assert not torch.allclose(other(inputs), model(inputs))
    weights.load(path, other)
    assert torch.equal(other(inputs), model(inputs))


# --- Inputs ---


@every_fusion
def test_declared_inputs_are_such_as_samples_have(name: str) -> None:
    declared = fusion_class(name).inputs
    assert len(set(declared)) == len(declared) > 0
    assert set(declared) <= set(KNOWN_INPUTS)


@each_pooling
@every_fusion
def test_each_declared_input_matters_and_no_other(name: str, pooling: Pooling) -> None:
    model, inputs, others = built(name, pooling), random_maps(), random_maps(seed=1)
    logits = model(inputs)
    for changed in model.inputs:
        difference = (model({**inputs, changed: others[changed]}) - logits).abs()
        assert (difference.amax(dim=1) > 1e-5).all(), changed
    needed = {key: inputs[key] for key in model.inputs}
    useless = {key: torch.full_like(inputs["rgb"], torch.nan) for key in (*KNOWN_INPUTS, "radar")}
    for given in (needed, {**useless, **needed}):
        assert torch.equal(model(given), logits)


def test_each_input_has_a_model_that_reads_it_alone() -> None:
    read = {name: fusion_class(name).inputs for name in UNIMODAL}
    assert read == {"rgb_only": ("rgb",), "lidar_only": ("lidar",)}


# --- Initial weights ---


def test_stems_of_two_inputs_start_different() -> None:
    stems = built("add").stems
    rgb, lidar = stems["rgb"].state_dict(), stems["lidar"].state_dict()
    assert not [key for key in rgb if torch.equal(rgb[key], lidar[key])]


@every_fusion
def test_start_depends_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    first = built(name).state_dict()
    torch.manual_seed(2)
    assert all_equal(first, built(name).state_dict())
    other = built(name, seed=1).state_dict()
    assert not [key for key in first if torch.equal(first[key], other[key])]


@every_fusion
def test_initial_weights_are_distributed_as_torchs_default(name: str) -> None:
    for key, layer in built(name, seed=3).named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        bound = layer.weight[0].numel() ** -0.5
        for values in (value.detach() for value in layer.parameters()):
            assert float(values.abs().max()) <= bound, key
            if values.numel() >= 1000:  # Uniform in ±bound.
                assert float(values.abs().max()) > 0.98 * bound, key
                assert float(values.mean()) == pytest.approx(0, abs=0.06 * bound), key
                assert float(values.std()) == pytest.approx(bound / 3**0.5, rel=0.05), key


def test_layer_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match=r"1: .*BatchNorm2d"):
        weights.initialize(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), 0)


# --- Size and formula ---


@each_pooling
@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameter_count_is_known(name: str, count: int, pooling: Pooling) -> None:
    assert parameters(name, pooling) == count


def parameters(name: str, pooling: Pooling = "max") -> int:
    model = build(ModelSpec(name, 2, (64, 64), pooling, "fp32"))
    return sum(parameter.numel() for parameter in model.parameters())


def operations(name: str, pooling: Pooling) -> int:
    """Return the floating-point operations of one sample's forward pass."""
    model, inputs = built(name, pooling, size=(64, 64)), random_maps(1, (64, 64))
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"concat"}))
def test_size_is_that_of_concatenation_or_is_listed_with_its_reason(name: str) -> None:
    """With the notebook's inputs and stem; a share of the size, so that any may be listed."""
    shares = [
        parameters(name) / parameters("concat"),
        operations(name, "max") / operations("concat", "max"),
    ]
    alike = all(0.9 <= share <= 1.1 for share in shares)
    assert alike is (name not in OTHER_SIZE), shares


@pytest.mark.parametrize("name", ["film", "cross_attention", "bottleneck"])
def test_what_is_said_of_more_parameters_is_so(name: str) -> None:
    said = re.search(r"concatenation with (\d+) % more", fusion_class(name).__doc__ or "")
    assert said
    assert round(100 * (parameters(name) / parameters("concat") - 1)) == int(said[1])


def test_what_is_said_of_early_fusions_size_is_so() -> None:
    text = " ".join((fusion_class("early").__doc__ or "").split())
    fewer = 100 * (1 - parameters("early") / parameters("concat"))
    less = 100 * (1 - operations("early", "max") / operations("concat", "max"))
    assert f"parameters are {fewer:.0f} % and its operations {less:.0f} % fewer than" in text


@each_pooling
def test_matched_late_fusion_costs_what_concatenation_does(pooling: Pooling) -> None:
    concat, matched = operations("concat", pooling), operations("late_matched", pooling)
    assert concat > 40e6
    assert matched == pytest.approx(concat, rel=0.001)
    assert operations("late", pooling) != pytest.approx(concat, rel=0.05), "the case shows nothing"


def test_matched_late_fusion_is_a_head_per_input_and_one_linear_layer() -> None:
    model, inputs = built("late_matched"), random_maps()
    vectors = [
        flatten(
            model.get_submodule(f"heads.{name}")(F.max_pool2d(model.stems[name](inputs[name]), 2))
        )
        for name in KNOWN_INPUTS
    ]
    expected = model.get_submodule("classifier")(torch.cat(vectors, dim=1))
    assert torch.equal(model(inputs), expected)


@pytest.mark.parametrize(
    ("name", "commutes"),
    [("add", True), ("hadamard", True), ("concat", False), ("late", False),
     ("late_matched", False), ("gated", False), ("film", False), ("low_rank_bilinear", False),
     ("cross_attention", False), ("bottleneck", False)],
)  # fmt: skip
def test_sum_and_product_commute_and_concatenation_does_not(name: str, commutes: bool) -> None:
    model, swapped, inputs = built(name), built(name), random_maps()
    other = {"rgb": "lidar", "lidar": "rgb"}
    for key in other:
        swapped.stems[key].load_state_dict(model.stems[other[key]].state_dict())
    logits = swapped({key: inputs[other[key]] for key in other})
    assert torch.allclose(logits, model(inputs), rtol=0, atol=0 if commutes else 1e-4) is commutes


@pytest.mark.parametrize(
    ("name", "maps", "fused"),
    [
        ("add", [[2, 2], [3, 5]], [5, 7]),
        ("hadamard", [[2, 2], [3, 5]], [6, 10]),
        ("concat", [[2, 2], [3, 5]], [2, 2, 3, 5]),
        ("rgb_only", [[2, 3]], [2, 3]),
        ("lidar_only", [[2, 3]], [2, 3]),
    ],
)
def test_maps_are_fused_by_the_formula(
    name: str, maps: list[list[int]], fused: list[float]
) -> None:
    model = built(name)
    assert isinstance(model, IntermediateFusion)
    result = model.fuse(*(torch.tensor(values).reshape(1, 2, 1, 1) for values in maps))
    assert result.flatten().tolist() == fused


@every_fusion
def test_docstring_has_a_formula_and_a_reference(name: str) -> None:
    text = fusion_class(name).__dict__["__doc__"]
    assert re.search(r"\w = \S", text.strip().splitlines()[0]), "formula in the first line"
    _, heading, references = text.partition("References\n    ----------\n")
    assert heading
    assert re.search(r"\b(19|20)\d\d\b", references), "a paper with its year"


# --- Stems ---


@each_pooling
def test_stem_quarters_the_maps(pooling: Pooling) -> None:
    assert Stem(pooling)(random_maps(2, (32, 48))["rgb"]).shape == (2, 64, 8, 12)


def test_strided_stem_has_no_pooling_and_computes_something_else() -> None:
    pooled, strided = ConvBlock(4, 8, "max"), ConvBlock(4, 8, "strided")
    strided.load_state_dict(pooled.state_dict())
    maps = random_maps()["rgb"]
    expected = F.relu(F.conv2d(maps, pooled.conv.weight, pooled.conv.bias, stride=2, padding=1))
    assert torch.equal(strided(maps), expected)
    assert not torch.allclose(pooled(maps), expected)


@pytest.mark.parametrize("key", ["pooling", "precision"])
def test_stored_spec_with_an_unknown_value_is_refused(key: str) -> None:
    stored = {
        "fusion": "add", "classes": 2, "image_size": [32, 32], "pooling": "max", "precision": "bf16"
    }  # fmt: skip
    assert ModelSpec.parse(stored) == ModelSpec("add", 2, (32, 32), "max", "bf16")
    with pytest.raises(ValueError, match=f"{key} 'fp8' is neither"):
        ModelSpec.parse({**stored, key: "fp8"})
