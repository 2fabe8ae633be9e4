"""The contract of a fusion. Every file in fusions/ is tested by being there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fusebench.models import weights
from fusebench.models.base import (
    ConvBlock,
    Fusion,
    IntermediateFusion,
    ModelSpec,
    build,
    build_stem,
    flatten,
    fusion_class,
)
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName

NAMES = FUSIONS.names()
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

Size = tuple[int, int]


@dataclass(frozen=True)
class Encoding:
    """A stem, and how the notebook's halves its maps."""

    stem: StemName = "notebook"
    pooling: Literal["max", "strided"] = "max"

    @property
    def size(self) -> Size:
        """Of the smallest inputs that are higher than wide."""
        return 2 * STEMS[self.stem].smallest, STEMS[self.stem].smallest

    def spec(self, name: str, classes: int = 2, size: Size | None = None) -> ModelSpec:
        return ModelSpec(name, classes, size or self.size, self.pooling, "fp32", self.stem)


MAX = Encoding()
ENCODINGS: dict[str, Encoding] = {"max": MAX, "strided": Encoding(pooling="strided")}
ENCODINGS |= {stem: Encoding(stem) for stem in STEMS if stem != "notebook"}
every_fusion = pytest.mark.parametrize("name", NAMES)
each_encoding = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
Pooling = Literal["max", "strided"]
each_pooling = pytest.mark.parametrize("pooling", ["max", "strided"])


def built(
    name: str,
    encoding: Encoding = MAX,
    classes: int = 2,
    size: Size | None = None,
    seed: int = 0,
) -> Fusion:
    model = build(encoding.spec(name, classes, size))
    weights.initialize(model, seed)
    return model


def random_maps(count: int = 6, size: Size = MAX.size, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(count, 4, *size, generator=generator) for name in KNOWN_INPUTS}


