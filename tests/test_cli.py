"""What every script does: help at once, one line and exit code 1 for what the user can mend."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import check
from fusebench import cli
from fusebench.errors import BadSamplesError, FusebenchError, ParamsError
from fusebench.models import registry

SOURCE = Path(cli.__file__).parents[1]
SCRIPTS = sorted(path.name for path in SOURCE.glob("*.py"))


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def raising(error: BaseException) -> Callable[[], None]:
    def stage() -> None:
        print("working")
        raise error

    return stage


def outcome(stage: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Return the exit code and what stands on stderr."""
    with pytest.raises(SystemExit) as caught:
        cli.run(stage)
    return caught.value.code, capsys.readouterr().err


# --- How a stage ends ---


def test_stage_that_is_done_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(lambda: None, capsys) == (0, "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ParamsError("params.yaml: train.lr = 0"), "error: params.yaml: train.lr = 0"),
        (FusebenchError("a: 50 % b"), "error: a: 50 % b"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/x"),
            "error: models/x: No space left on device",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "error: data: Permission den"),
        (OSError("something odd"), "error: something odd"),
        (KeyboardInterrupt(), "error: interrupted"),
        (MemoryError("Unable to allocate 5 GiB"), "error: out of memory (Unable to allocate 5 GiB"),
    ],
    ids=["params", "percent", "full disk", "permission", "other", "interrupt", "memory"],
)
def test_what_the_user_can_mend_is_one_line(
    error: BaseException, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    assert shown.startswith(line)
    assert shown.count("\n") == 1


def test_memory_error_without_words_has_no_empty_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "()" not in outcome(raising(MemoryError()), capsys)[1]


def test_torch_out_of_memory_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1


def test_bad_samples_are_listed_below_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadSamplesError("a.zip", ["cubes/rgb/1.png: broken", "cubes/lidar/2.npy: NaN"])
    code, shown = outcome(raising(error), capsys)
    assert code == 1
    lines = shown.splitlines()
    assert lines[0].startswith("error: a.zip: 2 bad sample(s)")
    assert lines[1:] == ["  cubes/rgb/1.png: broken", "  cubes/lidar/2.npy: NaN"]


def test_programming_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError("a bug")))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_stage_clean_up(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []
    # Whoever runs the tests in the background may have had Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def stage() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            cleaned.append(True)

    try:
        code, shown = outcome(stage, capsys)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 1
    assert shown.startswith("error: interrupted")
    assert shown.count("\n") == 1
    assert cleaned == [True]


# --- Help ---


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_shown_without_loading_heavy_libraries(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", SOURCE / script, "--help"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert len(done.stdout) > 120, "the script's docstring"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in loaded
    heavy = {"torch", "numpy", "sklearn", "pandas", "matplotlib", "pydantic", "yaml"}
    assert loaded & heavy == set()


# --- Stage check ---


@pytest.fixture
def project(tmp_path: Path, params_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["check.py", "checked"])
    return tmp_path


def edit(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def checked(project: Path) -> dict[str, bytes]:
    check.main()
    folder = project / "checked"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_check_writes_a_constant_and_an_override_per_fusion(project: Path) -> None:
    found = checked(project)
    assert set(found) == {
        "params.json",
        *(f"override/{name}.json" for name in registry.names()),
    }
    assert {json.dumps(json.loads(found[name])) for name in found if "/" in name} == {"{}"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  lr: 0.001", "  lr: 0.0003"),
        ("fusion: concat", "fusion: late"),
        ("- hadamard\n", ""),
        ("  epochs: 15", "  epochs: 3"),
        ("  device: auto", "  device: cpu"),
        ("  cubes: 9999", "  cubes: 10"),
        ("  - 2\n", ""),
        ("# The fusion under study", "# Another comment"),
    ],
)
def test_check_writes_the_same_bytes_when_another_value_changes(
    old: str, new: str, project: Path
) -> None:
    before = checked(project)
    edit(project, old, new)
    assert checked(project) == before


def test_override_of_one_fusion_changes_only_its_file(project: Path) -> None:
    before = checked(project)
    edit(project, "  hadamard:\n    lr:", "  hadamard:\n    lr: 3e-4\n    pooling: strided")
    after = checked(project)
    assert {name for name in after if after[name] != before[name]} == {"override/hadamard.json"}
    changed = json.loads(after["override/hadamard.json"])
    assert changed == {"lr": 0.0003, "pooling": "strided"}


@pytest.mark.parametrize("written", ["0.0003", "3e-4", "3.0e-4", "'0.0003'", "0.00030"])
def test_same_override_is_the_same_bytes_however_it_is_written(written: str, project: Path) -> None:
    edit(project, "  late:\n    lr:", f"  late:\n    lr: {written}")
    assert json.loads(checked(project)["override/late.json"]) == {"lr": 0.0003}


def test_wrong_value_leaves_what_was_checked_before(project: Path) -> None:
    before = checked(project)
    edit(project, "  lr: 0.001", "  lr: abc")
    with pytest.raises(ParamsError):
        check.main()
    folder = project / "checked"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(before)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("  lr: 0.001", "  lr: abc", ["train.lr = 'abc'", "above 0"]),
        ("  lr: 0.001", "  learnrate: 0.001\n  lr: 0.001", ["'train.learnrate'"]),
        ("fusion: concat", "fusion: concatenate", ["fusion = 'concatenate'", "late, concat"]),
    ],
    ids=["wrong type", "unknown key", "unknown fusion"],
)
def test_wrong_params_stop_the_real_script_with_one_line(
    old: str, new: str, parts: list[str], project: Path
) -> None:
    edit(project, old, new)
    done = subprocess.run(
        [sys.executable, SOURCE / "check.py", "checked"],
        cwd=project, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: params.yaml: ")
    assert done.stderr.count("\n") == 1
    assert not [part for part in parts if part not in done.stderr]
    assert [path.name for path in project.iterdir()] == ["params.yaml"]


def test_full_disk_is_told_with_the_file_that_was_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A limit on the size of files stands for a full disk: the write itself fails.
    def stage() -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            check.main()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    code, shown = outcome(stage, capsys)
    assert code == 1
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert "params.json" in shown
    assert [path.name for path in project.iterdir()] == ["params.yaml"]


def test_missing_params_file_stops_with_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params.yaml").unlink()
    code, shown = outcome(check.main, capsys)
    assert code == 1
    assert shown == "error: params.yaml: no such file; run from the root of the project\n"
