"""A folder as a container: what is in it, and what of it is refused; test_layout.py has more."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.data.archives import LIMITS, members, write_folder
from tests.data.laid_out import SETS, Laid

from fusebench.data.settings import Limits
from fusebench.data.tree import Tree
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError


def opened(path: Path, **changes: int) -> Tree:
    return Tree(path, Limits.model_validate(LIMITS | changes))


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    return Laid(tmp_path, SETS["class_folders"], "folder")


def test_members_are_the_files_at_any_depth_sorted_by_name(tmp_path: Path) -> None:
    files = {
        "b": b"1",
        "a/b/c/d.txt": b"22",
        "a/x": b"",
        ".hidden/y": b"333",
        "a b": b"4",
        "ü": b"",
    }
    tree = opened(write_folder(tmp_path, files))
    (tmp_path / "empty/er").mkdir(parents=True)
    assert list(tree.names()) == sorted(files)
    assert {tree.name(number): tree.read(number) for number in range(len(files))} == files
    tree.check_unchanged()


def test_a_folder_that_cannot_be_listed_is_refused_and_named(
    laid: Laid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its samples would be missing without a word."""
    locked = laid.path / "cubes/rgb"
    locked.chmod(0)
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    # A user who may read everything reads it all the same.
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ArchiveError) as caught:
        laid.extract(on_bad_sample="skip")
    locked.chmod(0o700)
    assert str(caught.value) == (f"{laid.path}: {locked} cannot be looked at (Permission denied)")
    assert laid.outputs() == {}