def evaluate(model: Fusion, seen: Mapping[str, Tensor]) -> None:
    """Let a model evaluate, with the means of some samples where it normalises batches."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    model.train()
    model(seen)
    model.eval()


def all_equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


# --- Logits ---


@pytest.mark.parametrize(
    ("size", "classes"), [((16, 16), 2), ((48, 64), 3), ((17, 50), 2), ((35, 23), 3)]
)
@each_encoding
@every_fusion
def test_logits_are_finite_and_one_per_class(
    name: str, encoding: Encoding, size: Size, classes: int
) -> None:
    # As many times larger as the stem makes its maps smaller; what is odd stays so.
    times = STEMS[encoding.stem].smallest // STEMS["notebook"].smallest
    size = size[0] * times + size[0] % 2, size[1] * times + size[1] % 2
    logits = built(name, encoding, classes, size)(random_maps(3, size))
    assert (logits.shape, logits.dtype) == ((3, classes), torch.float32)
    assert torch.isfinite(logits).all()


@each_encoding
@every_fusion
def test_batch_size_does_not_matter(name: str, encoding: Encoding) -> None:
    model, inputs = built(name, encoding), random_maps(5, encoding.size)
    evaluate(model, random_maps(5, encoding.size, seed=1))
    together = model(inputs)
    # More layers round more often.
    atol = 1e-6 if encoding.stem == "notebook" else 1e-5
    for position in range(5):
        alone = model({key: maps[position : position + 1] for key, maps in inputs.items()})
        torch.testing.assert_close(alone[0], together[position], rtol=0, atol=atol)
    assert not torch.allclose(together[0], together[1], rtol=0, atol=1e-4)


# --- Parameters ---


@each_encoding
@every_fusion
def test_every_parameter_gets_a_gradient_and_changes_in_one_step(
    name: str, encoding: Encoding
) -> None:
    model = built(name, encoding, classes=3)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    torch.autograd.backward(
        F.cross_entropy(model(random_maps(size=encoding.size)), torch.arange(6) % 3)
    )
    optimizer.step()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key
        assert not torch.equal(parameter, before[key]), key


@each_encoding
@every_fusion
def test_checkpoint_holds_every_parameter_and_gives_the_same_logits(
    name: str, encoding: Encoding, tmp_path: Path
) -> None:
    model, other, path = built(name, encoding), built(name, encoding, seed=1), tmp_path / "w"
    evaluate(model, random_maps(size=encoding.size, seed=1))
    other.eval()
    weights.save(path, model.state_dict())
    assert set(load_file(path)) >= {key for key, _ in model.named_parameters()}
    inputs = random_maps(size=encoding.size)
    assert not torch.allclose(other(inputs), model(inputs))
    weights.load(path, other)
    assert torch.equal(other(inputs), model(inputs))


# --- Inputs ---


@every_fusion
def test_declared_inputs_are_such_as_samples_have(name: str) -> None:
    declared = fusion_class(name).inputs
    assert len(set(declared)) == len(declared) > 0
    assert set(declared) <= set(KNOWN_INPUTS)


@each_encoding
@every_fusion
def test_each_declared_input_matters_and_no_other(name: str, encoding: Encoding) -> None:
    model, size = built(name, encoding), encoding.size
    inputs, others = random_maps(size=size), random_maps(size=size, seed=1)
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


@each_encoding
@every_fusion
def test_start_depends_on_the_seed_alone(name: str, encoding: Encoding) -> None:
    torch.manual_seed(1)
    model = built(name, encoding)
    first = model.state_dict()
    torch.manual_seed(2)
    assert all_equal(first, built(name, encoding).state_dict())
    other = built(name, encoding, seed=1).state_dict()
    drawn = [
        f"{key}.{part}"
        for key, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
        for part in layer.state_dict()
    ]
    assert not [key for key in drawn if torch.equal(first[key], other[key])]
    # All others are batch normalisation's, which starts without a draw.
    assert all_equal({key: first[key] for key in first.keys() - set(drawn)}, other)


@each_encoding
@every_fusion
def test_initial_weights_are_distributed_as_torchs_default(name: str, encoding: Encoding) -> None:
    for key, layer in built(name, encoding, seed=3).named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        bound = layer.weight[0].numel() ** -0.5
        for values in (value.detach() for value in layer.parameters()):
            assert float(values.abs().max()) <= bound, key
            if values.numel() >= 1000:  # Uniform in ±bound.
                assert float(values.abs().max()) > 0.98 * bound, key
                assert float(values.mean()) == pytest.approx(0, abs=0.06 * bound), key
                assert float(values.std()) == pytest.approx(bound / 3**0.5, rel=0.05), key


def test_batch_normalisation_starts_as_torchs_default() -> None:
    layer, untouched = nn.BatchNorm2d(3), nn.BatchNorm2d(3).state_dict()
    for value in layer.state_dict().values():
        value.fill_(7)
    weights.initialize(nn.Sequential(layer), 0)
    assert all_equal(untouched, layer.state_dict())


def test_layer_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match=r"1: .*GroupNorm"):
        weights.initialize(nn.Sequential(nn.Conv2d(1, 1, 1), nn.GroupNorm(1, 1)), 0)


# --- Size and formula ---


@each_pooling
@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameter_count_is_known(name: str, count: int, pooling: Pooling) -> None:
    assert parameters(name, Encoding(pooling=pooling)) == count


def parameters(name: str, encoding: Encoding = MAX) -> int:
    model = build(encoding.spec(name, size=(64, 64)))
    return sum(parameter.numel() for parameter in model.parameters())


def operations(name: str, encoding: Encoding = MAX) -> int:
    """Return the floating-point operations of one sample's forward pass."""
    model, inputs = built(name, encoding, size=(64, 64)), random_maps(1, (64, 64))
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"concat"}))
def test_size_is_that_of_concatenation_or_is_listed_with_its_reason(name: str) -> None:
    """With the notebook's inputs and stem; a share of the size, so that any may be listed."""
    shares = [
        parameters(name) / parameters("concat"),
        operations(name) / operations("concat"),
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
    less = 100 * (1 - operations("early") / operations("concat"))
    assert f"parameters are {fewer:.0f} % and its operations {less:.0f} % fewer than" in text


@each_encoding
def test_matched_late_fusion_costs_what_concatenation_does(encoding: Encoding) -> None:
    concat, matched = operations("concat", encoding), operations("late_matched", encoding)
    assert concat > 10e6
    assert matched == pytest.approx(concat, rel=0.001)
    late = operations("late", encoding)
    assert late != pytest.approx(concat, rel=0.01), "the case shows nothing"
    assert parameters("late_matched", encoding) == pytest.approx(
        parameters("concat", encoding), rel=0.03
    )


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


@each_encoding
@pytest.mark.parametrize("read", [("rgb",), ("lidar",), ("rgb", "lidar")], ids=str)
@pytest.mark.parametrize("size", [(64, 96), (67, 93)])
def test_stem_says_the_channels_and_the_size_of_its_maps(
    encoding: Encoding, read: tuple[str, ...], size: Size
) -> None:
    stem = build_stem(encoding.spec("add", size=size), read)
    made = stem(torch.rand(2, 4 * len(read), *size))
    kind = STEMS[encoding.stem]
    assert made.shape == (2, stem.channels, *stem.map_size)
    assert stem.channels == kind.channels
    assert kind.batch_norm is any(isinstance(layer, nn.BatchNorm2d) for layer in stem.modules())
    if size == (64, 96):
        assert stem.map_size == (64 >> kind.halvings, 96 >> kind.halvings)


def test_strided_stem_has_no_pooling_and_computes_something_else() -> None:
    pooled, strided = ConvBlock(4, 8, "max"), ConvBlock(4, 8, "strided")
    strided.load_state_dict(pooled.state_dict())
    maps = random_maps()["rgb"]
    expected = F.relu(F.conv2d(maps, pooled.conv.weight, pooled.conv.bias, stride=2, padding=1))
    assert torch.equal(strided(maps), expected)
    assert not torch.allclose(pooled(maps), expected)


@pytest.mark.parametrize("key", ["pooling", "precision", "stem"])
def test_stored_spec_with_an_unknown_value_is_refused(key: str) -> None:
    stored = {
        "fusion": "add", "classes": 2, "image_size": [32, 32], "pooling": "max",
        "precision": "bf16", "stem": "resnet18",
    }  # fmt: skip
    assert ModelSpec.parse(stored) == ModelSpec("add", 2, (32, 32), "max", "bf16", "resnet18")
    with pytest.raises(ValueError, match=f"{key} 'fp8' is n"):
        ModelSpec.parse({**stored, key: "fp8"})


def test_stored_spec_without_a_stem_has_the_notebooks() -> None:
    stored = {
        "fusion": "add", "classes": 2, "image_size": [32, 32], "pooling": "max", "precision": "bf16"
    }  # fmt: skip
    assert ModelSpec.parse(stored) == ModelSpec("add", 2, (32, 32), "max", "bf16", "notebook")
