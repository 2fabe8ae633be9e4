"""What may be named as a remote: a folder, ssh://user@host/path or s3://bucket/path; no secrets."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from fusebench.errors import ParamsError, one_line

Kind = Literal["folder", "ssh", "s3"]
PACKAGES = {"ssh": "dvc-ssh", "s3": "dvc-s3"}
"""What DVC needs for a kind; a folder needs nothing. The extra has the name of the kind."""

FORMS = "a folder, ssh://user@host/path or s3://bucket/path"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What scp takes: a host, not a folder. One letter would be a drive of Windows.
_SCP = re.compile(r"[^/\\:]{2,}:")
_USER, _BUCKET, _NAME, _PROFILE = (
    re.compile(pattern, re.ASCII)
    for pattern in (r"[\w.-]+", r"[A-Za-z0-9][\w.-]*", r"[a-z0-9][a-z0-9_-]*", r"[\w.@+-]+")
)


@dataclass(frozen=True)
class Place:
    """Where a remote is, as the user named it.

    Attributes
    ----------
    url : str
        The folder or address. A relative folder is seen from the working directory.
    kind : "folder", "ssh" or "s3"
    options : dict of str to str
        What DVC's config holds beside the URL: endpointurl, profile.
    """

    url: str
    kind: Kind
    options: dict[str, str]


def read_name(name: str) -> str:
    """Return the name of a remote; raise ParamsError if DVC would write another."""
    if not _NAME.fullmatch(name):
        raise ParamsError(
            f"NAME = {_shown(name)}: must be lower-case letters, digits, - and _, as DVC writes it"
        )
    return name


def read_place(url: str, endpoint: str | None = None, profile: str | None = None) -> Place:
    """Return a place that is well-formed and holds no secret; whether it is there is not asked.

    Parameters
    ----------
    endpoint : str, optional
        Address of a server that speaks S3's protocol; default: that of AWS.
    profile : str, optional
        Name of a profile of ~/.aws.

    Raises
    ------
    ParamsError
        The URL has another form or holds a secret, or an option does not belong to it. No message
        shows what may be a secret.
    """
    _check_text("URL", url, FORMS)
    found = _SCHEME.match(url)
    scheme = found[1] if found else ""
    if found and scheme not in PACKAGES:
        raise ParamsError(
            f"URL = {_shown(url)}: no remote of kind '{one_line(scheme, 20)}://'; must be {FORMS}; "
            "for what else DVC knows: 'dvc remote add --default NAME URL'"
        )
    options = {"endpointurl": endpoint, "profile": profile}
    given = {key: value for key, value in options.items() if value is not None}
    if given and scheme != "s3":
        word = {"endpointurl": "ENDPOINT", "profile": "PROFILE"}[next(iter(given))]
        raise ParamsError(f"{word}: only with s3://bucket/path; URL = {_shown(url)}")
    if not found:
        return Place(_folder(url), "folder", {})
    parts = _split("URL", url, FORMS)
    if scheme == "ssh":
        _check_ssh(url, parts)
        return Place(url.rstrip("/"), "ssh", {})
    _check_s3(url, parts)
    if endpoint is not None:
        _check_endpoint(endpoint)
    if profile is not None and not _PROFILE.fullmatch(profile):
        raise ParamsError(f"PROFILE = {_shown(profile)}: must be the name of a profile of ~/.aws")
    return Place(url.rstrip("/"), "s3", given)


def _check_text(word: str, text: str, allowed: str) -> None:
    if not text.strip():
        raise ParamsError(f"{word} is empty; must be {allowed}")
    if text != text.strip() or not text.isprintable():
        raise ParamsError(
            f"{word} = {_shown(text)}: begins or ends with a blank, or holds a control character"
        )
    if not text.isascii():
        raise ParamsError(f"{word} = {_shown(text)}: must be ASCII; DVC writes no other letters")


def _folder(url: str) -> str:
    if _SCP.match(url):
        raise ParamsError(
            f"URL = {_shown(url)}: a host and no scheme; must be {FORMS} (a folder of such a name: "
            "./name)"
        )
    try:
        folder, root = Path(url).expanduser().resolve(), Path.cwd().resolve()
    except RuntimeError:
        raise ParamsError(f"URL = {_shown(url)}: no such user; must be {FORMS}") from None
    if root == folder or root in folder.parents:
        raise ParamsError(
            f"URL = {_shown(url)}: in this project, where no clone would find it; must be {FORMS}, "
            "outside of it"
        )
    return str(Path(url))


def _split(word: str, url: str, allowed: str) -> SplitResult:
    """Return the parts of an address; raise ParamsError if it cannot be one or holds a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # What is no port may be a password.
        shown = _shown(url) if "@" in url else f"'{url.partition(':')[0]}://…'"
        raise ParamsError(f"{word} = {shown}: no address (host, port or brackets)") from None
    if parts.password is not None:
        raise ParamsError(
            f"{word} = {_shown(url)}: holds a password, and .dvc/config goes to git; secrets "
            "belong into the environment, a profile, an ssh key, or .dvc/config.local "
            "(docs/remotes.md)"
        )
    if re.search(r"[?#%\s]", url) or "@" in parts.path:
        raise ParamsError(
            f"{word} = {_shown(url)}: must hold no ?, #, % and no blank, and @ only before the host"
        )
    if not parts.hostname or port == 0:
        raise ParamsError(f"{word} = {_shown(url)}: names no host; must be {allowed}")
    return parts


def _check_ssh(url: str, parts: SplitResult) -> None:
    if parts.username is not None and not _USER.fullmatch(parts.username):
        raise ParamsError(f"URL = {_shown(url)}: the user must be letters, digits, '.', '_' or '-'")
    if not parts.path.strip("/"):
        raise ParamsError(f"URL = {_shown(url)}: names no folder; must be ssh://user@host/path")


def _check_s3(url: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise ParamsError(
            f"URL = {_shown(url)}: must be s3://bucket/path; keys belong into the environment "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or a profile (docs/remotes.md)"
        )
    if not _BUCKET.fullmatch(parts.netloc):
        raise ParamsError(f"URL = {_shown(url)}: no name of a bucket; must be s3://bucket/path")


def _check_endpoint(endpoint: str) -> None:
    allowed = "http://host or https://host"
    _check_text("ENDPOINT", endpoint, allowed)
    parts = _split("ENDPOINT", endpoint, allowed)
    if parts.scheme not in ("http", "https") or parts.username is not None:
        raise ParamsError(f"ENDPOINT = {_shown(endpoint)}: must be {allowed}")


def without_secret(url: str) -> str:
    """Return a URL as it may be shown: what may be a secret is left out."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    user, at, host = rest.rpartition("@")
    if at and (separator or _SCP.match(url)) and not (scheme == "ssh" and _USER.fullmatch(user)):
        rest = f"…@{host}"
    if separator:
        rest = rest.partition("?")[0].partition("#")[0]
    return f"{scheme}{separator}{rest}"


def _shown(url: str) -> str:
    """Return a URL for a message: on one line, without secrets."""
    return f"'{one_line(without_secret(url), 200)}'"
