"""The default remote of DVC: set once it has answered, and looked at."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from fusebench.errors import ArtifactError, ParamsError, one_line
from fusebench.remotes.held import Held
from fusebench.remotes.place import (
    FORMS,
    PACKAGES,
    Place,
    read_name,
    read_place,
    without_secret,
)
from fusebench.remotes.reach import UnreachableError, ask
from fusebench.remotes.settings import LOCAL, SHARED, Remote, Settings

_NAMED = 3
"""How many outputs a line names."""


def set_remote(
    url: str,
    name: str,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    local: bool = False,
    seconds: float,
) -> list[str]:
    """Make a place the default remote of the project in the working directory.

    Parameters
    ----------
    url : str
        A folder, ssh://user@host/path or s3://bucket/path.
    name : str
    endpoint : str, optional
        Address of a server that speaks S3's protocol.
    profile : str, optional
        Name of a profile of ~/.aws.
    local : bool
        In .dvc/config.local, which git ignores, and not in .dvc/config.
    seconds : float
        How long to wait for its answer.

    Returns
    -------
    list of str
        What was set, what it replaces, what it holds, and what to do next.

    Raises
    ------
    ParamsError
        An argument is wrong or holds a secret, a package is lacking, or the place cannot be reached
        and written to. The config is as it was.
    ArtifactError
        There is no project, or DVC's config is broken.
    """
    read_name(name)
    place = read_place(url, endpoint, profile)
    package = PACKAGES.get(place.kind)
    if package and find_spec(package.replace("-", "_")) is None:
        raise ParamsError(
            f"URL = '{place.url}': needs {package} (extra {place.kind}); "
            "'make setup-extras' installs it"
        )
    settings, level = Settings(), LOCAL if local else SHARED
    remote = settings.planned(name, place, level)
    try:
        found = ask(name, remote.remotes, seconds, write=True)
    except UnreachableError as error:
        raise ParamsError(f"URL = '{place.url}': {error}; nothing was changed") from None
    if settings.is_set(name, place, level):
        said = [f"{_named(remote)}: it was before, nothing was changed"]
        first = ""
    else:
        replaced = list(_replaced(settings, name, place, level))
        settings.write(name, place, level)
        said = [_named(remote), *replaced]
        first = f"git add {remote.file} and commit; " if level == SHARED else ""
    said += [*_notes(settings, remote, place, level), *_holds(found)]
    if first or found.here:
        said.append(f"next: {first}{'dvc push' if found.here else 'git push'}")
    return said


def show_remote(name: str | None, seconds: float) -> list[str]:
    """Return which remote is the default one, or what the one of a name is, and what it holds.

    Raises
    ------
    ArtifactError
        There is no project or no such remote, DVC's config is broken, or it does not answer.
    """
    remote = Settings().remote(None if name is None else read_name(name))
    if remote is None and name is not None:
        raise ArtifactError(f"no remote '{name}'; 'dvc remote list' names them")
    if remote is None:
        return [f"no remote is set; 'make remote URL=…' sets one: {FORMS} (docs/remotes.md)"]
    try:
        found = ask(remote.name, remote.remotes, seconds, write=False)
    except UnreachableError as error:
        raise ArtifactError(
            f"remote '{remote.name}' ({remote.shown}, {remote.file}): {error}"
        ) from None
    sends = ["next: dvc push"] if found.here else []
    return [_named(remote).removeprefix("" if name is None else "default "), *_holds(found), *sends]


def _named(remote: Remote) -> str:
    return f"default remote '{remote.name}': {remote.shown} ({remote.file})"


def _replaced(settings: Settings, name: str, place: Place, level: str) -> Iterator[str]:
    """Say what a config file will no longer say."""
    section, default = settings.before(name, level)
    planned = settings.planned(name, place, level).remotes
    if section is not None and section != planned[name]:
        options = [key for key in section if key != "url"]
        having = f", with {', '.join(options)}" if options else ""
        yield f"it replaces '{name}': {without_secret(section.get('url', 'no URL'))}{having}"
    if default not in (None, name):
        now = "stays a" if default in planned else "is no"
        yield f"the default one was '{default}', which {now} remote"


def _notes(settings: Settings, remote: Remote, place: Place, level: str) -> Iterator[str]:
    """Say what else holds here, and what others need."""
    for file, options in settings.options_of_others(remote.name, level).items():
        yield f"{file} says of '{remote.name}', too: {', '.join(options)}"
    if other := _counting_first(settings, remote):
        yield f"here another one counts first: {other.removeprefix('default remote ')}"
    if level == LOCAL:
        yield f"{remote.file} is not in git: it holds in this folder alone"
        return
    if place.kind in PACKAGES:
        yield (
            f"whoever works with this commit needs {PACKAGES[place.kind]}: 'make setup-extras'; "
            "DVC fails without it"
        )
    elif place.url.startswith("~"):
        yield f"{place.url} is a folder of each user's own"
    elif not Path(place.url).is_absolute():
        yield f"{place.url} is seen from each clone: one that lies elsewhere looks elsewhere"
    else:
        yield "on another machine it must be at the same path; LOCAL=1 sets another one there"


def _counting_first(settings: Settings, remote: Remote) -> str:
    """Name what DVC takes instead of a remote that is set; "" if it takes that one."""
    try:
        counts = settings.remote()
    except ArtifactError as error:
        return str(error)
    if counts is not None and (counts.name, counts.url) == (remote.name, remote.url):
        return ""
    return "none" if counts is None else _named(counts)


def _holds(found: Held) -> Iterator[str]:
    if not found.total:
        yield "there is nothing to keep yet: 'dvc repro' makes it"
        return
    sends = f"; 'dvc push' sends {found.here} (up to {found.size / 1e6:.1f} MB)"
    yield (
        f"it holds {found.there} of {found.total} outputs that dvc.lock and .dvc files name"
        f"{sends if found.here else ''}"
    )
    if found.nowhere:
        more = ", …" if len(found.nowhere) > _NAMED else ""
        named = one_line(", ".join(found.nowhere[:_NAMED]))
        yield f"{len(found.nowhere)} are neither there nor in DVC's cache: {named}{more}"
