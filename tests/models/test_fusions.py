"""The contract of a fusion. Every file in models/fusions/ is tested by being there."""

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

import fusebench.fusions
from fusebench.errors import ParamsError
from fusebench.models import registry, weights
from fusebench.models.base import (
    ConvBlock,
    Fusion,
    IntermediateFusion,
    ModelSpec,
    Stem,
    flatten,
)

NAMES = registry.names()
UNIMODAL = [name for name in NAMES if len(registry.fusion_class(name).inputs) == 1]
KNOWN_INPUTS = ("rgb", "lidar")
SIZE = (32, 16)

Pooling = Literal["max", "strided"]
Precision = Literal["fp32", "bf16"]

every_fusion = pytest.mark.parametrize("name", NAMES)
each_pooling = pytest.mark.parametrize("pooling", ["max", "strided"])


def built(
    name: str,
    pooling: Pooling = "max",
    classes: int = 2,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    precision: Precision = "fp32",
) -> Fusion:
    model = registry.build(ModelSpec(name, classes, size, pooling, precision))
    weights.initialize(model, seed)
    return model


def random_maps(
    count: int = 6, size: tuple[int, int] = SIZE, seed: int = 0, names: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(count, 4, *size, generator=generator) for name in names or KNOWN_INPUTS
    }


def loss_of(model: Fusion, classes: int) -> Tensor:
    inputs = random_maps()
    labels = torch.arange(len(inputs["rgb"])) % classes
    return F.cross_entropy(model(inputs), labels)


# --- What comes out ---


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("size", [(16, 16), (32, 16), (48, 64), (17, 50), (35, 23)])
@each_pooling
@every_fusion
def test_logits_are_finite_and_one_per_class(
    name: str, pooling: Pooling, size: tuple[int, int], classes: int
) -> None:
    logits = built(name, pooling, classes, size)(random_maps(3, size))
    assert logits.shape == (3, classes)
    assert logits.dtype == torch.float32
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


@each_pooling
@every_fusion
def test_training_mode_computes_what_evaluation_mode_does(name: str, pooling: Pooling) -> None:
    model, inputs = built(name, pooling), random_maps()
    assert torch.equal(model.train()(inputs), model.eval()(inputs))


# --- What is learnt ---


@pytest.mark.parametrize("classes", [2, 3])
@each_pooling
@every_fusion
def test_every_parameter_gets_a_gradient(name: str, pooling: Pooling, classes: int) -> None:
    model = built(name, pooling, classes)
    torch.autograd.backward(loss_of(model, classes))
    without = [
        key
        for key, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


@each_pooling
@every_fusion
def test_every_parameter_changes_in_one_step(name: str, pooling: Pooling) -> None:
    model = built(name, pooling)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    torch.autograd.backward(loss_of(model, 2))
    optimizer.step()
    same = [key for key, now in model.named_parameters() if torch.equal(now, before[key])]
    assert same == []


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
    declared = registry.fusion_class(name).inputs
    assert declared
    assert len(set(declared)) == len(declared)
    assert set(declared) <= set(KNOWN_INPUTS)


@each_pooling
@every_fusion
def test_each_declared_input_matters(name: str, pooling: Pooling) -> None:
    model, inputs, others = built(name, pooling), random_maps(), random_maps(seed=1)
    logits = model(inputs)
    for changed in model.inputs:
        difference = (model({**inputs, changed: others[changed]}) - logits).abs()
        assert (difference.amax(dim=1) > 1e-5).all(), changed


@each_pooling
@every_fusion
def test_undeclared_input_neither_matters_nor_need_be_there(name: str, pooling: Pooling) -> None:
    model, inputs = built(name, pooling), random_maps()
    needed = {key: inputs[key] for key in model.inputs}
    useless = {key: torch.full_like(inputs["rgb"], torch.nan) for key in (*KNOWN_INPUTS, "radar")}
    assert torch.equal(model({**useless, **needed}), model(needed))


def test_each_input_has_a_model_that_reads_it_alone() -> None:
    assert {registry.fusion_class(name).inputs for name in UNIMODAL} == {("rgb",), ("lidar",)}


@each_pooling
@pytest.mark.parametrize("name", UNIMODAL)
def test_model_of_one_input_reads_only_that_one(name: str, pooling: Pooling) -> None:
    model = built(name, pooling)
    (own,) = model.inputs
    (other,) = set(KNOWN_INPUTS) - {own}
    assert name == f"{own}_only"
    held = random_maps(names=(own,))
    assert torch.equal(model({**held, other: torch.full_like(held[own], torch.nan)}), model(held))
    assert not any(other in key for key in model.state_dict())


@each_pooling
@pytest.mark.parametrize("name", UNIMODAL)
def test_model_of_one_input_has_stem_and_head_of_the_intermediate_fusions(
    name: str, pooling: Pooling
) -> None:
    alone, fused = built(name, pooling).state_dict(), built("add", pooling).state_dict()
    assert alone.keys() < fused.keys()
    assert all_equal(alone, fused)


# --- Initial weights ---


def stem_weights(model: Fusion, name: str) -> dict[str, Tensor]:
    return dict(model.stems[name].state_dict())


def all_equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


@each_pooling
@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("source", KNOWN_INPUTS)
def test_stems_of_all_fusions_start_equal(source: str, seed: int, pooling: Pooling) -> None:
    models = [built(name, pooling, seed=seed) for name in NAMES]
    stems = [stem_weights(each, source) for each in models if source in each.inputs]
    assert len(stems) == len(NAMES) - len(UNIMODAL) + 1
    assert all(all_equal(stems[0], stem) for stem in stems[1:])


@every_fusion
def test_another_seed_gives_every_parameter_another_start(name: str) -> None:
    first, second = built(name, seed=0), dict(built(name, seed=1).named_parameters())
    assert not [key for key, value in first.named_parameters() if torch.equal(value, second[key])]


def test_stems_of_two_inputs_start_different() -> None:
    model = built("add")
    rgb, lidar = stem_weights(model, "rgb"), stem_weights(model, "lidar")
    assert not [key for key in rgb if torch.equal(rgb[key], lidar[key])]


@every_fusion
def test_start_depends_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    first = built(name).state_dict()
    torch.manual_seed(2)
    assert all_equal(first, built(name).state_dict())


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
@pytest.mark.parametrize(
    ("name", "count"),
    [
        # The notebook's.
        ("late", 3_336_662), ("concat", 191_042), ("add", 117_314), ("hadamard", 117_314),
        # One stem and the head; two stems with a head each.
        ("rgb_only", 97_634), ("lidar_only", 97_634), ("late_matched", 195_266),
    ],
)  # fmt: skip
def test_parameter_count_is_known(name: str, count: int, pooling: Pooling) -> None:
    model = registry.build(ModelSpec(name, 2, (64, 64), pooling, "fp32"))
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def operations(name: str, pooling: Pooling) -> int:
    """Return the floating-point operations of one sample's forward pass."""
    model, inputs = built(name, pooling, size=(64, 64)), random_maps(1, (64, 64))
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops())


