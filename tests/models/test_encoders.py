"""Encoders of torchvision: what they compute, where they are cut, the weights they start from."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models import costs
from tests.models.test_weights import Payload
from tests.project import ROOT
from torch import Tensor, nn
from torchvision import models

from fusebench.errors import ArtifactError
from fusebench.models import encoders, weights
from fusebench.models.base import Fusion, ModelSpec, build, fusion_class
from fusebench.models.encoders import DEVIATION, MEAN, check_weights, encoder, load_weights
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, ModelParams, ModelSettings, StemName

ENCODERS: list[StemName] = ["resnet18", "mobilenet_v3_small"]
each_encoder = pytest.mark.parametrize("name", ENCODERS)
FIRST = {"resnet18": "conv1.weight", "mobilenet_v3_small": "features.0.0.weight"}

Store = Callable[..., ModelSettings]


@cache
def network(name: StemName) -> nn.Module:
    """Return torchvision's network, its batch normalisation as after a training. Read-only."""
    torch.manual_seed(0)
    made: nn.Module = getattr(models, name)(weights=None)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.1)
            nn.init.normal_(layer.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return made.eval()


def cut(name: StemName, images: Tensor) -> Tensor:
    """Return what torchvision's network makes of normalised images, up to where stems are cut."""
    whole = network(name)
    if name == "mobilenet_v3_small":
        for block in list(whole.get_submodule("features").children())[:9]:
            images = block(images)
        return images
    for part in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"):
        images = whole.get_submodule(part)(images)
    return images


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Write torchvision's weights, changed as asked; return the settings that name the file."""

    def stored(
        name: StemName, change: Callable[[dict[str, Tensor]], object] = lambda _: None
    ) -> ModelSettings:
        tensors = {key: value.clone() for key, value in network(name).state_dict().items()}
        change(tensors)
        save_file(tensors, tmp_path / "w.safetensors")
        return named(name, tmp_path / "w.safetensors")

    return stored


def named(name: StemName, path: Path) -> ModelSettings:
    return ModelParams(stem=name, weights=str(path)).with_digest()


def spec(stem: StemName, fusion: str = "add") -> ModelSpec:
    return ModelSpec(fusion, 2, (64, 64), "max", "fp32", stem)


def built(stem: StemName, fusion: str = "add", seed: int = 0) -> Fusion:
    model = build(spec(stem, fusion))
    weights.initialize(model, seed)
    return model


def started(settings: ModelSettings, fusion: str = "add") -> Fusion:
    model = built(settings.stem, fusion)
    load_weights(model, settings)
    return model


def refusal(ask: Callable[[ModelSettings], object], settings: ModelSettings) -> str:
    with pytest.raises(ArtifactError) as caught:
        ask(settings)
    said = str(caught.value)
    assert said.startswith(f"{settings.weights}: ")
    assert said.isprintable()
    return said


# --- What they compute ---


@each_encoder
def test_with_stored_weights_a_stem_is_torchvisions_network_cut(
    name: StemName, store: Store
) -> None:
    stem = started(store(name)).stems["rgb"].eval()
    images = torch.rand(2, 3, 64, 96)
    mean, deviation = (torch.tensor(of)[:, None, None] for of in (MEAN, DEVIATION))
    expected = cut(name, (images - mean) / deviation)
    found = stem(torch.cat([images, torch.zeros(2, 1, 64, 96)], 1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert found.shape[1:] == (
        STEMS[name].channels,
        *(side >> STEMS[name].halvings for side in (64, 96)),
    )


def test_mean_and_deviation_are_those_of_torchvisions_weights() -> None:
    for stored in (models.ResNet18_Weights, models.MobileNet_V3_Small_Weights):
        preset = stored.DEFAULT.transforms()
        assert (tuple(preset.mean), tuple(preset.std)) == (MEAN, DEVIATION)


@each_encoder
def test_an_image_is_normalised_and_no_other_channel(name: StemName) -> None:
    made = encoder(spec(name), ("lidar", "rgb")).get_submodule("normalize")
    maps = torch.rand(2, 8, 5, 5)
    expected = maps.clone()
    for channel, (mean, deviation) in enumerate(zip(MEAN, DEVIATION, strict=True), start=4):
        expected[:, channel] = (maps[:, channel] - mean) / deviation
    torch.testing.assert_close(made(maps), expected)
    assert "normalize" not in dict(encoder(spec(name), ("lidar",)).named_children())


@each_encoder
def test_what_normalises_is_no_weight_and_moves_with_the_model(name: StemName) -> None:
    stem = encoder(spec(name), ("rgb",)).double()
    assert not [key for key in stem.state_dict() if key.startswith("normalize")]
    assert stem.get_submodule("normalize")(torch.rand(1, 4, 5, 5).double()).dtype == torch.float64


@each_encoder
def test_running_means_follow_within_a_few_steps(name: StemName) -> None:
    layers = [layer for layer in built(name).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {layer.momentum for layer in layers} == {nn.BatchNorm2d(1).momentum}


@each_encoder
def test_nothing_is_downloaded(name: StemName, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("socket.socket", refused)
    built(name)


def test_torchvision_is_imported_only_for_its_encoders() -> None:
    text = """
import sys
from fusebench.models.base import ModelSpec, build
import fusebench.training.train
build(ModelSpec("add", 2, (64, 64), "max", "fp32"))
print("torchvision" in sys.modules)
build(ModelSpec("add", 2, (64, 64), "max", "fp32", "resnet18"))
print("torchvision" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True"]


# --- The weights they start from ---


@each_encoder
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_stem_that_reads_the_image_starts_from_the_file_and_nothing_else(
    fusion: str, name: StemName, store: Store
) -> None:
    settings = store(name)
    stored = load_file(Path(settings.weights or ""))
    model, drawn = started(settings, fusion), built(name, fusion)
    found, other = model.state_dict(), drawn.state_dict()
    for stem, read in fusion_class(fusion).encoded().items():
        if "rgb" in read:
            for key in model.stems[stem].state_dict():
                own = found.pop(f"stems.{stem}.{key}")
                if key == FIRST[name]:
                    assert torch.equal(own[:, :3], stored[key])
                    assert own.shape[1] == 4 * len(read)
                    assert not own[:, 3:].any()
                else:
                    assert torch.equal(own, stored[key]), key
    assert all(torch.equal(value, other[key]) for key, value in found.items())
    assert found


@each_encoder
def test_without_a_file_all_is_drawn(name: StemName) -> None:
    model, drawn = built(name), built(name).state_dict()
    load_weights(model, ModelSettings(stem=name, weights=None, digest=None))
    assert all(torch.equal(value, drawn[key]) for key, value in model.state_dict().items())


@each_encoder
def test_a_file_without_counts_of_batches_is_taken(name: StemName, store: Store) -> None:
    def drop(tensors: dict[str, Tensor]) -> None:
        for key in [key for key in tensors if key.endswith("num_batches_tracked")]:
            del tensors[key]

    settings = store(name, drop)
    check_weights(settings)
    assert started(settings).state_dict().keys() == built(name).state_dict().keys()


def test_weights_of_half_precision_are_taken_as_fp32(store: Store) -> None:
    def halve(tensors: dict[str, Tensor]) -> None:
        tensors.update({key: value.half() for key, value in tensors.items()})

    assert {value.dtype for value in started(store("resnet18", halve)).parameters()} == {
        torch.float32
    }


def _lose(tensors: dict[str, Tensor]) -> None:
    del tensors["layer2.0.conv1.weight"]


def _reshape(tensors: dict[str, Tensor]) -> None:
    tensors["bn1.bias"] = torch.zeros(65)


def _gray(tensors: dict[str, Tensor]) -> None:
    tensors["conv1.weight"] = tensors["conv1.weight"].mean(1, keepdim=True)


def _spoil(tensors: dict[str, Tensor]) -> None:
    tensors["bn1.bias"][3] = torch.nan


@pytest.mark.parametrize("ask", [check_weights, started])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_lose, "it has no 'layer2.0.conv1.weight'"),
        (_reshape, "'bn1.bias' has the shape [65], not [64]"),
        (_gray, "'conv1.weight' has the shape [64, 1, 7, 7], not [64, 3, 7, 7]"),
        (_spoil, "'bn1.bias' holds what is no number"),
        (dict.clear, "it has no 'conv1.weight'"),
    ],
)
def test_a_file_of_other_weights_is_one_line(
    change: Callable[[dict[str, Tensor]], object],
    reason: str,
    ask: Callable[[ModelSettings], object],
    store: Store,
) -> None:
    settings = store("resnet18", change)
    assert refusal(ask, settings) == (
        f"{settings.weights}: not the weights of torchvision's resnet18 ({reason}); model.weights "
        "must name a safetensors file of them, as docs/encoders.md tells, or be empty"
    )


@pytest.mark.parametrize("ask", [check_weights, started])
def test_the_weights_of_another_network_are_refused(
    ask: Callable[[ModelSettings], object], store: Store
) -> None:
    path = Path(store("mobilenet_v3_small").weights or "")
    assert "(it has no 'conv1.weight')" in refusal(ask, named("resnet18", path))


@pytest.mark.parametrize("ask", [check_weights, started])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_named(
    share: float, ask: Callable[[ModelSettings], object], store: Store
) -> None:
    path = Path(store("resnet18").weights or "")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "not the weights of torchvision's resnet18" in refusal(ask, named("resnet18", path))


@pytest.mark.parametrize("ask", [check_weights, started])
def test_a_pickle_is_refused_and_never_run(
    ask: Callable[[ModelSettings], object], tmp_path: Path
) -> None:
    path, trace = tmp_path / "w.pth", tmp_path / "it ran"
    path.write_bytes(pickle.dumps(Payload(trace)))
    refusal(ask, named("resnet18", path))
    torch.save(network("resnet18").state_dict(), path)
    refusal(ask, named("resnet18", path))
    assert not trace.exists()


def test_a_file_that_is_another_since_stage_check_read_it_is_refused(store: Store) -> None:
    settings = store("resnet18")
    store("resnet18", lambda tensors: tensors["bn1.bias"].add_(1))
    assert refusal(started, settings).endswith(
        "not the file that stage check read; 'dvc repro -s -f check' reads it anew"
    )


def test_a_file_that_is_gone_since_is_named(store: Store) -> None:
    settings = store("resnet18")
    Path(settings.weights or "").unlink()
    assert "(No such file or directory)" in refusal(started, settings)


# --- Size ---


def test_the_page_tells_what_stems_and_fusions_cost() -> None:
    text = costs.PAGE.read_text("utf-8")
    assert text == costs.page(text), "python -m tests.models.costs"


@each_encoder
def test_the_page_tells_where_an_encoder_is_cut(name: StemName) -> None:
    """The last layer is the one that is named, and in torchvision's network more follow."""
    last = costs.CUT[name].strip("`")
    kept = [key.rpartition(".")[0] for key in encoder(spec(name), ("rgb",)).state_dict()]
    assert kept[-1].startswith(f"{last}.")
    behind = [key.rpartition(".")[0] for key in network(name).state_dict()]
    assert behind[: len(kept)] == kept
    assert not behind[len(kept)].startswith(f"{last}.")


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_weights_converted_as_the_page_says_are_taken(
    name: StemName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (snippet,) = re.findall(r"<<'END'\n(.*?)END\n", costs.PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    torch.save(network(name).state_dict(), "resnet18-f37072fd.pth")
    subprocess.run([sys.executable, "-c", snippet], check=True, timeout=120)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    check_weights(named(name, Path("weights/resnet18.safetensors")))


# --- The smallest inputs ---


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_smallest_inputs_have_logits(fusion: str, stem: StemName) -> None:
    least = STEMS[stem].smallest
    inputs = {name: torch.rand(2, 4, least, least) for name in ("rgb", "lidar")}
    model = build(ModelSpec(fusion, 2, (least, least), "max", "fp32", stem))
    weights.initialize(model, 0)
    assert model(inputs).shape == (2, 2)
    # The head halves them twice.
    assert model.map_size == (4, 4)


def test_every_encoder_has_a_first_convolution_that_is_known() -> None:
    assert list(encoders._FIRST) == ENCODERS == [name for name in STEMS if name != "notebook"]
    for name in ENCODERS:
        layer = encoder(spec(name), ("rgb",)).get_submodule(encoders._FIRST[name])
        assert isinstance(layer, nn.Conv2d)
        assert (layer.in_channels, layer.weight.shape[1]) == (4, 4)
