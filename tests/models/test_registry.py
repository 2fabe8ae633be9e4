"""Fusions are found by their files; params name them."""

import re
from pathlib import Path

import pytest
from tests.project import ROOT

import fusebench.fusions
from fusebench.config import load_keys, validate
from fusebench.errors import ParamsError
from fusebench.models import registry
from fusebench.models.base import Fusion, ModelSpec, build, fusion_class

NAMES = registry.names()


def refusal(name: str) -> str:
    with pytest.raises(ParamsError) as caught:
        fusion_class(name)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_registry_gives_and_builds_the_class_of_a_name(name: str) -> None:
    fusion = fusion_class(name)
    assert issubclass(fusion, Fusion)
    assert fusion.strategy
    assert isinstance(build(ModelSpec(name, 2, (16, 16), "max", "fp32")), fusion)


@pytest.mark.parametrize("name", ["", "Late", "__init__", "../registry"])
def test_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    message = refusal(name)
    assert message.startswith(f"'{name}' is no fusion (did you mean '")
    assert all(known in message for known in NAMES)


def test_the_zoo_is_every_fusion_and_begins_with_those_of_the_default_params() -> None:
    (zoo,) = re.findall(r"^ZOO = (\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    listed = zoo.split(",")
    assert sorted(listed) == NAMES
    first = load_keys(ROOT / "tests/default_params.yaml", registry.FusionParams).fusions
    assert tuple(listed[: len(first)]) == first


@pytest.fixture
def fusions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files are found as if they were in fusions/."""
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    monkeypatch.setattr(fusebench.fusions, "__path__", [str(tmp_path)])
    return tmp_path


def source_of(*classes: str) -> str:
    lines = ["from fusebench.models.base import IntermediateFusion"]
    for name in classes:
        lines += [f"class {name}(IntermediateFusion):", "    def fuse(self, *maps_bchw):",
                  "        return maps_bchw[0] - maps_bchw[1]"]  # fmt: skip
    return "\n".join(lines) + "\n"


def test_new_file_is_a_new_fusion(fusions_folder: Path) -> None:
    (fusions_folder / "difference.py").write_text(source_of("Difference"))
    assert registry.names() == ["difference"]
    assert fusion_class("difference").__name__ == "Difference"


@pytest.mark.parametrize(
    "name", ["$(touch pwned)", "a b", "a-b", "Late", "2late", "ü", "a;b", "-a"]
)
def test_a_file_whose_name_a_shell_might_read_otherwise_is_refused(
    name: str, fusions_folder: Path
) -> None:
    """DVC puts names of fusions into commands."""
    (fusions_folder / "__init__.py").write_text("")
    (fusions_folder / ".hidden.py").write_text("")
    (fusions_folder / "fine_2.py").write_text("")
    assert registry.names() == ["fine_2"]
    (fusions_folder / f"{name}.py").write_text("")
    with pytest.raises(ParamsError) as caught:
        registry.names()
    assert str(caught.value) == (
        f"src/fusebench/fusions: '{name}.py' must be named by small letters, digits and '_', a "
        "letter first"
    )


@pytest.mark.parametrize(("name", "classes"), [("nothing", ()), ("two", ("First", "Second"))])
def test_file_must_hold_one_fusion(
    name: str, classes: tuple[str, ...], fusions_folder: Path
) -> None:
    (fusions_folder / f"{name}.py").write_text(source_of(*classes))
    assert refusal(name) == f"fusions/{name}.py: holds {len(classes)} fusions; must hold one"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"fusions": ["lat"]}, "params.yaml: fusions: 'lat' is no fusion (did you mean 'late'?)"),
        ({"fusions": ["add", "add"]}, "params.yaml: fusions: ['add', 'add']: each fusion may"),
        ({"fusion": "late"}, "params.yaml: fusion = 'late': must be one of fusions: add"),
        ({"strategies": ["add"]}, "params.yaml: unknown key 'strategies'; did you mean 'fusions'?"),
    ],
)  # fmt: skip
def test_params_that_name_no_fusion_are_refused(keys: dict[str, object], line: str) -> None:
    with pytest.raises(ParamsError) as caught:
        validate(registry.FusionParams, {"fusion": "add", "fusions": ["add"], **keys},
                 "params.yaml")  # fmt: skip
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1
