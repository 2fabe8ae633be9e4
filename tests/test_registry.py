"""Files that are found by being there: their names, and the class that each holds."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.library import elsewhere
from tests.project import ROOT

from fusebench.data.layout import Layout
from fusebench.data.settings import LAYOUTS
from fusebench.device import TRACKERS
from fusebench.errors import ParamsError
from fusebench.export.format import FORMATS, Format
from fusebench.inputs.corruption import CORRUPTIONS, Corruption
from fusebench.models.base import Fusion
from fusebench.models.registry import FUSIONS
from fusebench.registry import Registry
from fusebench.synthetic.task import TASKS, Task
from fusebench.tracking.tracker import Tracker

KINDS: dict[Registry, type] = {
    FUSIONS: Fusion, CORRUPTIONS: Corruption, TASKS: Task, LAYOUTS: Layout, FORMATS: Format,
    TRACKERS: Tracker,
}  # fmt: skip
each_registry = pytest.mark.parametrize("known", KINDS, ids=lambda known: known.word)


def each(pairs: list[tuple[Registry, str]]) -> pytest.MarkDecorator:
    """Run a test for each registry and name."""
    return pytest.mark.parametrize(
        ("known", "name"), pairs, ids=[f"{known.word} {name}" for known, name in pairs]
    )


def test_every_registry_of_the_library_is_held_to_what_is_said_here() -> None:
    sources = (path.read_text("utf-8") for path in (ROOT / "src/fusebench").rglob("*.py"))
    made = [name for text in sources for name in re.findall(r"^(\w+) = Registry\(", text, re.M)]
    assert sorted(made) == ["CORRUPTIONS", "FORMATS", "FUSIONS", "LAYOUTS", "TASKS", "TRACKERS"]


@each([(known, name) for known in KINDS for name in known.names()])
def test_each_name_has_the_class_of_its_file(known: Registry, name: str) -> None:
    loaded = known.load(name, KINDS[known])
    assert issubclass(loaded, KINDS[known])
    assert sys.modules[loaded.__module__].__file__ == str(known.path(name))
    assert known.path(name) == ROOT / "src/fusebench" / known.folder / f"{name}.py"


@each_registry
@pytest.mark.parametrize("name", ["", "Late", "__init__", "../registry"])
def test_an_unknown_name_is_refused_with_the_known_ones(known: Registry, name: str) -> None:
    listed = known.names()
    assert listed == sorted(listed)
    with pytest.raises(ValueError, match="is no") as caught:
        known.checked(name)
    _check_message(str(caught.value), known, name, [*([known.none] if known.none else []), *listed])
    for refused in (known.check, lambda of: known.load(of, KINDS[known])):
        with pytest.raises(ParamsError) as error:
            refused(name)
        _check_message(str(error.value), known, name, listed)
    with pytest.raises(ValueError, match="is no") as caught:
        known.path(name)
    _check_message(str(caught.value), known, name, listed)


def _check_message(message: str, known: Registry, name: str, listed: list[str]) -> None:
    nearest = message.removeprefix(f"'{name}' is no {known.word} (did you mean '").split("'")[0]
    assert nearest in listed
    assert message.endswith(f"'{nearest}'?); must be one of {listed}")


def test_the_word_for_none_is_a_value_of_params_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TRACKERS.checked("none") == "none"
    with pytest.raises(ParamsError, match="'none' is no tracker"):
        TRACKERS.check("none")
    monkeypatch.setattr("fusebench.registry._LIBRARY", tmp_path)
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers/none.py").touch()
    with pytest.raises(ParamsError, match="must have another name than none"):
        TRACKERS.names()


@each_registry
def test_the_nearest_name_is_that_with_a_letter_less(known: Registry) -> None:
    name = max(known.names(), key=len)
    with pytest.raises(ParamsError, match=re.escape(f"(did you mean '{name}'?)")):
        known.check(name[:-1])


@pytest.fixture
def folder(known: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder whose files are found as if they were in that of the registry."""
    before = set(sys.modules)
    yield elsewhere(known, tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        if name.startswith(f"fusebench.{known.folder.replace('/', '.')}."):
            del sys.modules[name]


def source_of(base: type, *classes: str) -> str:
    lines = [f"from {base.__module__} import {base.__name__}"]
    lines += [f"class {name}({base.__name__}): pass" for name in classes]
    return "\n".join(lines) + "\nclass Beside: pass\n"


@each_registry
def test_a_new_file_is_a_new_name(known: Registry, folder: Path) -> None:
    (folder / "brand_new_2.py").write_text(source_of(KINDS[known], "BrandNew"), "utf-8")
    for name in ("__init__.py", "_helper.py", ".hidden.py", "notes.txt"):
        (folder / name).write_text("no Python", "utf-8")
    assert known.names() == ["brand_new_2"]
    assert known.load("brand_new_2", KINDS[known]).__name__ == "BrandNew"
    others = [other for other in KINDS if other is not known]
    assert all(len(other.names()) > 1 for other in others), "those are where they were"


@each_registry
@pytest.mark.parametrize("classes", [(), ("First", "Second")])
def test_a_file_must_hold_one_class(
    known: Registry, classes: tuple[str, ...], folder: Path
) -> None:
    """One that it imports is not held."""
    (folder / "odd.py").write_text(source_of(KINDS[known], *classes), "utf-8")
    with pytest.raises(ParamsError) as caught:
        known.load("odd", KINDS[known])
    assert str(caught.value) == (
        f"{known.folder}/odd.py: holds {len(classes)} {known.word}s; must hold one"
    )


@each_registry
@pytest.mark.parametrize(
    "name",
    ["$(touch pwned)", "a b", "a-b", "Late", "2late", "ü", "a;b", "-a", "rain.v2", "heavy-rain"],
)
def test_a_file_whose_name_a_shell_or_python_might_read_otherwise_is_refused(
    known: Registry, name: str, folder: Path
) -> None:
    """DVC puts names of fusions into commands; all are imported."""
    (folder / "fine_2.py").touch()
    (folder / f"{name}.py").touch()
    for refused in (known.names, lambda: known.check("fine_2")):
        with pytest.raises(ParamsError) as caught:
            refused()
        assert str(caught.value) == (
            f"src/fusebench/{known.folder}: '{name}.py' must be named by small letters, digits and "
            "'_', a letter first"
        )


@each([(known, name) for known in KINDS for name in known.taken])
def test_a_name_that_stands_for_something_else_is_refused(
    known: Registry, name: str, folder: Path
) -> None:
    (folder / f"{name}.py").touch()
    with pytest.raises(ParamsError) as caught:
        known.names()
    assert str(caught.value) == (
        f"src/fusebench/{known.folder}/{name}.py: must have another name than "
        f"{', '.join(known.taken)}, which stand for something else"
    )


def test_names_of_rows_of_tables_are_taken() -> None:
    assert set(CORRUPTIONS.taken) == {"all", "clean", "robustness"}
