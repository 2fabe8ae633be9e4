"""DVC's config files: which remote is the default one, and how another one gets there."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fusebench.aside import replace_file
from fusebench.errors import ArtifactError, ParamsError, one_line
from fusebench.remotes.place import Place, without_secret

FOLDER = Path(".dvc")
SHARED, LOCAL = "repo", "local"
"""DVC's names of the file that goes to git, and of the one that stays here."""
# DVC would wait for ever for a server of S3 that takes a connection and says nothing. In seconds;
# s3fs asks 5 times before it gives up.
_LIMITS = {"connect_timeout": 5, "read_timeout": 10}


@dataclass(frozen=True)
class Remote:
    """A remote as DVC sees it.

    Attributes
    ----------
    name : str
    url : str
        A folder is an absolute path.
    file : str
        The config file that names it.
    remotes : dict of str to dict
        All remotes with their options, for DVC.
    """

    name: str
    url: str
    file: str
    remotes: dict[str, dict[str, Any]]

    @property
    def shown(self) -> str:
        """Where it is, as it may be shown: the URL, and the server where it is not that of AWS."""
        endpoint = self.remotes[self.name].get("endpointurl")
        at = f" at {one_line(without_secret(str(endpoint)), 200)}" if endpoint else ""
        return f"{without_secret(self.url)}{at}"