def test_a_file_whose_state_cannot_be_asked_for_is_named(
    laid: Laid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that may be listed, and not be entered."""
    file = laid.path / "cubes/rgb/0001.png"
    lstat = Path.lstat

    def refusing(path: Path) -> os.stat_result:
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refusing)
    with pytest.raises(ArchiveError, match=r"0001\.png cannot be looked at \(Permission denied\)"):
        laid.extract(on_bad_sample="skip")


def test_a_name_that_is_no_utf_8_is_refused_and_shown(laid: Laid) -> None:
    os.rename(  # noqa: PTH104
        laid.path / "cubes/rgb/0001.png", os.fsencode(laid.path / "cubes/rgb") + b"/\xff\n.png"
    )
    with pytest.raises(ArchiveError) as caught:
        laid.extract(on_bad_sample="skip")
    assert str(caught.value).startswith(f"{laid.path}: 'cubes/rgb/\\udcff\\n.png' has")
    assert "has a name that is no UTF-8; rename it" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_backslash_in_a_name_is_refused(laid: Laid) -> None:
    """In a zip, and to other systems, it is a folder."""
    laid.write({"cubes\\rgb\\0009.png": b""})
    with pytest.raises(ArchiveError, match=r"has '\\' in its name; rename it"):
        laid.extract(on_bad_sample="skip")


def test_one_name_in_two_spellings_is_refused(laid: Laid) -> None:
    laid.write({f"cubes/rgb/{key}.png": b"" for key in ("é", "e\u0301")})
    with pytest.raises(ArchiveError, match="stands in the folder twice; leave one there"):
        laid.extract(on_bad_sample="skip")


def test_a_link_to_a_folder_is_not_followed(laid: Laid, tmp_path: Path) -> None:
    (laid.path / "cubes").rename(tmp_path / "cubes")
    (laid.path / "cubes").symlink_to(tmp_path / "cubes")
    with pytest.raises(ArchiveError, match=r"no folder holds all classes .*found: \['spheres'\]"):
        laid.extract()


def test_angles_behind_a_link_are_refused(laid: Laid) -> None:
    angles = laid.path / "cubes/zenith.npy"
    angles.rename(laid.path / "zenith")
    angles.symlink_to(laid.path / "zenith")
    with pytest.raises(ArchiveError, match=r"cubes/zenith\.npy: a symbolic link"):
        laid.extract(on_bad_sample="skip")


def test_too_many_files_are_refused_and_counted(tmp_path: Path) -> None:
    tree = write_folder(tmp_path, {f"a/{number}": b"" for number in range(20)})
    assert len(list(opened(tree, members=21).names())) == 20
    with pytest.raises(ArchiveError) as caught:
        opened(tree, members=20)
    assert str(caught.value) == (
        f"{tree}: 21 or more files and folders in it; data.limits.members allows 20: raise it if "
        "you trust the folder"
    )


def test_folders_count_as_members_too(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(ArchiveError, match=r"30 or more files and folders"):
        opened(tmp_path, members=29)


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    tree = opened(tmp_path, member_bytes=1 << 20)
    with pytest.raises(BadMemberError, match=r"1,099,511,627,776 bytes; .*member_bytes"):
        tree.read(0)
    # It is never read, and so counts nothing.
    tree.check_limits(np.array([0]))


@pytest.mark.parametrize(
    ("count", "allowed"), [(1, True), (2, True), (3, False)], ids=["below", "at", "above"]
)
def test_files_of_more_than_the_total_together_are_refused(
    tmp_path: Path, count: int, allowed: bool
) -> None:
    write_folder(tmp_path, {str(number): bytes(1000) for number in range(3)})
    tree = opened(tmp_path, total_bytes=2000)
    # Each counts once, however often it is read.
    chosen = np.repeat(np.arange(count), 5)
    if allowed:
        tree.check_limits(chosen)
        return
    with pytest.raises(ArchiveError, match=r"its samples have 3,000 bytes; data\.limits\.total_by"):
        tree.check_limits(chosen)


def test_a_file_takes_a_name_and_some_bytes(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = write_folder(
            tmp_path / str(count), {f"{number:06}": b"" for number in range(count)}
        )
        tracemalloc.start()
        try:
            tree = opened(folder)
            held = tracemalloc.get_traced_memory()[0]
            tree.check_unchanged()
            return held
        finally:
            tracemalloc.stop()

    # A name of six letters takes 55 bytes, and 8 in the list.
    assert (peak(3000) - peak(1000)) / 2000 < 120


def _replaced(path: Path) -> None:
    """By other bytes, as many and of the same time."""
    found = path.stat()
    path.with_name("other").write_bytes(b"7" * found.st_size)
    os.utime(path.with_name("other"), ns=(found.st_atime_ns, found.st_mtime_ns))
    path.with_name("other").replace(path)


def _grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _cut(path: Path) -> None:
    os.truncate(path, 3)


@pytest.mark.parametrize("change", [_replaced, _grown, _cut, Path.touch, Path.unlink])
def test_another_file_than_the_one_that_was_listed_is_not_read(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    tree = opened(write_folder(tmp_path, {"a": b"content"}))
    assert tree.read(0) == b"content"
    change(tmp_path / "a")
    with pytest.raises(ArchiveError, match="changed while it was read"):
        tree.read(0)


@pytest.mark.parametrize("what", [Path.mkdir, Path.touch])
def test_a_new_file_is_a_change_and_an_empty_folder_is_none(
    tmp_path: Path, what: Callable[[Path], None]
) -> None:
    tree = opened(write_folder(tmp_path, members()))
    what(tmp_path / "cubes/new")
    if what is Path.mkdir:
        tree.check_unchanged()
    else:
        with pytest.raises(ArchiveError, match="changed while it was read"):
            tree.check_unchanged()


def test_a_folder_that_is_gone_is_a_change(tmp_path: Path) -> None:
    tree = opened(write_folder(tmp_path / "some", members()))
    (tmp_path / "some").rename(tmp_path / "other")
    with pytest.raises(ArchiveError, match="changed while it was read"):
        tree.check_unchanged()
    with pytest.raises(ArchiveError, match="changed while it was read"):
        tree.read(0)


def test_a_pipe_that_takes_a_files_place_at_the_last_moment_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = opened(write_folder(tmp_path, {"a": b"content"}))
    lstat = Path.lstat

    def replacing(path: Path) -> os.stat_result:
        found = lstat(path)
        monkeypatch.undo()
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(Path, "lstat", replacing)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        tree.read(0)


def test_a_link_that_takes_a_files_place_at_the_last_moment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = opened(write_folder(tmp_path, {"a": b"content"}))
    lstat = Path.lstat

    def replacing(path: Path) -> os.stat_result:
        found = lstat(path)
        monkeypatch.undo()
        path.rename(tmp_path.parent / "moved")
        path.symlink_to(tmp_path.parent / "moved")
        return found

    monkeypatch.setattr(Path, "lstat", replacing)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        tree.read(0)
