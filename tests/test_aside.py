"""Outputs take their places whole, together, and by one process only."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fusebench.aside import replace_file, replace_folder, replace_outputs
from fusebench.errors import BusyError
from fusebench.system import open_locked


def contents(folder: Path) -> dict[str, str]:
    """All files below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def fill_file(path: Path, text: str, error: BaseException | None = None) -> None:
    with replace_file(path) as aside:
        assert aside.parent.parent == path.parent
        assert aside != path
        aside.write_text(text, "utf-8")
        if error:
            raise error


def fill_folder(path: Path, files: dict[str, str], error: BaseException | None = None) -> None:
    with replace_folder(path) as aside:
        assert aside.parent.parent == path.parent
        assert list(aside.iterdir()) == []
        for name, text in files.items():
            (aside / name).parent.mkdir(exist_ok=True)
            (aside / name).write_text(text, "utf-8")
        if error:
            raise error


ERRORS = [ValueError("wrong"), OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]

# --- A file ---


def test_a_file_is_replaced_and_the_folders_above_it_made(tmp_path: Path) -> None:
    for text in ("a long old text", "new"):
        fill_file(tmp_path / "a/b/some.txt", text)
    assert contents(tmp_path) == {"a/b/some.txt": "new"}


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("before", [{}, {"some.txt": "old"}], ids=["new", "old"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException, before: dict[str, str]
) -> None:
    for name, text in before.items():
        fill_file(tmp_path / name, text)
    with pytest.raises(type(error)):
        fill_file(tmp_path / "some.txt", "half", error)
    assert contents(tmp_path) == before


def test_the_old_file_stays_in_place_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    fill_file(path, "old")
    with replace_file(path) as aside:
        aside.write_text("new", "utf-8")
        assert path.read_text("utf-8") == "old"
    assert path.read_text("utf-8") == "new"


def test_nothing_written_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    fill_file(tmp_path / "some.txt", "old")
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "some.txt"):
        pass
    assert contents(tmp_path) == {"some.txt": "old"}


def test_a_folder_in_the_files_place_is_kept_and_the_other_way_round(tmp_path: Path) -> None:
    fill_folder(tmp_path / "folder", {"a.txt": "kept"})
    fill_file(tmp_path / "file", "kept")
    with pytest.raises(OSError, match="folder"):
        fill_file(tmp_path / "folder", "new")
    with pytest.raises(OSError, match="file"):
        fill_folder(tmp_path / "file", {"one.txt": "new"})
    assert contents(tmp_path) == {"folder/a.txt": "kept", "file": "kept"}


def test_an_error_of_the_disk_without_a_name_gets_that_of_the_file(tmp_path: Path) -> None:
    full = errno.ENOSPC, "No space left"
    with pytest.raises(OSError, match="No space left") as file_error:
        fill_file(tmp_path / "some", "half", OSError(*full))
    with pytest.raises(OSError, match="No space left") as folder_error:
        fill_folder(tmp_path / "some", {}, OSError(*full))
    for caught in (file_error, folder_error):
        assert caught.value.filename == str(tmp_path / "some")


