"""dvc.yaml and the rooms against the code: folder = dependency, and rooms import upwards only."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import ROOT

import fusebench
from fusebench.models.registry import FUSIONS
from fusebench.params import Params
from fusebench.report.declared import NO_MATTER

SRC = ROOT / "src"
LIBRARY = SRC / "fusebench"
# What cannot change a result: how errors, arguments and progress are shown, and how what is written
# takes its place; and what trackers are told, by a process that does nothing else.
EXEMPT_ROOMS = (
    "aside", "cli", "errors", "guard", "progress", "recorded", "stages", "system", "tracking",
    "trackers",
)  # fmt: skip
EXEMPT = {
    path.relative_to(SRC).as_posix()
    for path in LIBRARY.rglob("*.py")
    if path.relative_to(LIBRARY).parts[0].removesuffix(".py") in EXEMPT_ROOMS
}
# A room imports rooms of earlier lines, and of its own; rooms of one line do not know each other.
ROOMS = (
    ("errors", "yaml12", "system"),
    ("aside", "guard", "config", "seeds", "progress", "registry"),
    ("files", "memory", "processor"),
    ("sealed", "device", "stages"),
    ("recorded",),
    ("cli", "mend", "remotes"),
    ("samples",),
    ("data", "split"),
    ("synthetic", "inputs"),
    ("models", "survival", "corruptions"),
    ("fusions",),
    ("training",),
    ("prediction",),
    ("cost",),
    ("baselines", "evaluation"),
    ("statistics", "stress"),
    ("report",),
    ("revisions", "params", "page"),
    ("stale",),
    ("engines", "confirm", "inspection", "inference", "tracking"),
    ("export", "trackers"),
    ("api", "comment"),
)


def _stages() -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    return stages


def _imports(path: Path, *, annotations: bool = True) -> set[Path]:
    """Return the project's modules that a file imports, inside functions too.

    Parameters
    ----------
    annotations : bool
        Whether imports count that only type checkers follow.
    """
    tree = ast.parse(path.read_text("utf-8"))
    ignored = set()
    if not annotations:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                ignored |= {id(inner) for inner in ast.walk(node)}
    modules: set[Path] = set()
    for node in ast.walk(tree):
        if id(node) in ignored or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = (
            [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
        paths = [SRC / f"{name.replace('.', '/')}.py" for name in names]
        modules |= {module for module in paths if module.is_file()}
    return modules


def _reached(script: Path) -> set[str]:
    """Return all modules that a script runs, by their paths below src."""
    reached: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            # What only these import cannot change a result either.
            if path.relative_to(SRC).as_posix() not in EXEMPT:
                waiting += _imports(path, annotations=False)
    return {path.relative_to(SRC).as_posix() for path in reached}


def _code_dependencies(stage: dict[str, Any]) -> list[str]:
    return [str(dep).removeprefix("src/") for dep in stage["deps"] if str(dep).startswith("src/")]


def _script(stage: dict[str, Any]) -> Path:
    return ROOT / str(stage["cmd"]).split()[1]


def _room(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


@pytest.mark.parametrize("name", sorted(_stages()))
def test_every_import_of_a_stage_is_among_its_dependencies(name: str) -> None:
    dependencies = _code_dependencies(_stages()[name])
    for module in sorted(_reached(_script(_stages()[name])) - EXEMPT):
        covered = [dep for dep in dependencies if module == dep or module.startswith(f"{dep}/")]
        assert covered, f"{name} runs {module} and does not depend on it"


@pytest.mark.parametrize("name", sorted(set(_stages()) - {"check"}))
def test_a_stage_depends_on_no_code_that_it_does_not_run(name: str) -> None:
    reached = _reached(_script(_stages()[name]))
    for dep in _code_dependencies(_stages()[name]):
        # Found by their names.
        if "fusions/" not in dep and "corruptions" not in dep:
            assert [module for module in reached if module == dep or module.startswith(f"{dep}/")]


@pytest.mark.parametrize("stage", ["train", "predict", "stress", "cost"])
def test_a_fusion_depends_on_its_own_file_alone(stage: str) -> None:
    dependencies = [dep for dep in _code_dependencies(_stages()[stage]) if "fusions" in dep]
    assert dependencies == ["fusebench/fusions/${item.fusion}.py"]
    for name in FUSIONS.names():
        others = set(FUSIONS.names()) - {name}
        imported = {path.stem for path in _imports(LIBRARY / f"fusions/{name}.py")}
        assert not imported & others


def test_the_list_of_rooms_is_complete() -> None:
    rooms = {_room(path) for path in LIBRARY.rglob("*.py")} - {"__init__"}
    assert rooms == {room for line in ROOMS for room in line}


@pytest.mark.parametrize(
    "path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: path.relative_to(LIBRARY).as_posix()
)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    order = {room: number for number, line in enumerate(ROOMS) for room in line}
    room = _room(path)
    for module in _imports(path, annotations=False):
        if _room(module) not in (room, "__init__"):
            assert order[_room(module)] < order[room], f"{room} imports {_room(module)}"


def test_the_pipeline_imports_no_study_and_no_benchmark() -> None:
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            names += [str(getattr(node, "module", ""))]
            assert not {name.partition(".")[0] for name in names} & {"studies", "benchmarks"}, path


def test_what_the_map_of_imports_does_not_follow_is_not_there() -> None:
    for path in SRC.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if path.name == "__init__.py" and path.parent != LIBRARY:
            assert [type(node) for node in tree.body] == [ast.Expr], (
                f"{path}: more than a docstring"
            )
        relative = [node for node in ast.walk(tree) if getattr(node, "level", 0)]
        assert not relative, f"{path}: a relative import"


def test_nothing_asks_the_package_for_what_it_imports_late() -> None:
    """That is for who uses the library, and the map of imports does not follow it."""
    for path in [path for path in SRC.rglob("*.py") if path != LIBRARY / "__init__.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "fusebench":
                assert not {alias.name for alias in node.names} & {*fusebench.__all__}, path
            if isinstance(node, ast.Import):
                bound = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
                assert "fusebench" not in bound, path


def test_no_module_is_above_300_lines() -> None:
    for path in LIBRARY.rglob("*.py"):
        assert path.read_text("utf-8").count("\n") <= 300, path


def test_only_extract_reads_params_data() -> None:
    readers = [name for name, stage in _stages().items() if "data" in stage.get("params", [])]
    assert readers == ["extract"]


def test_the_page_depends_on_every_section_that_decides_what_studies_found() -> None:
    sections = {*Params.model_fields} - {*NO_MATTER}
    assert {*_stages()["report"]["params"]} == sections


def test_no_value_of_params_reaches_a_shell_but_a_fusions_name() -> None:
    """A name in a command can be code. What a fusion may be called, the registry says."""
    for name, stage in _stages().items():
        values = re.findall(r"\$\{?[^\s]*", stage["cmd"])
        assert set(values) <= {"${item.fusion}"}, name
        if values:
            assert stage["matrix"] == {"fusion": "${fusions}"}, name


def test_no_stage_depends_on_runtime_and_none_that_trains_on_a_section() -> None:
    for name, stage in _stages().items():
        assert not [key for key in stage.get("params", []) if str(key).startswith("runtime")], name
    assert "params" not in _stages()["train"]
    assert "params" not in _stages()["predict"]


def test_every_kept_output_is_ignored_by_git_where_the_root_says_so() -> None:
    rules = [rule for rule in (ROOT / ".gitignore").read_text("utf-8").split() if rule[0] == "/"]
    for stage in _stages().values():
        # A mapping says that git keeps it.
        for out in [out for out in stage.get("outs", []) if isinstance(out, str)]:
            assert any(f"/{out}".startswith(rule.rstrip("/")) for rule in rules), out