@each_pooling
def test_matched_late_fusion_costs_what_concatenation_does(pooling: Pooling) -> None:
    concat, matched = operations("concat", pooling), operations("late_matched", pooling)
    assert concat > 40e6
    assert matched == pytest.approx(concat, rel=0.001)
    assert operations("late", pooling) != pytest.approx(concat, rel=0.05), "the case shows nothing"


@each_pooling
def test_matched_late_fusion_is_a_head_per_input_and_one_linear_layer(pooling: Pooling) -> None:
    model, inputs = built("late_matched", pooling), random_maps()
    vectors = [
        flatten(
            model.get_submodule(f"heads.{name}")(F.max_pool2d(model.stems[name](inputs[name]), 2))
        )
        for name in KNOWN_INPUTS
    ]
    expected = model.get_submodule("classifier")(torch.cat(vectors, dim=1))
    assert torch.equal(model(inputs), expected)


@each_pooling
def test_inputs_of_matched_late_fusion_meet_in_the_logits_alone(pooling: Pooling) -> None:
    # What one input adds to the logits does not depend on what the other shows.
    model, one, two = built("late_matched", pooling), random_maps(), random_maps(seed=1)
    added = [
        model({"rgb": one["rgb"], "lidar": lidar}) - model({"rgb": two["rgb"], "lidar": lidar})
        for lidar in (one["lidar"], two["lidar"])
    ]
    torch.testing.assert_close(added[0], added[1], rtol=0, atol=1e-6)


def with_inputs_swapped(name: str, pooling: Pooling) -> tuple[Tensor, Tensor]:
    """Return logits, and those of a model whose stems and inputs have changed places."""
    model, swapped, inputs = built(name, pooling), built(name, pooling), random_maps()
    other = {"rgb": "lidar", "lidar": "rgb"}
    for key in other:
        swapped.stems[key].load_state_dict(model.stems[other[key]].state_dict())
    return model(inputs), swapped({key: inputs[other[key]] for key in other})


@each_pooling
@pytest.mark.parametrize("name", ["add", "hadamard"])
def test_sum_and_product_commute(name: str, pooling: Pooling) -> None:
    logits, swapped = with_inputs_swapped(name, pooling)
    assert torch.equal(logits, swapped)


@each_pooling
@pytest.mark.parametrize("name", ["concat", "late", "late_matched"])
def test_concatenation_does_not_commute(name: str, pooling: Pooling) -> None:
    logits, swapped = with_inputs_swapped(name, pooling)
    assert not torch.allclose(logits, swapped, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "fused"),
    [("add", [5.0, 7.0]), ("hadamard", [6.0, 10.0]), ("concat", [2.0, 2.0, 3.0, 5.0])],
)
def test_maps_are_fused_by_the_formula(name: str, fused: list[float]) -> None:
    model = built(name)
    assert isinstance(model, IntermediateFusion)
    first, second = torch.tensor([2.0, 2.0]), torch.tensor([3.0, 5.0])
    result = model.fuse(first.reshape(1, 2, 1, 1), second.reshape(1, 2, 1, 1))
    assert result.flatten().tolist() == fused


