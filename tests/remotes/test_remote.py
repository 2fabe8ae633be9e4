"""`make remote` against a folder, a server of S3 and one of ssh: what it sets, says and refuses."""

import errno
import os
import pty
import socket
import subprocess
import sys
import termios
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from dvc.fs import LocalFileSystem
from tests.project import ROOT
from tests.remotes import servers
from tests.remotes.servers import BUCKET

from fusebench.errors import ArtifactError, ParamsError
from fusebench.remotes import reach
from fusebench.remotes.remote import set_remote, show_remote

FILE = Path(".dvc/config")
EMPTY = "there is nothing to keep yet: 'dvc repro' makes it"
pytestmark = pytest.mark.usefixtures("checkout")


def _set(url: str, seconds: float = 60, name: str = "storage", **options: str | bool) -> list[str]:
    return set_remote(url, name, seconds=seconds, **options)  # type: ignore[arg-type]


def _refusal(url: str, seconds: float = 60, **options: str) -> str:
    """Return why a remote is not set; hold it to one line, and the config to its bytes."""
    before = FILE.read_bytes()
    with pytest.raises(ParamsError) as caught:
        _set(url, seconds, **options)
    assert FILE.read_bytes() == before
    assert not Path(".dvc/config.local").exists()
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- A folder ---


def test_a_folder_is_set_and_left_as_it_is(tmp_path: Path) -> None:
    shelf = tmp_path / "above/shelf"
    shelf.parent.mkdir()
    assert _set(str(shelf)) == [
        f"default remote 'storage': {shelf} (.dvc/config)",
        "on another machine it must be at the same path; LOCAL=1 sets another one there",
        EMPTY,
        "next: git add .dvc/config and commit; git push",
    ]
    assert list(shelf.parent.iterdir()) == []
    written = FILE.read_bytes()
    shelf.mkdir()
    again = _set(str(shelf))
    assert list(shelf.iterdir()) == []
    assert again[0] == (
        f"default remote 'storage': {shelf} (.dvc/config): it was before, nothing was changed"
    )
    assert not [line for line in again if line.startswith("next")]
    assert FILE.read_bytes() == written


def test_what_is_replaced_and_what_counts_first_is_said(tmp_path: Path) -> None:
    first, second, mine = (str(tmp_path / name) for name in ("first", "second", "mine"))
    _set(first)
    assert f"it replaces 'storage': {first}" in _set(second)
    said = _set("../mine", name="mine", local=True)
    assert said[:2] == [
        f"default remote 'mine': {mine} (.dvc/config.local)",
        ".dvc/config.local is not in git: it holds in this folder alone",
    ]
    said = _set("../first", name="other")
    assert "the default one was 'storage', which stays a remote" in said
    assert f"here another one counts first: 'mine': {mine} (.dvc/config.local)" in said
    assert "../first is seen from each clone: one that lies elsewhere looks elsewhere" in said


@pytest.mark.parametrize("kind", ["a file", "below none"])
def test_a_folder_that_cannot_be_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = str(tmp_path / {"a file": "file", "below none": "none/shelf"}[kind])
    why = {"a file": "is a file; must be a folder", "below none": "no such folder; make it first"}
    assert why[kind] in _refusal(url)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir(mode=0o555)
    if os.access(shelf, os.W_OK):
        pytest.skip("root writes everywhere; the read-only server of ssh stands for it")
    assert "Permission denied; nothing was changed" in _refusal(str(shelf))


# --- S3 ---


@pytest.mark.slow
def test_a_bucket_is_set_and_left_empty(s3: str) -> None:
    said = _set(f"s3://{BUCKET}/team", endpoint=s3)
    assert said == [
        f"default remote 'storage': s3://{BUCKET}/team at {s3} (.dvc/config)",
        "whoever works with this commit needs dvc-s3: 'make setup-extras'; DVC fails without it",
        EMPTY,
        "next: git add .dvc/config and commit; git push",
    ]
    assert show_remote(None, 60) == [said[0], EMPTY]
    assert show_remote("storage", 60)[0] == said[0].removeprefix("default ")
    assert servers.objects(s3) == []
    assert f"endpointurl = {s3}\n" in FILE.read_text("utf-8")


