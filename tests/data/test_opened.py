"""What data.archive may name: a zip or a folder, and nothing else."""

import os
import socket
from pathlib import Path

import pytest
from tests.data.archives import LIMITS, members, write_folder, write_zip

from fusebench.data.container import Container
from fusebench.data.opened import open_container
from fusebench.data.settings import Limits
from fusebench.data.tree import Tree
from fusebench.data.zips import Zip
from fusebench.errors import ArchiveError


def opened(path: Path) -> Container:
    return open_container(path, Limits.model_validate(LIMITS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file or folder; put it there or set data.archive"),
        (b"", "not a readable zip archive"),
        (b"PK\x03\x04 and no more", "not a readable zip archive"),
        (b"<html>404</html>" * 100, "not a readable zip archive"),
    ],
)
def test_files_that_are_no_zip_are_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "some.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArchiveError, match=message) as caught:
        opened(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_zip_cut_off_at_its_end_is_refused(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "some.zip", members()).read_bytes()
    for length in (len(whole) - 1, len(whole) // 2):
        (tmp_path / "some.zip").write_bytes(whole[:length])
        with pytest.raises(ArchiveError, match="not a readable zip archive"):
            opened(tmp_path / "some.zip")


def test_a_zip_and_a_folder_are_told_by_what_they_are_not_by_their_names(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder.zip", members())
    archive = write_zip(tmp_path / "zip", members(), prefix="")
    (tmp_path / "link").symlink_to(folder)
    for path, kind in ((folder, Tree), (archive, Zip), (tmp_path / "link", Tree)):
        with opened(path) as container:
            assert type(container) is kind
            assert container.source == str(path)
            assert sorted(container.names()) == sorted(members())


def test_a_path_through_a_file_is_no_file(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "some.zip", members())
    with pytest.raises(ArchiveError, match="no such file"):
        opened(path / "inner.zip")


def test_a_link_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "some.zip").symlink_to(tmp_path / "gone")
    with pytest.raises(ArchiveError, match="no such file or folder"):
        opened(tmp_path / "some.zip")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError, match=r"is no file; data\.archive must name a zip or a fold"):
        opened(tmp_path / "pipe")


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(ArchiveError, match="is no file"):
            opened(tmp_path / "s")
