"""Section `model`: what is refused, and what of it decides a training."""

from pathlib import Path

import pytest

from fusebench.config import validate
from fusebench.errors import ParamsError
from fusebench.models.settings import NOTEBOOK, STEMS, ModelParams, StemName, weights_path
from fusebench.sealed import file_digest

PLACE = "sensors.yaml"


def params(stem: StemName, weights: str | None = None) -> ModelParams:
    return validate(ModelParams, {"stem": stem, "weights": weights}, "params.yaml", ("model",))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    path = tmp_path / "resnet18.safetensors"
    path.write_bytes(b"anything")
    return path


def test_the_notebooks_stem_leaves_no_trace_in_the_settings() -> None:
    settings = params("notebook").with_digest()
    assert settings == NOTEBOOK
    assert settings.settings() == settings.decisive == {}


def test_settings_hold_the_digest_of_the_file(file: Path) -> None:
    settings = params("resnet18", file.name).with_digest()
    digest = file_digest(file)
    assert settings.settings() == {"stem": "resnet18", "weights": file.name, "digest": digest}
    file.write_bytes(b"another thing")
    assert params("resnet18", file.name).with_digest().digest != digest


def test_where_the_file_lies_decides_nothing(file: Path, tmp_path: Path) -> None:
    moved = file.rename(tmp_path / "other.safetensors")
    settings = params("resnet18", str(moved)).with_digest()
    assert settings.decisive == {"stem": "resnet18", "weights": file_digest(moved)}
    assert params("mobilenet_v3_small").with_digest().decisive == {"stem": "mobilenet_v3_small"}


def test_an_experiment_in_a_folder_of_its_own_finds_the_file_in_the_main_checkout(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "temporary")
    with pytest.raises(ParamsError):
        params("resnet18", file.name).with_digest()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert weights_path(file.name) == file
    assert params("resnet18", file.name).with_digest().digest == file_digest(file)
    assert weights_path("/elsewhere/w") == Path("/elsewhere/w")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("absent.safetensors", "No such file or directory"),
        (".", "Is a directory"),
        ("a\0b", "embe"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(named: str, reason: str) -> None:
    with pytest.raises(ParamsError) as caught:
        params("resnet18", named).with_digest()
    assert str(caught.value).startswith(f"params.yaml: model.weights = {named!r}: {reason}")
    assert str(caught.value).endswith(
        "; must be a safetensors file, as docs/encoders.md tells, or empty"
    )
    assert str(caught.value).isprintable()


def test_the_notebooks_stem_has_no_stored_weights() -> None:
    with pytest.raises(ParamsError) as caught:
        params("notebook", "w.safetensors")
    assert str(caught.value) == (
        "params.yaml: model.weights = 'w.safetensors': must be empty while stem is 'notebook', for "
        "which torchvision has none"
    )


@pytest.mark.parametrize("stem", STEMS)
def test_inputs_that_are_too_small_for_a_stem_are_refused(stem: StemName) -> None:
    least = STEMS[stem].smallest
    params(stem).check_size((least, least + 9), PLACE)
    for size in ((least - 1, 500), (500, least - 1)):
        with pytest.raises(ParamsError) as caught:
            params(stem).check_size(size, PLACE)
        assert str(caught.value).startswith(
            f"params.yaml: model.stem = '{stem}': takes inputs of at least {least} × {least}, and "
            f"those of {PLACE} are {size[0]} × {size[1]}; must be one of ["
        )


def test_stems_that_take_the_inputs_are_named() -> None:
    with pytest.raises(ParamsError, match=r"must be one of \['notebook', 'resnet18'\] for these"):
        params("mobilenet_v3_small").check_size((48, 48), PLACE)