# --- A folder ---


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill_folder(tmp_path / "a/out", {"one.txt": "1", "two.txt": "2"})
    fill_folder(tmp_path / "a/out", {"two.txt": "new", "deep/three.txt": "3"})
    assert contents(tmp_path) == {"a/out/two.txt": "new", "a/out/deep/three.txt": "3"}


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("before", [{}, {"one.txt": "old"}], ids=["new", "old"])
def test_a_failure_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, error: BaseException, before: dict[str, str]
) -> None:
    if before:
        fill_folder(tmp_path / "out", before)
    with pytest.raises(type(error)):
        fill_folder(tmp_path / "out", {"one.txt": "half", "two.txt": "half"}, error)
    assert contents(tmp_path) == {f"out/{name}": text for name, text in before.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * bool(before)


def test_the_old_folder_stays_in_place_until_the_new_one_is_whole(tmp_path: Path) -> None:
    fill_folder(tmp_path / "out", {"one.txt": "old"})
    with replace_folder(tmp_path / "out") as aside:
        (aside / "two.txt").write_text("new", "utf-8")
        assert contents(tmp_path / "out") == {"one.txt": "old"}
    assert contents(tmp_path) == {"out/two.txt": "new"}


def test_the_old_folder_is_kept_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_folder(tmp_path / "out", {"one.txt": "old"})
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if (Path(source) / "two.txt").exists() and Path(target) == tmp_path / "out":
            raise OSError(errno.EIO, "Input/output error", str(target))
        replace(source, target)

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(OSError, match="Input/output error"):
        fill_folder(tmp_path / "out", {"two.txt": "new"})
    assert contents(tmp_path) == {"out/one.txt": "old"}


# --- Several outputs of one stage ---

OLD = {"models/one.txt": "old", "curve.csv": "old"}


def put(root: Path, text: str) -> None:
    """Write a folder and a file as the outputs of one stage."""
    with replace_outputs([root / "models"], [root / "curve.csv"]) as (models, curve):
        (models / "one.txt").write_text(text, "utf-8")
        curve.write_text(text, "utf-8")


def test_several_outputs_take_their_places_together(tmp_path: Path) -> None:
    put(tmp_path, "old")
    with replace_outputs([tmp_path / "models"], [tmp_path / "curve.csv"]) as (models, curve):
        (models / "two.txt").write_text("new", "utf-8")
        curve.write_text("new", "utf-8")
        assert contents_in_place(tmp_path) == OLD
    assert contents(tmp_path) == {"models/two.txt": "new", "curve.csv": "new"}


def contents_in_place(folder: Path) -> dict[str, str]:
    """All files that are not aside."""
    return {name: text for name, text in contents(folder).items() if ".partial" not in name}


@pytest.mark.parametrize("moves", range(5))
def test_killed_between_any_two_moves_no_new_output_is_beside_an_old_one(
    tmp_path: Path, moves: int
) -> None:
    put(tmp_path, "old")
    with after_moves(moves, "os.kill(os.getpid(), 9)") as code:
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=python_path())
    assert run.returncode in (0, -9)
    in_place = set(contents_in_place(tmp_path).values())
    # Two old ones leave, two new ones come.
    assert in_place == [{"old"}, {"old"}, set(), {"new"}, {"new"}][moves]
    put(tmp_path, "healed")
    assert set(contents(tmp_path).values()) == {"healed"}


@pytest.mark.parametrize("moves", range(4))
def test_ctrl_c_between_any_two_moves_comes_after_them(tmp_path: Path, moves: int) -> None:
    put(tmp_path, "old")
    with after_moves(moves, "os.kill(os.getpid(), 2)") as code:
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], env=python_path(), stderr=subprocess.PIPE
        )
    assert b"KeyboardInterrupt" in run.stderr
    assert set(contents(tmp_path).values()) == {"new"}


@pytest.mark.parametrize("moves", range(4))
def test_an_error_between_any_two_moves_brings_the_old_outputs_back(
    tmp_path: Path, moves: int
) -> None:
    put(tmp_path, "old")
    with after_moves(moves, "raise OSError(5, 'broken')") as code:
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env=python_path(), capture_output=True, text=True,
        )  # fmt: skip
    assert "broken" in run.stderr
    assert contents(tmp_path) == OLD


@contextmanager
def after_moves(moves: int, then: str) -> Iterator[str]:
    """Yield a program that writes both outputs, and does something after some of the moves."""
    yield f"""
import os, signal, sys
from pathlib import Path
from fusebench import aside
# Whoever runs the tests in the background may have had Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
replace, left = os.replace, [{moves}]
def counting(source, target):
    if left[0] == 0:
        left[0] = -1
        {then}
    left[0] -= 1
    replace(source, target)
root = Path(sys.argv[1])
with aside.replace_outputs([root / "models"], [root / "curve.csv"]) as (models, curve):
    (models / "one.txt").write_text("new")
    curve.write_text("new")
    os.replace = counting
"""


