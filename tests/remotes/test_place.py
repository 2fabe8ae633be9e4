"""What may be named as a remote, and that no secret is set or shown."""

import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusebench.errors import ParamsError
from fusebench.remotes.place import Place, read_name, read_place, without_secret

ENDPOINT = "https://storage.example.org:9000"


def _refusal(url: str, **options: str) -> str:
    with pytest.raises(ParamsError) as caught:
        read_place(url, **options)
    said = str(caught.value)
    assert said.isprintable()
    return said


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/srv/results", Place("/srv/results", "folder", {})),
        ("/srv/my results", Place("/srv/my results", "folder", {})),
        ("../results/", Place("../results", "folder", {})),
        ("~/results", Place("~/results", "folder", {})),
        ("./../a:b", Place("../a:b", "folder", {})),
        ("ssh://host/srv/results", Place("ssh://host/srv/results", "ssh", {})),
        ("ssh://me@host:2222/srv/", Place("ssh://me@host:2222/srv", "ssh", {})),
        ("s3://bucket", Place("s3://bucket", "s3", {})),
        ("s3://my.bucket-1/a/b/", Place("s3://my.bucket-1/a/b", "s3", {})),
    ],
)
def test_a_folder_ssh_or_s3_is_taken_as_it_is(url: str, place: Place) -> None:
    assert read_place(url) == place


def test_of_s3_a_server_and_a_profile_may_be_named() -> None:
    options = {"endpointurl": ENDPOINT, "profile": "team.results"}
    assert read_place("s3://bucket", ENDPOINT, "team.results") == Place(
        "s3://bucket", "s3", options
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "URL is empty"),
        (" ", "URL is empty"),
        (" /srv", "begins or ends with a blank"),
        ("/srv\n", "begins or ends with a blank"),
        ("/srv\x07x", "holds a control character"),
        ("/srv/ä", "must be ASCII; DVC writes no other letters"),
        ("s3://bucket/ä", "must be ASCII"),
        ("gs://bucket", "no remote of kind 'gs://'"),
        ("S3://bucket", "no remote of kind 'S3://'"),
        ("file:///srv", "no remote of kind 'file://'"),
        ("me@host:/srv", "a host and no scheme"),
        ("host:srv", "a host and no scheme"),
        ("results", "in this project"),
        (".", "in this project"),
        ("~nobody-of-this-name/x", "no such user"),
        ("ssh://host", "names no folder"),
        ("ssh://host/", "names no folder"),
        ("ssh:///srv", "names no host"),
        ("ssh://host:0/srv", "names no host"),
        ("ssh://host:port/srv", "no address"),
        ("ssh://[::1/srv", "no address"),
        ("ssh://me you@host/srv", "no blank"),
        ("ssh://me%40x@host/srv", "must hold no ?, #, %"),
        ("ssh://me+you@host/srv", "the user must be"),
        ("s3://", "names no host"),
        ("s3://my bucket", "no blank"),
        ("s3://bucket/a?versionId=1", "must hold no ?"),
        ("s3://bucket:80/a", "no name of a bucket"),
        ("s3://-x/a", "no name of a bucket"),
    ],
)
def test_what_is_none_is_refused_with_what_is_allowed(url: str, words: str) -> None:
    said = _refusal(url)
    assert said.startswith("URL ")
    assert words in said


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("/srv", {"endpoint": ENDPOINT}, "ENDPOINT: only with s3://bucket/path; URL = '/srv'"),
        ("ssh://host/srv", {"profile": "x"}, "PROFILE: only with s3://bucket/path"),
        ("s3://bucket", {"endpoint": "host:9000"}, "must be http://host or https://host"),
        ("s3://bucket", {"endpoint": "s3://host"}, "must be http://host or https://host"),
        ("s3://bucket", {"endpoint": "http://"}, "names no host; must be http"),
        ("s3://bucket", {"endpoint": "https://key@host"}, "ENDPOINT = 'https://…@host': must be"),
        ("s3://bucket", {"endpoint": "http://host "}, "begins or ends with a blank"),
        ("s3://bucket", {"profile": "a b"}, "PROFILE = 'a b': must be the name of a profile"),
        ("s3://bucket", {"profile": "ä"}, "PROFILE = 'ä': must be the name of a profile"),
    ],
)
def test_options_are_checked(url: str, options: dict[str, str], words: str) -> None:
    assert words in _refusal(url, **options)


@pytest.mark.parametrize("name", ["storage", "a", "team-1_b"])
def test_a_name_that_dvc_keeps_is_taken(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize("name", ["", "Storage", "my name", 'a"b', "a]b", "-a", "ä", "a\nb"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ParamsError, match=r"NAME = '.*': must be lower-case letters"):
        read_name(name)


SECRETS = st.text(string.ascii_letters + string.digits + "/+=#?:@!$&% ", min_size=4)


@given(st.sampled_from(["ssh", "s3", "https", "ftp"]), SECRETS, SECRETS)
@example("ssh", "me", "p#ss/w@rd")
@example("ssh", "me", "12345")
def test_no_secret_is_taken_and_none_is_shown(scheme: str, user: str, secret: str) -> None:
    # Marked, so that it is no word of the message by chance.
    secret = f"<{secret}>"
    scp = f"me:{secret}@host:/srv"
    for text in (f"{scheme}://{user}:{secret}@host.example.org/srv", scp):
        said = _refusal(text.strip())
        assert secret not in said
        assert "<" not in said
        assert secret not in without_secret(text)
    endpoint = f"https://{user}:{secret}@host.example.org"
    assert "<" not in _refusal("s3://bucket", endpoint=endpoint)


def test_a_secret_without_a_user_is_not_taken_either() -> None:
    for url in ("ssh://:<secret>@host/srv", "s3://<secret>@bucket", "ssh://host:<secret>/srv"):
        assert "secret" not in _refusal(url).replace("secrets belong", "")


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    try:
        said = read_place(text).url
    except ParamsError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) < 500


def test_a_link_into_the_project_is_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project/data").mkdir(parents=True)
    (tmp_path / "link").symlink_to("project/data")
    monkeypatch.chdir(tmp_path / "project")
    assert "in this project" in _refusal("../link/results")
    assert read_place("../project-2").url == "../project-2"