@pytest.mark.slow
def test_why_s3_refuses_is_said(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refusal("s3://nobody-has-this", endpoint=s3) == (
        "URL = 's3://nobody-has-this': The specified bucket does not exist; nothing was changed"
    )
    said = _refusal(f"s3://{BUCKET}", endpoint=s3, profile="nobody")
    assert "The config profile (nobody) could not be found" in said
    for name in servers.KEYS:
        monkeypatch.delenv(name)
    said = _refusal(f"s3://{BUCKET}", endpoint=s3)
    assert "no credentials; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile" in said


@pytest.mark.slow
@pytest.mark.usefixtures("s3")
def test_a_server_that_is_not_there_is_refused() -> None:
    said = _refusal(f"s3://{BUCKET}", endpoint=f"http://127.0.0.1:{_free_port()}")
    assert "Could not connect to the endpoint URL" in said


@pytest.mark.parametrize(
    ("url", "endpoint", "why"),
    [
        ("s3://bucket", "http://a_host:9000", "Invalid endpoint: http://a_host:9000"),
        ("ssh://host..name/srv", None, "label empty or too long"),
    ],
)
def test_an_address_that_the_libraries_refuse_is_one_line(
    url: str, endpoint: str | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in servers.KEYS.items():
        monkeypatch.setenv(name, value)
    given = {"endpoint": endpoint} if endpoint else {}
    said = _refusal(url, 60, **given)
    assert said.startswith(f"URL = '{url}': ")
    assert why in said
    at = f"    endpointurl = {endpoint}\n" if endpoint else ""
    FILE.write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n{at}", "utf-8")
    with pytest.raises(ArtifactError) as caught:
        show_remote(None, 60)
    shown = f"{url} at {endpoint}" if endpoint else url
    assert str(caught.value).startswith(f"remote 'far' ({shown}, .dvc/config): ")
    assert why in str(caught.value)


def test_a_server_that_never_answers_is_waited_for_as_long_as_is_said() -> None:
    # Of its own accord asyncssh would give up after two minutes, and say something else.
    with servers.mute() as (address, taken):
        url = f"ssh://me@{address}/srv"
        assert _refusal(url, seconds=5) == (
            f"URL = '{url}': no answer in 5 s (WAIT=seconds waits longer); nothing was changed"
        )
        # The time is that of the server, not of what starts Python and DVC.
        assert taken


def _patient(pipe: Connection, *_: object) -> None:
    """Answer as a server that is reached and says nothing more."""
    pipe.send(reach._READY)
    pipe.send(reach._REACHED)
    time.sleep(60)


def test_what_a_server_holds_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "_answer", _patient)
    monkeypatch.setattr(reach, "_PATIENCE", 0.04)
    said = _refusal(str(tmp_path / "shelf"), seconds=5)
    assert "it answers, but does not say what it holds in 0.2 s" in said


class _Files(LocalFileSystem):  # type: ignore[misc]
    """A disk on which writing or removing fails."""

    def __init__(self, failing: str) -> None:
        super().__init__()
        self.failing = failing

    def cat_file(self, path: str, *_: object, **__: object) -> bytes:
        if self.failing == "reading":
            raise OSError(errno.EIO, "cannot be read")
        return Path(path).read_bytes()

    def remove(self, path: str) -> None:
        if self.failing == "removing":
            raise OSError(errno.EPERM, "may not be removed")
        Path(path).unlink()


def test_the_file_of_the_probe_goes_though_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    with pytest.raises(OSError, match="cannot be read"):
        reach._touch(_Files("reading"), str(tmp_path / "shelf"), write=True)
    assert list((tmp_path / "shelf").iterdir()) == []


def test_a_file_of_the_probe_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    with pytest.raises(reach.UnreachableError) as caught:
        reach._touch(_Files("removing"), str(tmp_path / "shelf"), write=True)
    (left,) = (tmp_path / "shelf").iterdir()
    assert str(caught.value) == f"{left} cannot be removed again: may not be removed"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# --- ssh ---


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's home, whose keys ssh takes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "home"


def test_a_folder_of_a_server_is_set(home: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with servers.ssh(home) as address:
        said = _set(f"{address}{shelf}")
        assert said[:2] == [
            f"default remote 'storage': {address}{shelf} (.dvc/config)",
            "whoever works with this commit needs dvc-ssh: 'make setup-extras'; DVC fails "
            "without it",
        ]
        assert "no such folder; make it first" in _refusal(f"{address}{tmp_path}/none/shelf")
    assert list(shelf.iterdir()) == []


def test_a_server_that_lets_nobody_write_or_in_is_refused(home: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    with servers.ssh(home, read_only=True) as address:
        assert "read-only server; nothing was changed" in _refusal(f"{address}{shelf}")
        (home / ".ssh/id_ed25519").unlink()
        assert "Permission denied" in _refusal(f"{address}{shelf}")


def test_a_key_with_a_passphrase_is_refused_and_the_terminal_stays_as_it_was(
    home: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from fusebench.remotes.remote import set_remote; "
        "set_remote(sys.argv[1], 'storage', seconds=60)"
    )
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with servers.ssh(home, passphrase="secret") as address:  # noqa: S106
        ours, theirs = pty.openpty()
        before = termios.tcgetattr(theirs)
        # In a session of its own, whose terminal is this one.
        done = subprocess.run(
            [sys.executable, "-c", "import fcntl, os, sys, termios; os.setsid(); "
             f"fcntl.ioctl(int(sys.argv[2]), termios.TIOCSCTTY, 0); {code}",
             f"{address}{shelf}", str(theirs)],
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, pass_fds=[theirs],
            stdin=theirs, capture_output=True, text=True,
        )  # fmt: skip
        assert termios.tcgetattr(theirs) == before
        os.close(theirs)
        os.close(ours)
    last = done.stderr.splitlines()[-1]
    assert "needs a passphrase or password, which is not asked for here; 'ssh-add' hands" in last
    assert list(shelf.iterdir()) == []


# --- What is lacking, and what is not there ---


def test_a_default_remote_of_this_folder_that_is_not_defined_is_said(tmp_path: Path) -> None:
    Path(".dvc/config.local").write_text("[core]\n    remote = gone\n", "utf-8")
    said = _set(str(tmp_path))
    assert "here another one counts first: core.remote = 'gone': no such remote" in said
    Path(".dvc/config.local").unlink()
    FILE.write_text("[core]\n    remote = gone\n", "utf-8")
    with pytest.raises(ArtifactError, match=r"^core\.remote = 'gone': no such remote$"):
        show_remote(None, 1)
    assert "the default one was 'gone', which is no remote" in _set(str(tmp_path))


@pytest.mark.parametrize(("url", "kind"), [("s3://bucket", "s3"), ("ssh://host/srv", "ssh")])
def test_a_package_that_is_lacking_is_named(
    url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"dvc_{kind}", None)
    assert _refusal(url) == (
        f"URL = '{url}': needs dvc-{kind} (extra {kind}); 'make setup-extras' installs it"
    )


def test_without_a_remote_it_is_said_how_to_set_one() -> None:
    (said,) = show_remote(None, 1)
    assert said.startswith("no remote is set; 'make remote URL=…' sets one: a folder, ssh://")


def test_a_remote_that_is_not_there_is_named() -> None:
    with pytest.raises(ArtifactError, match=r"^no remote 'shelf'; 'dvc remote list' names them"):
        show_remote("shelf", 1)
    url = f"ssh://me@127.0.0.1:{_free_port()}/srv"
    FILE.write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n", "utf-8")
    with pytest.raises(ArtifactError) as caught:
        show_remote(None, 60)
    assert str(caught.value).startswith(f"remote 'far' ({url}, .dvc/config): Connect call failed")
