"""Files of exported models: every fusion, any number of samples, the same bytes again."""

import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.export.made_up import SPHERICAL, answers, description_of, graph_of, recorded

from fusebench.errors import ParamsError
from fusebench.export import format as formats
from fusebench.export.check import TOLERANCE
from fusebench.export.format import FORMATS, load_format
from fusebench.export.formats import onnx as onnx_format
from fusebench.export.graph import Graph
from fusebench.models.description import Description
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import StemName

pytestmark = pytest.mark.usefixtures("cpu")

# Of torch an export takes some tenths of a second, of ONNX seconds.
each_format = pytest.mark.parametrize(
    "name", [pytest.param("onnx", marks=pytest.mark.slow), "torch"]
)


def check_answers(graph: Graph, name: str, folder: Path) -> None:
    """Write a graph, and run the file on several numbers of samples."""
    kind = load_format(name)
    kind.write(graph, folder / kind.file)
    run = kind.open(folder / kind.file, 1)
    for count in (1, 3, 7):
        inputs = recorded(graph, count, seed=count)
        expected, found = answers(graph, inputs), run(inputs)
        assert found.shape == expected.shape
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() <= TOLERANCE
    # What is compared is not the same for all samples.
    assert np.ptp(expected, axis=0).min() > 1e-4


@pytest.mark.slow
@each_format
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_every_fusion_answers_from_its_file_as_in_torch(
    fusion: str, name: str, tmp_path: Path
) -> None:
    check_answers(graph_of(description_of(fusion)), name, tmp_path)


@pytest.mark.slow
@each_format
@pytest.mark.parametrize("stem", ["resnet18", "mobilenet_v3_small"])
def test_every_encoder_answers_from_its_file_as_in_torch(
    stem: StemName, name: str, tmp_path: Path
) -> None:
    graph = graph_of(description_of("concat", stem))
    # As in a training: what batches are normalised by is taken from batches.
    graph.models.train()
    for seed in range(20):
        answers(graph, recorded(graph, 8, seed))
    graph.models.eval()
    check_answers(graph, name, tmp_path)


@pytest.mark.slow
@each_format
@pytest.mark.parametrize(
    "description",
    [
        description_of("concat", pooling="strided"),
        description_of("add", classes=("a", "b", "c")),
        *(description_of("lidar_only", maps=(20, 24),
                         lidar=SPHERICAL.model_copy(update=changes))
          for changes in ({"align": "rotate"}, {"align": "camera", "normalize": False},
                          {"projection": "notebook"})),
    ],
    ids=["strided", "three classes", "rotate", "camera", "notebook"],
)  # fmt: skip
def test_all_settings_answer_from_their_file_as_in_torch(
    description: Description, name: str, tmp_path: Path
) -> None:
    check_answers(graph_of(description), name, tmp_path)


def test_onnx_of_several_seeds_takes_what_the_sensors_recorded(tmp_path: Path) -> None:
    graph = graph_of(description_of("concat"), (0.7, 1.9))
    check_answers(graph, "onnx", tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        each.name: [dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "rgb": ["batch", 16, 16, 3], "lidar": ["batch", 16, 16], "probabilities": ["batch", 2],
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == [tmp_path / "model.onnx"]
    known = {each.domain: each.version for each in model.opset_import}
    assert load_format("onnx").requires(tmp_path / "model.onnx") == {"opset": known[""]}


@each_format
def test_a_file_is_a_function_of_the_models_alone(name: str, tmp_path: Path) -> None:
    kind, written = load_format(name), []
    for folder, temperature in (("first", 1.0), ("again", 1.0), ("other", 1.1)):
        path = tmp_path / folder / kind.file
        path.parent.mkdir()
        kind.write(graph_of(description_of("concat"), (temperature, 2.0)), path)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert written[0] != written[2]


@each_format
def test_a_file_tells_no_path_of_this_machine(name: str, tmp_path: Path) -> None:
    kind = load_format(name)
    path = tmp_path / kind.file
    kind.write(graph_of(description_of("bottleneck")), path)
    members = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = [archive.read(member) for member in archive.namelist()]
    for content in members:
        assert not re.search(rb"\.py\b|site-packages|File \\?\"", content)


def test_an_archive_of_torch_holds_no_pickle_and_none_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = load_format("torch")
    kind.write(graph_of(description_of("concat")), tmp_path / kind.file)
    with zipfile.ZipFile(tmp_path / kind.file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert any(name.endswith("models/model.json") for name in members)
    for name, content in members.items():
        # Protocol 2 and later begin so; what torch.save writes is a zip in the zip.
        assert not content.startswith((b"\x80", b"PK\x03\x04")), name
        assert b'"use_pickle": true' not in content, name

    def refuse(*_arguments: object, **_options: object) -> None:
        pytest.fail("a pickle was read")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    assert kind.open(tmp_path / kind.file, 1)(recorded(graph_of(description_of("concat")), 2)).any()


@pytest.mark.slow
def test_weights_that_are_too_large_for_one_file_stand_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_format, "_MOST_INSIDE", 1000)
    check_answers(graph_of(description_of("concat")), "onnx", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert (tmp_path / "model.onnx").stat().st_size < (tmp_path / "model.onnx.data").stat().st_size


def test_an_unknown_format_is_refused_with_those_that_are_known() -> None:
    assert FORMATS.names() == ["onnx", "torch"]
    with pytest.raises(ParamsError) as caught:
        load_format("onxx")
    assert str(caught.value) == (
        "'onxx' is no format (did you mean 'onnx'?); must be one of ['onnx', 'torch']"
    )


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else name)
    load_format("torch")
    with pytest.raises(ParamsError) as caught:
        load_format("onnx")
    assert str(caught.value) == (
        "format 'onnx' needs onnxscript, not installed here; 'make setup-extras' installs what is "
        "needed"
    )
