"""Every file that a stage reads, broken in every way: one line that names it, and nothing written.

A script that is run directly looks at dvc.lock; one that DVC runs relies on what the files tell.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import in_process
from tests.in_process import ARGUMENTS, STAGES, dependencies, outputs, run, script_of
from tests.project import environment
from tests.reliability import Tally

from fusebench.prediction.predictions import BASELINES
from fusebench.seeds import derive_seed

pytestmark = pytest.mark.slow

READERS = [stage for stage in STAGES if stage not in ("check", "synthesize")]
# What a stage depends on and does not open.
UNREAD = {
    ("extract", "params.json"), ("headline", "params.json"), ("train", "inputs.json"),
    *(("report", f"{folder}/{name}")
      for folder in BASELINES for name in ("info.json", "seed_0.npz", "seed_1.npz")),
    ("report", "answer.csv"), ("report", "metrics.csv"),
}  # fmt: skip
# How many of the faults the quick test tries: one in so many.
SAMPLED = 24


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("a pickle")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that no pickle was read or written for. Read-only: copy it."""
    root = tmp_path_factory.mktemp("whole")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (
            (pickle, ("load", "loads", "dump", "dumps")),
            (torch, ("load", "save")),
        ):
            for name in names:
                patch.setattr(module, name, _refuse)
        # Classes, since libraries derive from them as they are imported.
        for kind in (pickle.Pickler, pickle.Unpickler):
            refused = type(kind.__name__, (kind,), {"__init__": _refuse})
            patch.setattr(pickle, kind.__name__, refused)
        patch.chdir(root)
        in_process.make(root)
    yield root
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def project(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil; the working directory."""
    shutil.copytree(whole, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_no_pickle_is_read_or_written_on_the_way_from_archive_to_metrics(whole: Path) -> None:
    for path in ("data/split.csv", "models/add/seed_1.safetensors", "predictions/add/seed_1.npz",
                 "metrics/fusions/add.json"):  # fmt: skip
        assert (whole / path).is_file()


# --- Faults ---


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _delete(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _flip(path: Path) -> None:
    """Flip one bit: in the middle, or of each row of an array, of which some are not read."""
    content = bytearray(path.read_bytes())
    if path.suffix == ".npy":
        array = np.load(path, mmap_mode="r")
        places = range(128, len(content), array[0].nbytes)
    else:
        places = range(len(content) // 2, len(content) // 2 + 1)
    for place in places:
        content[place] ^= 1
    path.write_bytes(content)


def _other(path: Path) -> None:
    """Put another file of its kind in its place: of another seed, fusion or part."""
    beside = [other for other in path.parent.iterdir() if other.suffix == path.suffix]
    cousins = [p / path.name for p in path.parent.parent.iterdir() if (p / path.name).is_file()]
    others = [other for other in (*cousins, *beside) if other != path and other.is_file()]
    content = path.read_bytes()
    others = [other for other in others if other.read_bytes() != content]
    path.write_bytes(others[0].read_bytes() if others else content[::-1])


def _valid(path: Path) -> None:
    """Write something else that such a file might hold."""
    if path.suffix == ".json":
        content = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(_changed(content), indent=2) + "\n", "utf-8")
    elif path.suffix == ".csv":
        head, *lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text(head + "".join(reversed(lines) if len(lines) > 1 else lines * 2), "utf-8")
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for name in ("logits", "azimuth"):
            if name in arrays:
                arrays[name] = -arrays[name]
        np.savez_compressed(path, allow_pickle=False, **arrays)
    elif path.suffix == ".npy":
        array = np.load(path)
        np.save(path, array[::-1].copy())
    else:
        _flip(path)


def _changed(content: dict[str, Any]) -> dict[str, Any]:
    """Return JSON with its first number or list changed, however deep it is."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            return content | {key: _changed(value)}
        if isinstance(value, int | float) and key != "schema":
            return content | {key: value + 1}
        if isinstance(value, list) and value:
            return content | {key: value[::-1] if len(value) > 1 else []}
    return content | {"more": 1}


FAULTS: dict[str, Callable[[Path], None]] = {
    "cut": _cut, "empty": _empty, "deleted": _delete, "a folder": _folder, "flipped": _flip,
    "of another": _other, "valid": _valid,
}  # fmt: skip
# What nothing but its digest in dvc.lock tells from the right file: text that a person may read in
# git, or that is an input like any other. Whoever runs a stage through DVC has it told by DVC.
PLAIN = ("data/split.csv", "data/demo.zip", "checked/", "metrics/", "plots/")


def _cases(stage: str) -> Iterator[tuple[Path, str]]:
    for path in dependencies(stage):
        names = {(stage, path.name), (stage, f"{path.parent.name}/{path.name}")}
        if not names & UNREAD and path.name != "skipped.csv":
            for fault in FAULTS:
                yield path, fault


def _state(stage: str) -> dict[str, bytes]:
    """Return the outputs of a stage, and that nothing lies beside them."""
    folders = {Path(out.replace("${item.fusion}", "add")) for out in outputs(stage)}
    files = [
        file for folder in folders for file in ([folder] if folder.is_file() else folder.rglob("*"))
    ]
    partial = list(Path().rglob("*.partial"))
    return {str(path): path.read_bytes() for path in (*files, *partial) if path.is_file()}


def _said(stage: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = run(stage)
    return code, capsys.readouterr().err


def _wrong(stage: str, path: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Break a file, run the stage, mend the file; return what was not as promised."""
    before, kept = _state(stage), path.read_bytes()
    FAULTS[fault](path)
    assert fault == "deleted" or path.is_dir() or path.read_bytes() != kept, f"{path} {fault}"
    try:
        code, said = _said(stage, capsys)
    except BaseException as error:
        return f"{path} {fault}: {type(error).__name__}: {error}"
    finally:
        if path.is_dir():
            path.rmdir()
        path.write_bytes(kept)
    told = "DVC_STAGE" not in os.environ or not str(path).startswith(PLAIN)
    lasting = fault in ("deleted", "empty", "a folder")
    if code == 0 and not told and not lasting:
        return ""
    # Bad samples of an archive are listed below the line that names it.
    first = said.partition("\n  ")[0].rstrip("\n") if stage == "extract" else said.rstrip("\n")
    if code != 1 or "\n" in first or str(path) not in said or "Traceback" in said:
        return f"{path} {fault}: exit code {code}: {said}"
    return "" if _state(stage) == before else f"{path} {fault}: outputs changed"


@pytest.mark.parametrize("share", [SAMPLED, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("by_dvc", [False, True], ids=["directly", "by DVC"])
@pytest.mark.parametrize("stage", READERS)
@pytest.mark.usefixtures("project")
def test_a_broken_file_is_one_line_that_names_it(
    stage: str, by_dvc: bool, share: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tally: Tally,
) -> None:  # fmt: skip
    if by_dvc:
        monkeypatch.setenv("DVC_STAGE", stage)
    # Pictures take long, and are drawn of what the tables hold.
    monkeypatch.setattr("fusebench.report.figures.write_plots", lambda *_: None)
    cases = list(_cases(stage))
    tried = [case for case in cases if derive_seed(stage, by_dvc, *map(str, case)) % share == 0]
    wrong = [_wrong(stage, path, fault, capsys) for path, fault in tried or cases[:1]]
    tally("broken files that a stage reads", len(wrong), wrong.count(""))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("split", "data/samples/samples.csv"),
        pytest.param("predict", "models/add/seed_0.safetensors", marks=pytest.mark.thorough),
        pytest.param("evaluate", "predictions/add/seed_1.npz", marks=pytest.mark.thorough),
    ],
)
@pytest.mark.parametrize("by_dvc", [False, True], ids=["directly", "by DVC"])
def test_a_script_of_its_own_says_the_same(
    stage: str, file: str, by_dvc: bool, project: Path
) -> None:
    _flip(Path(file))
    done = subprocess.run(
        [sys.executable, str(script_of(stage)), *ARGUMENTS.get(stage, [])], cwd=project,
        env=environment() | ({"DVC_STAGE": stage} if by_dvc else {}),
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {file}: ")
    assert done.stderr.count("\n") == 1
