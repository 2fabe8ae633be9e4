import json
import os
from pathlib import Path
from typing import Any

import pytest

from fusebench.errors import ArtifactError
from fusebench.files import read_json, replace_file, replace_folder, write_json, write_text


def contents(folder: Path) -> dict[str, str]:
    """All files below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def fill_file(path: Path, text: str, error: BaseException | None = None) -> None:
    with replace_file(path) as aside:
        assert aside.parent == path.parent
        assert aside != path
        aside.write_text(text, "utf-8")
        if error:
            raise error


def fill_folder(path: Path, files: dict[str, str], error: BaseException | None = None) -> None:
    with replace_folder(path) as aside:
        assert aside.parent == path.parent
        assert list(aside.iterdir()) == []
        for name, text in files.items():
            (aside / name).parent.mkdir(exist_ok=True)
            (aside / name).write_text(text, "utf-8")
        if error:
            raise error


ERRORS = [ValueError("wrong"), OSError(28, "No space left"), KeyboardInterrupt(), SystemExit(1)]

# --- A file ---


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    fill_file(tmp_path / "a/b/some.txt", "new")
    assert contents(tmp_path) == {"a/b/some.txt": "new"}


def test_a_file_is_replaced(tmp_path: Path) -> None:
    for text in ("a long old text", "new"):
        fill_file(tmp_path / "some.txt", text)
    assert contents(tmp_path) == {"some.txt": "new"}


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


def test_what_a_killed_run_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".some.txt.partial").write_text("half, and longer than the whole", "utf-8")
    fill_file(tmp_path / "some.txt", "new")
    assert contents(tmp_path) == {"some.txt": "new"}


def test_nothing_written_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    fill_file(tmp_path / "some.txt", "old")
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "some.txt"):
        pass
    assert contents(tmp_path) == {"some.txt": "old"}


def test_a_folder_in_the_files_place_is_kept(tmp_path: Path) -> None:
    fill_folder(tmp_path / "some.txt", {"a.txt": "kept"})
    with pytest.raises(OSError, match=r"some\.txt"):
        fill_file(tmp_path / "some.txt", "new")
    assert contents(tmp_path) == {"some.txt/a.txt": "kept"}


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
            raise OSError(5, "Input/output error", str(target))
        replace(source, target)

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(OSError, match="Input/output error"):
        fill_folder(tmp_path / "out", {"two.txt": "new"})
    assert contents(tmp_path) == {"out/one.txt": "old"}


def test_a_killed_runs_folder_is_no_obstacle_and_not_part_of_the_next(tmp_path: Path) -> None:
    fill_folder(tmp_path / ".out.partial", {"left.txt": "half"})
    fill_folder(tmp_path / "out", {"one.txt": "new"})
    assert contents(tmp_path) == {"out/one.txt": "new"}


def test_a_file_in_the_folders_place_is_kept(tmp_path: Path) -> None:
    fill_file(tmp_path / "out", "kept")
    with pytest.raises(OSError, match="out"):
        fill_folder(tmp_path / "out", {"one.txt": "new"})
    assert contents(tmp_path) == {"out": "kept"}


# --- Text and JSON ---


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "some.txt", "47° ü\nend\n")
    assert (tmp_path / "some.txt").read_bytes() == b"47\xc2\xb0 \xc3\xbc\nend\n"


def test_json_comes_back_in_order_and_readable(tmp_path: Path) -> None:
    content = {"z": 1, "a": [1.5, None, True], "ü": {"b": "47°", "a": 0.1}}
    write_json(tmp_path / "some.json", content)
    text = (tmp_path / "some.json").read_text("utf-8")
    assert list(read_json(tmp_path / "some.json")) == ["z", "a", "ü"]
    assert read_json(tmp_path / "some.json") == content
    assert "47°" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), {1, 2}, b"x"])
def test_what_is_no_json_is_refused_and_the_old_file_kept(tmp_path: Path, value: Any) -> None:
    write_json(tmp_path / "some.json", {"value": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "some.json", {"value": [value]})
    assert contents(tmp_path) == {"some.json": '{\n  "value": 1\n}\n'}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; 'dvc repro' makes it"),
        (b"", "not valid JSON"),
        (b'{"half": ', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1, 2]", "must be a JSON object, not list"),
        (b"1", "must be a JSON object, not int"),
        (b"null", "must be a JSON object, not NoneType"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_is_written_as_any_program_reads_it(tmp_path: Path) -> None:
    write_json(tmp_path / "some.json", {"rate": 99.5})
    assert json.loads((tmp_path / "some.json").read_bytes()) == {"rate": 99.5}