@pytest.mark.parametrize("name", UNIMODAL)
def test_the_only_map_is_left_as_it_is(name: str) -> None:
    model = built(name)
    assert isinstance(model, IntermediateFusion)
    maps = random_maps(1)["rgb"]
    assert torch.equal(model.fuse(maps), maps)


def test_fused_channels_say_what_fuse_gives() -> None:
    for name in NAMES:
        model = built(name)
        if isinstance(model, IntermediateFusion):
            maps = [torch.ones(1, 64, 8, 4) for _ in model.inputs]
            assert model.fuse(*maps).shape == (1, model.fused_channels(), 8, 4)


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


@pytest.mark.parametrize("ties", [False, True], ids=["random", "ties"])
def test_pooling_before_relu_equals_pooling_after_it(ties: bool) -> None:
    block, maps = ConvBlock(4, 16), random_maps(4)["rgb"]
    if ties:  # Whole numbers: many equal maxima, and maxima that are exactly 0.
        maps = maps.round()
        with torch.no_grad():
            block.conv.weight.copy_((3 * block.conv.weight).round())
            block.conv.bias.zero_() if block.conv.bias is not None else None
    found = []
    for layer in (block, lambda x: F.max_pool2d(F.relu(block.conv(x)), 2)):
        inputs = maps.clone().requires_grad_()
        result = layer(inputs)
        towards = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
        gradients = torch.autograd.grad(result, [inputs, *block.parameters()], towards)
        found.append([result, *gradients])
    assert (found[0][0] == 0).any()
    assert all(torch.equal(first, second) for first, second in zip(*found, strict=True))


@every_fusion
def test_docstring_has_a_formula_and_a_reference(name: str) -> None:
    text = registry.fusion_class(name).__dict__["__doc__"]
    assert re.search(r"\w = \S", text.strip().splitlines()[0]), "formula in the first line"
    _, heading, references = text.partition("References\n    ----------\n")
    assert heading
    assert re.search(r"\b(19|20)\d\d\b", references), "a paper with its year"


# --- Registry ---


@every_fusion
def test_registry_gives_the_class_of_a_name(name: str) -> None:
    found = registry.fusion_class(name)
    assert issubclass(found, Fusion)
    assert found.strategy
    assert isinstance(built(name), found)


def test_registry_holds_the_first_fusions_sorted() -> None:
    assert {"late", "concat", "add", "hadamard", "rgb_only", "lidar_only", "late_matched"} <= set(
        NAMES
    )
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("name", ["", "Late", "__init__", "../registry"])
def test_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ParamsError) as caught:
        registry.fusion_class(name)
    message = str(caught.value)
    assert all(known in message for known in NAMES)
    assert len(message.splitlines()) == 1


@pytest.fixture
def fusions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files are found as if they were in models/fusions/."""
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    monkeypatch.setattr(fusebench.fusions, "__path__", [str(tmp_path)])
    return tmp_path


def source_of(*classes: str) -> str:
    lines = ["from fusebench.models.base import IntermediateFusion"]
    for name in classes:
        lines += [
            f"class {name}(IntermediateFusion):",
            "    def fuse(self, *maps_bchw):",
            "        return maps_bchw[0] - maps_bchw[1]",
        ]
    return "\n".join(lines) + "\n"


def test_new_file_is_a_new_fusion(fusions_folder: Path) -> None:
    (fusions_folder / "difference.py").write_text(source_of("Difference"))
    assert registry.names() == ["difference"]
    assert built("difference")(random_maps(2)).shape == (2, 2)


@pytest.mark.parametrize("name", registry.BASELINES)
def test_file_with_the_name_of_a_baseline_is_refused(name: str, fusions_folder: Path) -> None:
    (fusions_folder / f"{name}.py").write_text(source_of("Taken"))
    for ask in (registry.names, lambda: registry.fusion_class("add")):
        with pytest.raises(ParamsError) as caught:
            ask()
        message = str(caught.value)
        assert f"models/fusions/{name}.py" in message
        assert "baseline" in message
        assert len(message.splitlines()) == 1


@pytest.mark.parametrize(("name", "classes"), [("nothing", ()), ("pair", ("First", "Second"))])
def test_file_must_hold_one_fusion(
    name: str, classes: tuple[str, ...], fusions_folder: Path
) -> None:
    (fusions_folder / f"{name}.py").write_text(source_of(*classes))
    with pytest.raises(ParamsError) as caught:
        registry.fusion_class(name)
    message = str(caught.value)
    assert f"models/fusions/{name}.py" in message
    assert f"holds {len(classes)} fusions" in message
    assert len(message.splitlines()) == 1
