"""The default remote as `diff` asks it for predictions that are not in the cache."""

import os
import shutil
from pathlib import Path

import pytest
from tests.project import Project
from tests.remotes import servers

from fusebench.errors import ArtifactError
from fusebench.remotes.attempts import few_attempts
from fusebench.remotes.settings import Remote
from fusebench.revisions.revisions import read_fusions

ATTEMPTS = "AWS_MAX_ATTEMPTS"


@pytest.fixture(autouse=True)
def _who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of S3, and no files of the user's."""
    for name, value in servers.KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none/aws"))
    for name in ("AWS_PROFILE", ATTEMPTS):
        monkeypatch.delenv(name, raising=False)


def _said(project: Project, url: str, **options: object) -> str:
    """Return what is said where only a remote could have the predictions of HEAD."""
    shutil.rmtree(project.root / ".dvc/cache", ignore_errors=True)
    lines = [f"    {key} = {value}\n" for key, value in {"url": url, **options}.items()]
    (project.root / ".dvc/config.local").write_text(
        f"[core]\n    remote = far\n['remote \"far\"']\n{''.join(lines)}", "utf-8"
    )
    with pytest.raises(ArtifactError) as caught:
        read_fusions("HEAD", names=["add"])
    return str(caught.value)


def test_an_address_that_the_libraries_refuse_is_said(kept: Project) -> None:
    gives = (
        "predictions/add of 'HEAD': not in DVC's cache, and remote 'far' ({}) does not give it: "
    )
    said = _said(kept, "s3://bucket/a", endpointurl="http://a_host:9000")
    assert said == (
        f"{gives.format('s3://bucket/a at http://a_host:9000')}Invalid endpoint: http://a_host:9000"
    )
    said = _said(kept, "ssh://host..name/srv")
    assert said.startswith(gives.format("ssh://host..name/srv"))
    assert "label empty or too long" in said


def test_what_a_remote_lacks_is_not_what_is_damaged_there(kept: Project, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    kept.dvc("remote", "add", "--local", "--default", "far", str(shelf))
    kept.dvc("push", "--quiet")
    (listed,) = shelf.rglob("*.dir")
    listed.chmod(0o644)
    listed.write_text("[{", "utf-8")
    assert _said(kept, str(shelf)).endswith(
        f"remote 'far' ({shelf}) does not give it: a list of files is damaged there"
    )
    listed.unlink()
    assert "predictions/add of 'HEAD': in no cache or remote; " in _said(kept, str(shelf))


@pytest.mark.slow
def test_a_server_that_says_nothing_is_asked_five_times(kept: Project) -> None:
    with servers.mute() as (address, taken):
        said = _said(kept, "s3://bucket", endpointurl=f"http://{address}", read_timeout=1)
        assert len(taken) == 5
    assert f"remote 'far' (s3://bucket at http://{address}) does not give it: Read timeout" in said
    assert ATTEMPTS not in os.environ


def _remote(**options: str) -> Remote:
    return Remote("far", "s3://bucket", ".dvc/config", {"far": {"url": "s3://bucket", **options}})


def test_how_often_it_is_asked_is_the_users_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with few_attempts(_remote()):
        assert os.environ[ATTEMPTS] == "1"
    assert ATTEMPTS not in os.environ
    # A profile that is not there is said by what asks the server.
    with few_attempts(_remote(profile="patient")):
        assert os.environ[ATTEMPTS] == "1"
    (tmp_path / "config").write_text("[profile patient]\nmax_attempts = 7\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with few_attempts(_remote(profile="patient")):
        assert ATTEMPTS not in os.environ
    monkeypatch.setenv(ATTEMPTS, "3")
    with few_attempts(_remote()):
        assert os.environ[ATTEMPTS] == "3"
    assert os.environ[ATTEMPTS] == "3"


def test_a_remote_that_is_no_s3_changes_nothing_there() -> None:
    with few_attempts(Remote("far", "/srv", ".dvc/config", {"far": {"url": "/srv"}})):
        assert ATTEMPTS not in os.environ