class Settings:
    """The config files of DVC that hold for a project.

    Parameters
    ----------
    root : Path
        The folder of the project.

    Raises
    ------
    ArtifactError
        There is no project, or one of the files is broken.
    """

    def __init__(self, root: Path = Path()) -> None:
        folder = root / FOLDER
        if not folder.is_dir():
            raise ArtifactError(f"{folder}: no such folder; must be run in the folder of a project")
        from dvc.config import Config

        with _broken_is_one_line():
            # Checked with what is to be set: keys may be there before the URL that they are for.
            self._config = Config(str(folder), validate=False)

    def file(self, level: str) -> str:
        """Return the path of a config file, for messages."""
        path = Path(self._config.files[level])
        root = Path.cwd()
        return str(path.relative_to(root)) if root in path.parents else str(path)

    def remote(self, name: str | None = None) -> Remote | None:
        """Return the default remote, or the one of a name; None if there is none.

        Raises
        ------
        ArtifactError
            The default one is named and not defined, or the config is broken.
        """
        merged = self._merged({})
        default = merged["core"].get("remote")
        wanted = name or default
        if wanted is None:
            return None
        options = merged["remote"].get(wanted)
        if options is None and name is None:
            raise ArtifactError(f"core.remote = '{one_line(default)}': no such remote")
        if options is None:
            return None
        name = str(wanted)
        return Remote(name, str(options["url"]), self._named_in(name), _plain(merged["remote"]))

    def planned(self, name: str, place: Place, level: str) -> Remote:
        """Return the remote as it will be when it is written; nothing is written."""
        section = self._section(name, place, level)
        try:
            merged = self._merged({level: {name: section}})
        except ArtifactError as error:
            others = self.options_of_others(name, level)
            if not others:
                raise
            said = "; ".join(f"{file}: {', '.join(options)}" for file, options in others.items())
            raise ParamsError(
                f"NAME = '{name}': does not go with what another file says of it ({said}); "
                "NAME=… gives it another name"
            ) from error
        merged["remote"][name]["url"] = section["url"]
        return Remote(name, str(section["url"]), self.file(level), _plain(merged["remote"]))

    def is_set(self, name: str, place: Place, level: str) -> bool:
        """Tell whether a config file says just this already."""
        conf = self._config.load_one(level)
        section = conf["remote"].get(name)
        return (
            section == self._section(name, place, level)
            and type(section["url"]) is type(_as_read(place))
            and conf["core"].get("remote") == name
        )

    def before(self, name: str, level: str) -> tuple[dict[str, Any] | None, str | None]:
        """Return what a config file says of a remote's name, and which remote is its default."""
        conf = self._config.load_one(level)
        section = conf["remote"].get(name)
        return (None if section is None else _plain({name: section})[name]), conf["core"].get(
            "remote"
        )

    def options_of_others(self, name: str, level: str) -> dict[str, list[str]]:
        """Return the names of the options that other config files hold for a remote, by file."""
        others = {
            self.file(each): sorted(self._config.load_one(each)["remote"].get(name, {}))
            for each in self._config.LEVELS
            if each != level
        }
        return {file: options for file, options in others.items() if options}

    def write(self, name: str, place: Place, level: str) -> None:
        """Make a place the default remote; the file stays as it was if DVC cannot read it back."""
        section = self._section(name, place, level)
        with self._written_aside(level), _broken_is_one_line():
            with self._config.edit(level) as conf:
                conf["remote"][name] = section
                conf["core"]["remote"] = name
            self._check_written(name, place, level)

    @contextmanager
    def _written_aside(self, level: str) -> Iterator[None]:
        """Have DVC write to a copy, which takes the place of a config file on success only."""
        path = Path(self._config.files[level])
        # In the same folder: DVC writes other paths as seen from there.
        copy = path.with_name(f".{path.name}.new.partial")
        with replace_file(path) as aside:
            try:
                if path.exists():
                    # It may be for its owner alone.
                    shutil.copy(path, copy)
                self._config.files[level] = str(copy)
                yield
                copy.replace(aside)
            finally:
                self._config.files[level] = str(path)
                copy.unlink(missing_ok=True)

    def _check_written(self, name: str, place: Place, level: str) -> None:
        if not self.is_set(name, place, level):
            raise ParamsError(f"URL = '{one_line(place.url)}': DVC reads another one from its file")

    def _section(self, name: str, place: Place, level: str) -> dict[str, Any]:
        """Return what a config file is to hold; options of the same URL stay."""
        url = _as_read(place)
        section = self._config.load_one(level)["remote"].get(name, {})
        kept = section if section.get("url") == url else {}
        return {**kept, "url": url, **place.options}

    def _merged(self, changes: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return what DVC makes of all files with `changes`: remotes by level and name."""
        from dvc.config import merge

        merged: dict[str, Any] = {}
        with _broken_is_one_line():
            for level in self._config.LEVELS:
                conf = self._config.load_one(level)
                conf["remote"].update(changes.get(level, {}))
                merge(merged, conf)
            return self._config.validate(merged)

    def _named_in(self, name: str) -> str:
        """Return the file that counts among those that name a remote's URL."""
        levels = [
            level
            for level in self._config.LEVELS
            if "url" in self._config.load_one(level)["remote"].get(name, {})
        ]
        return self.file(levels[-1])


def bounded(remotes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return remotes whose servers are not waited for without end."""
    return {
        name: {**(_LIMITS if str(options.get("url")).startswith("s3://") else {}), **options}
        for name, options in remotes.items()
    }


def _as_read(place: Place) -> str:
    """Return a URL as DVC reads it from a file, which remembers how it is written there."""
    from dvc.config_schema import ExpPath, RelPath

    path = Path(place.url)
    if place.kind != "folder" or path.is_absolute():
        return place.url
    home = path.expanduser()
    read = (
        ExpPath(str(home), place.url)
        if home.is_absolute()
        else RelPath(os.path.normpath(Path.cwd() / path))
    )
    return cast(str, read)


def _plain(remotes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return remotes without DVC's kinds of text, which another process cannot be handed."""
    return {
        name: {
            key: str(value) if isinstance(value, str) else value for key, value in options.items()
        }
        for name, options in remotes.items()
    }


@contextmanager
def _broken_is_one_line() -> Iterator[None]:
    from dvc.config import ConfigError

    try:
        yield
    except (ConfigError, SyntaxError) as error:
        # A SyntaxError is what the library below DVC raises.
        raise ArtifactError(f"DVC's config: {one_line(str(error))}") from None