def python_path() -> dict[str, str]:
    # With what there is: see tests/test_platforms.py.
    paths = [str(Path(__file__).parent.parent / "src"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def test_what_the_check_refuses_leaves_the_old_outputs(tmp_path: Path) -> None:
    put(tmp_path, "old")

    def incomplete(asides: tuple[Path, ...]) -> None:
        assert [path.name for path in asides] == ["models", "curve.csv"]
        raise ValueError("lacks one")

    folders, files = [tmp_path / "models"], [tmp_path / "curve.csv"]
    with (
        pytest.raises(ValueError, match="lacks one"),
        replace_outputs(folders, files, incomplete) as (_, curve),
    ):
        curve.write_text("new", "utf-8")
    assert contents(tmp_path) == OLD


# --- In a folder that is aside itself ---


def test_files_in_a_folder_aside_move_with_it(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "out") as aside:
        fill_inside(aside / "deep/one.txt")
        assert contents_in_place(tmp_path) == {}
    assert contents(tmp_path) == {"out/deep/one.txt": "new"}


def fill_inside(path: Path) -> None:
    with replace_file(path) as inner:
        inner.write_text("new", "utf-8")


def test_a_folder_aside_that_has_gone_is_not_made_again(tmp_path: Path) -> None:
    fill_folder(tmp_path / "out", {"one.txt": "old"})

    def lose() -> None:
        with replace_folder(tmp_path / "out") as aside:
            remove(aside.parent)
            fill_inside(aside / "two.txt")

    with pytest.raises(FileNotFoundError):
        lose()
    assert contents(tmp_path) == {"out/one.txt": "old"}


def remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


# --- Other processes ---


@contextmanager
def other_process(output: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has begun to write a folder, and waits."""
    code = (
        "import sys, time; from pathlib import Path; from fusebench.aside import replace_folder\n"
        "with replace_folder(Path(sys.argv[1])) as aside:\n"
        "    (aside / 'half.txt').write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(output)], env=python_path(), stdout=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_to_write_an_output_is_told_who_writes_it(tmp_path: Path) -> None:
    fill_folder(tmp_path / "out", {"one.txt": "old"})
    with other_process(tmp_path / "out") as other:
        busy = rf"out: is being written by another run \(process {other.pid}\); wait for it"
        with pytest.raises(BusyError, match=busy):
            fill_folder(tmp_path / "out", {"two.txt": "new"})
        # Another output beside it is free, one with a name that begins alike, too.
        fill_folder(tmp_path / "out.more", {"one.txt": "new"})
        assert contents_in_place(tmp_path) == {"out/one.txt": "old", "out.more/one.txt": "new"}
        assert len([name for name in contents(tmp_path) if name.endswith("half.txt")]) == 1


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_the_remains_of_a_killed_process_are_removed(tmp_path: Path, how: str) -> None:
    with other_process(tmp_path / "out") as other:
        getattr(other, how)()
        # Not by itself.
        assert other.wait() != 0
    assert any("half.txt" in name for name in contents(tmp_path))
    fill_folder(tmp_path / "out", {"one.txt": "new"})
    assert contents(tmp_path) == {"out/one.txt": "new"}


def remains(root: Path, number: str) -> Path:
    """Make what a process of a number left as it was killed; return its lock."""
    aside = root / ".out.partial"
    for name in ("out/half.txt", "old/half.txt"):
        (aside / name).parent.mkdir(parents=True)
        (aside / name).write_text("half", "utf-8")
    (aside / "lock").write_text(f" {number}", "utf-8")
    return aside / "lock"


def number_of_none() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_who_takes_over_from_a_killed_process_is_named_not_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_locked(remains(tmp_path, str(number_of_none()))) as held:

        def write(_seconds: float) -> None:
            held.truncate(0)
            held.write(f" {os.getpid()}".encode())

        monkeypatch.setattr("time.sleep", write)
        with pytest.raises(BusyError, match=rf"process {os.getpid()}\); wait for it, or end it "):
            fill_folder(tmp_path / "out", {})


@pytest.mark.parametrize("told", [False, True])
def test_a_lock_whose_process_is_not_here_is_not_waited_for_for_ever(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = number_of_none()
    lock = remains(tmp_path, str(number) if told else "")
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with open_locked(lock), pytest.raises(BusyError) as caught:
        fill_folder(tmp_path / "out", {})
    named = f" (process {number} of another machine or container)" if told else ""
    assert str(caught.value) == (
        f"{tmp_path / 'out'}: is being written by another run{named}; wait for it; if there is "
        f"none, {lock} cannot be locked here"
    )
    assert 1 < sum(waited) < 60
    assert (lock.parent / "out/half.txt").exists()


def test_remains_that_cannot_be_removed_are_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_folder(tmp_path / "out", {"one.txt": "old"})
    remains(tmp_path, "1")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    for text in ("new", "newer"):
        fill_folder(tmp_path / "out", {"two.txt": text})
        assert contents_in_place(tmp_path) == {"out/two.txt": text}
    monkeypatch.undo()
    fill_folder(tmp_path / "out", {"three.txt": "newest"})
    assert contents(tmp_path) == {"out/three.txt": "newest"}


def test_a_link_to_nowhere_in_the_place_aside_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        fill_folder(tmp_path / "out", {})


def test_of_many_processes_that_begin_at_once_one_writes(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from fusebench.aside import replace_folder; from fusebench.errors import BusyError\n"
        "while not Path(sys.argv[2]).exists(): time.sleep(0.001)\n"
        "try:\n"
        "    with replace_folder(Path(sys.argv[1])) as aside:\n"
        "        (aside / 'a').write_text('whole'); time.sleep(1)\n"
        "except BusyError: sys.exit(1)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "out"), str(tmp_path / "go")]
    processes = [subprocess.Popen(arguments, env=python_path()) for _ in range(4)]
    time.sleep(0.5)
    (tmp_path / "go").touch()
    assert sorted(process.wait() for process in processes) == [0, 1, 1, 1]
    assert contents(tmp_path) == {"out/a": "whole", "go": ""}
