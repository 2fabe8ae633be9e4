"""notebooks/fusebench.ipynb: tidy as it stands, and run in a clone that has results and in none."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import nbformat
import pandas as pd
import pytest
import yaml
from nbclient import NotebookClient
from tests.environments import OFFLINE, make_environment, run
from tests.project import FUSIONS, ROOT, Project, environment

NOTEBOOK = ROOT / "notebooks/fusebench.ipynb"
PICTURES = ("comparison", "training", "pairs-picture")


def _notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_the_notebook_is_valid_and_holds_no_outputs() -> None:
    notebook = _notebook()
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_its_cells_have_names_that_stay() -> None:
    identifiers = [cell.id for cell in _notebook().cells]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", identifier) for identifier in identifiers)


def test_it_stands_as_nbformat_writes_it() -> None:
    written = nbformat.writes(_notebook())  # type: ignore[no-untyped-call]
    assert NOTEBOOK.read_text("utf-8") == f"{written}\n"


def test_it_names_no_address_that_is_not_known() -> None:
    source = "".join(cell.source for cell in _notebook().cells)
    assert re.findall(r"https?://\S+", source) == ['https://<host>/<name>/fusebench.git")']


def _cell(name: str) -> str:
    (found,) = (cell.source for cell in _notebook().cells if cell.id == name)
    return str(found)


def test_outside_a_clone_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"CLONE": False, "os": os, "sys": sys}
    with pytest.raises(FileNotFoundError, match="is in no clone of the project; start in one"):
        exec(_cell("project"), names)  # noqa: S102


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[list[str]]]:
    """Run the cell that predicts where data.archive is another; return the files of each asking."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with ZipFile("data/demo.zip", "w") as archive:
        for name in ("cubes/rgb/0001.png", "cubes/lidar/0001.npy",
                     "spheres/rgb/0007.png", "spheres/lidar/0007.npy"):  # fmt: skip
            archive.writestr(f"assessment/{name}", name)
    losses = {"fusion": ["late", "add"], "part": "val", "metric": "nll", "mean": [0.2, 0.1]}
    tested = {"fusion": ["add", "late", "add"], "part": ["val", "test", "test"],
              "class": ["cubes", "cubes", "spheres"], "id": ["0001", "0001", "0007"]}  # fmt: skip
    results = SimpleNamespace(
        comparison=pd.DataFrame(losses), fusions=["late", "add"], predictions=pd.DataFrame(tested)
    )

    def run(named: str) -> list[list[str]]:
        (tmp_path / "params.yaml").write_text(f"data: {{archive: {named}}}", "utf-8")
        asked: list[list[str]] = []

        def predict(models: str, folder: str) -> None:
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            asked.append([models, *(path.read_text("utf-8") for path in files)])

        library = SimpleNamespace(predict=predict)
        exec(_cell("predict"), {"results": results, "fusebench": library, "Path": Path})  # noqa: S102
        return asked

    return run


