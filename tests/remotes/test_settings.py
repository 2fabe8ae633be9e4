"""DVC's config files: what is written is what DVC reads, and a failure leaves them as they were."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.remotes.conftest import CONFIG

from fusebench.errors import ArtifactError, FusebenchError, ParamsError
from fusebench.remotes.place import read_place
from fusebench.remotes.settings import LOCAL, SHARED, Settings, bounded

SHARED_FILE, LOCAL_FILE = Path(".dvc/config"), Path(".dvc/config.local")


def _set(url: str, name: str = "storage", level: str = SHARED, **options: str) -> None:
    Settings().write(name, read_place(url, **options), level)


def _as_dvc_reads() -> Any:
    from dvc.config import Config

    return Config(".dvc")


@pytest.mark.usefixtures("checkout")
def test_a_default_remote_is_written_beside_what_was_there() -> None:
    _set("s3://bucket/a", endpoint="http://host:9000", profile="team")
    assert SHARED_FILE.read_text("utf-8") == (
        f"{CONFIG}    remote = storage\n"
        "['remote \"storage\"']\n    url = s3://bucket/a\n"
        "    endpointurl = http://host:9000\n    profile = team\n"
    )
    assert not LOCAL_FILE.exists()


@pytest.mark.usefixtures("checkout")
def test_a_local_one_is_written_where_git_does_not_see_it() -> None:
    before = SHARED_FILE.read_bytes()
    _set("/srv/results", level=LOCAL)
    assert SHARED_FILE.read_bytes() == before
    assert "url = /srv/results" in LOCAL_FILE.read_text("utf-8")
    assert _as_dvc_reads()["core"]["remote"] == "storage"


@pytest.mark.usefixtures("checkout")
def test_the_local_file_counts_before_the_shared_one() -> None:
    _set("/srv/results")
    _set("/mnt/results", level=LOCAL)
    remote = Settings().remote()
    assert remote is not None
    assert (remote.url, remote.file) == ("/mnt/results", ".dvc/config.local")
    assert Settings().options_of_others("storage", SHARED) == {".dvc/config.local": ["url"]}


def test_a_relative_folder_is_seen_from_the_project(checkout: Path) -> None:
    _set("../shelf")
    assert "url = ../../shelf\n" in SHARED_FILE.read_text("utf-8")
    assert _as_dvc_reads()["remote"]["storage"]["url"] == str(checkout.parent / "shelf")
    remote = Settings().remote()
    assert remote is not None
    assert (remote.name, remote.url) == ("storage", str(checkout.parent / "shelf"))
    assert remote.file == ".dvc/config"


def test_each_users_own_folder_stays_so(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(checkout.parent))
    _set("~/shelf")
    assert "url = ~/shelf\n" in SHARED_FILE.read_text("utf-8")
    assert _as_dvc_reads()["remote"]["storage"]["url"] == str(checkout.parent / "shelf")


@pytest.mark.parametrize("url", ["../shelf", "~/shelf", "/srv/a", "ssh://me@host/srv", "s3://b"])
@pytest.mark.usefixtures("checkout")
def test_what_is_set_is_known_to_be_so(url: str) -> None:
    place = read_place(url)
    assert not Settings().is_set("storage", place, SHARED)
    _set(url)
    assert Settings().is_set("storage", place, SHARED)
    assert not Settings().is_set("storage", place, LOCAL)
    assert not Settings().is_set("storage", read_place("/srv/b"), SHARED)


def test_the_same_folder_written_otherwise_is_another(checkout: Path) -> None:
    _set("../shelf")
    assert not Settings().is_set("storage", read_place(str(checkout.parent / "shelf")), SHARED)


@pytest.mark.usefixtures("checkout")
def test_options_of_the_same_url_stay_and_those_of_another_go() -> None:
    _set("s3://bucket/a", endpoint="http://host:9000")
    SHARED_FILE.write_text(SHARED_FILE.read_text("utf-8") + "    jobs = 2\n", "utf-8")
    _set("s3://bucket/a", profile="team")
    text = SHARED_FILE.read_text("utf-8")
    assert all(key in text for key in ("endpointurl = ", "jobs = 2", "profile = team"))
    _set("s3://bucket/b")
    assert not any(key in SHARED_FILE.read_text("utf-8") for key in ("endpointurl", "jobs"))


@pytest.mark.usefixtures("checkout")
def test_keys_in_the_local_file_go_with_the_shared_url() -> None:
    LOCAL_FILE.write_text("['remote \"storage\"']\n    access_key_id = me\n", "utf-8")
    place = read_place("s3://bucket")
    options = Settings().planned("storage", place, SHARED).remotes["storage"]
    assert (options["url"], options["access_key_id"]) == ("s3://bucket", "me")
    assert Settings().options_of_others("storage", SHARED) == {
        ".dvc/config.local": ["access_key_id"]
    }
    _set("s3://bucket")
    assert "access_key_id" not in SHARED_FILE.read_text("utf-8")
    assert _as_dvc_reads()["remote"]["storage"]["access_key_id"] == "me"


@pytest.mark.usefixtures("checkout")
def test_what_does_not_go_with_another_file_takes_another_name() -> None:
    _set("s3://bucket", endpoint="http://host:9000")
    with pytest.raises(ParamsError) as caught:
        Settings().planned("storage", read_place("/srv/results"), LOCAL)
    assert str(caught.value) == (
        "NAME = 'storage': does not go with what another file says of it "
        "(.dvc/config: endpointurl, url); NAME=… gives it another name"
    )
    Settings().planned("mine", read_place("/srv/results"), LOCAL)


@pytest.mark.usefixtures("checkout")
def test_what_dvc_would_read_otherwise_is_refused_and_the_file_stays() -> None:
    before = SHARED_FILE.read_bytes()
    # In DVC's files this stands for the value of another key.
    for level in (SHARED, LOCAL):
        with pytest.raises(FusebenchError):
            _set("/srv/%(home)s", level=level)
    assert SHARED_FILE.read_bytes() == before
    assert [path.name for path in SHARED_FILE.parent.iterdir()] == ["config"]


@pytest.mark.usefixtures("checkout")
def test_a_config_is_replaced_as_a_whole_and_stays_its_owners() -> None:
    LOCAL_FILE.write_text(CONFIG, "utf-8")
    LOCAL_FILE.chmod(0o600)
    other = LOCAL_FILE.with_name("the same file")
    other.hardlink_to(LOCAL_FILE)
    _set("../shelf", level=LOCAL)
    assert other.read_text("utf-8") == CONFIG
    assert "url = ../../shelf\n" in LOCAL_FILE.read_text("utf-8")
    assert LOCAL_FILE.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in LOCAL_FILE.parent.iterdir()} == {
        "config", "config.local", other.name,
    }  # fmt: skip


@pytest.mark.usefixtures("checkout")
def test_a_default_remote_that_is_not_defined_is_said() -> None:
    SHARED_FILE.write_text(f"{CONFIG}    remote = gone\n", "utf-8")
    with pytest.raises(ArtifactError, match=r"^core\.remote = 'gone': no such remote$"):
        Settings().remote()
    _set("/srv/results")
    remote = Settings().remote()
    assert remote is not None
    assert remote.name == "storage"


def test_a_server_of_s3_is_not_waited_for_without_end() -> None:
    remotes: dict[str, dict[str, Any]] = {
        "a": {"url": "s3://bucket"}, "b": {"url": "s3://bucket", "read_timeout": 500},
        "c": {"url": "/srv"}, "d": {"url": "ssh://host/srv"},
    }  # fmt: skip
    found = bounded(remotes)
    assert found["a"]["read_timeout"] > 0
    assert found["a"]["connect_timeout"] > 0
    assert found["b"]["read_timeout"] == 500
    assert [found[name] for name in "cd"] == [remotes[name] for name in "cd"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
@pytest.mark.usefixtures("checkout")
def test_any_folder_is_read_as_it_was_named_or_refused(name: str) -> None:
    SHARED_FILE.write_text(CONFIG, "utf-8")
    url = f"/srv/{name}"
    try:
        _set(url)
    except FusebenchError:
        assert SHARED_FILE.read_text("utf-8") == CONFIG
        assert not (url.isascii() and url.isprintable() and url == url.strip() and "%" not in url)
    else:
        assert _as_dvc_reads()["remote"]["storage"]["url"] == str(Path(url))


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("text", ["[core\n", "[core]\nremote\n", "[core]\n    jobs = 1\n"])
def test_a_broken_config_is_one_line(text: str) -> None:
    SHARED_FILE.write_text(text, "utf-8")
    with pytest.raises(ArtifactError, match=r"^DVC's config: ") as caught:
        Settings().remote()
    assert str(caught.value).isprintable()


def test_a_folder_without_dvc_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=r"^\.dvc: no such folder"):
        Settings()