def test_a_sample_of_test_is_predicted(
    ask: Callable[[str], list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("data/demo.zip") == [
        ["models/add", "spheres/lidar/0007.npy", "spheres/rgb/0007.png"]
    ]
    assert capsys.readouterr().out == "add on 0007, one of spheres\n"


def test_of_another_archive_nothing_is_taken_out(
    ask: Callable[[str], list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("data/mine.zip") == []
    assert capsys.readouterr().out.startswith("data/mine.zip: none is taken out here")
    Path("data/demo.zip").unlink()
    assert ask("data/demo.zip") == []


@contextmanager
def _kernels(folder: Path, python: Path | str) -> Iterator[str]:
    """Make a kernel of a Python, where no other kernel and no setting of the user's is seen."""
    home = folder / "jupyter"
    place = home / "kernels/project"
    place.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "project", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
                     "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):  # fmt: skip
            patch.setenv(name, str(home))
        patch.delenv("FUSEBENCH_REPOSITORY", raising=False)
        patch.delenv("MPLBACKEND", raising=False)
        yield "project"


def _executed(folder: Path, kernel: str, variables: dict[str, str]) -> dict[str, list[Any]]:
    """Run the notebook in a folder; return the outputs of its cells by their names."""
    notebook = _notebook()
    client = NotebookClient(
        notebook, timeout=600, kernel_name=kernel, resources={"metadata": {"path": str(folder)}}
    )
    # Where pytest is named, a kernel leaves to it what processes print.
    outside = {key: value for key, value in environment().items() if not key.startswith("PYTEST")}
    client.execute(env=outside | variables)
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert not [each for of in outputs.values() for each in of if each.output_type == "error"]
    return outputs


def _text(outputs: list[Any]) -> str:
    return "\n".join(
        str(each.get("text") or each.get("data", {}).get("text/plain", "")) for each in outputs
    )


def _check(outputs: dict[str, list[Any]], root: Path) -> None:
    """Check what cells show against what stages wrote."""
    for name in FUSIONS:
        metrics = json.loads((root / f"metrics/fusions/{name}.json").read_text("utf-8"))["test"]
        (row,) = (line.split() for line in _text(outputs["table"]).splitlines() if name in line)
        shown = [float(cell) for cell in row[1:]]
        expected = [
            metrics[metric][key]
            for key in ("mean", "deviation")
            for metric in ("balanced_accuracy", "nll")
        ]
        assert shown == pytest.approx(expected, abs=1e-6)
    assert "add" in _text(outputs["pairs"])
    assert "hadamard" in _text(outputs["pairs"])
    for picture in PICTURES:
        (shown,) = outputs[picture]
        assert shown.data["image/png"], picture
    assert _text(outputs["verdict"]).startswith("No recommendation: 2 seed(s) are too few")
    (page,) = outputs["report"]
    assert "&lt;html" in page.data["text/html"]
    losses = {
        name: json.loads((root / f"metrics/fusions/{name}.json").read_text("utf-8"))["val"]["nll"]
        for name in FUSIONS
    }
    best = min(losses, key=lambda name: losses[name]["mean"])
    said = _text(outputs["predict"])
    found = re.match(rf"{best} on (\d+), one of (cubes|spheres)\n", said)
    assert found is not None
    split = pd.read_csv(root / "data/split.csv", dtype=str)
    row = split[(split["id"] == found[1]) & (split["class"] == found[2])].iloc[0]
    assert {row[name] for name in split if name.startswith("seed_")} == {"test"}
    assert found[1] in said.partition("\n")[2]
    assert "probability" in said


def test_a_notebook_runs_in_a_clone_that_has_results(
    reproduced: tuple[Project, str], tmp_path: Path
) -> None:
    project, _ = reproduced
    project.restore()
    with _kernels(tmp_path, shutil.which("python", path=environment()["PATH"]) or "") as kernel:
        outputs = _executed(project.root / "notebooks", kernel, {})
    _check(outputs, project.root)
    # Nothing is run or cloned there, and nothing is changed.
    assert _text(outputs["project"]) == _text(outputs["repro"]) == ""
    assert project.git("status", "--porcelain") == ""


def test_a_notebook_clones_installs_trains_and_shows(
    reproduced: tuple[Project, str], tmp_path: Path
) -> None:
    """As on Colab, with a folder in place of an address, and without a network.

    Stages that did not change come out of the cache of the small project; hadamard is trained.
    """
    project, _ = reproduced
    project.restore()
    origin, work = Project(tmp_path / "origin"), tmp_path / "content"
    project.git("clone", "--quiet", ".", str(origin.root))
    origin.set_params({"override.hadamard.lr": 0.002})
    origin.commit("another rate")
    work.mkdir()
    (tmp_path / "config").write_text(f"[cache]\n    dir = {project.root / '.dvc/cache'}\n", "utf-8")
    python = make_environment(tmp_path / "environment")
    variables = {
        **OFFLINE,
        "FUSEBENCH_REPOSITORY": str(origin.root),
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path),
    }
    with _kernels(tmp_path, python) as kernel:
        outputs = _executed(work, kernel, variables)
    clone = work / "fusebench"
    said = _text(outputs["repro"])
    assert "Running stage 'train@hadamard'" in said
    assert "Stage 'train@add' is cached" in said
    lock = yaml.safe_load((clone / "dvc.lock").read_text("utf-8"))["stages"]
    assert lock["train@hadamard"] != project.lock()["train@hadamard"]
    _check(outputs, clone)
    # What was installed is the clone, and the next kernel finds it from anywhere.
    found = run(
        python, "-c", "import fusebench; print(fusebench.__file__)", cwd=tmp_path,
        environment=environment(),
    )  # fmt: skip
    assert found.strip() == str(clone / "src/fusebench/__init__.py")
    assert not Project(clone).git("status", "--porcelain", "--", "src", "notebooks")
