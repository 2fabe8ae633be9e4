"""New samples in files, a folder or a table: where their files are."""

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fusebench.data.headers import shown
from fusebench.data.images import IMAGE_SUFFIXES
from fusebench.data.listed import read_listed
from fusebench.data.paths import ANGLES, MODALITIES, composed
from fusebench.data.projection import ENDINGS
from fusebench.data.settings import LONGEST_NAME, TABLES
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError

Endings = Mapping[str, Sequence[str]]
"""How the names of files end, by sensor: of those that the fusion sees, the image first."""
_GUIDE = "docs/predict.md"
# Bytes of a file: as many as params.yaml may allow for one of an archive.
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class NewSample:
    """A sample by its files, of the sensors that the fusion sees."""

    id: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Found:
    """What a command names.

    Attributes
    ----------
    source : str
        The paths, for messages.
    samples : list of NewSample
    problems : list of str
        A line for each that is no sample.
    angles : mapping of str to Path
        The files of angles beside them, by "azimuth" and "zenith".
    """

    source: str
    samples: list[NewSample]
    problems: list[str]
    angles: Mapping[str, Path] = field(default_factory=dict)


def endings_of(sees: Sequence[str], lidar_format: str) -> Endings:
    """Return how files end, by what a fusion sees and by `lidar.format` of the sensors."""
    endings = {"rgb": IMAGE_SUFFIXES, "lidar": ENDINGS[lidar_format]}
    return {sensor: endings[sensor] for sensor in MODALITIES if sensor in sees}


def find_new(paths: Sequence[Path], endings: Endings) -> Found:
    """Return the samples that a command names.

    Parameters
    ----------
    paths : sequence of Path
        A file per sensor that the fusion sees, image first; or one folder with rgb/ and lidar/; or
        one table (CSV, Parquet) with columns id, rgb and lidar, whose paths are relative to it.

    Raises
    ------
    ArchiveError
        There are no such files, or they are none of these.
    """
    source = ", ".join(map(_named, paths))
    for path in paths:
        if not path.exists():
            raise ArchiveError(f"{_named(path)}: no such file or folder")
    if len(paths) == 1 and paths[0].is_dir():
        return _in_folder(paths[0], endings)
    if len(paths) == 1 and paths[0].suffix.lower() in TABLES:
        return _in_table(paths[0], endings)
    if len(paths) != len(endings) or any(path.is_dir() for path in paths):
        files = " and ".join(f"a file of {sensor}" for sensor in endings)
        folders = " and ".join(f"{sensor}/" for sensor in endings)
        raise ArchiveError(
            f"{source or 'no path'}: must be {files}, as "
            f"the fusion sees; or a folder with {folders}; or a table ({', '.join(TABLES)}) with "
            f"columns id, {', '.join(endings)}"
        )
    files_of = dict(zip(endings, paths, strict=True))
    reasons = [
        f"{_named(path)}: {reason}"
        for sensor, path in files_of.items()
        if (reason := _wrong_ending(path.name, sensor, endings))
    ]
    key = composed(paths[0].stem)
    if reason := _no_id(key):
        reasons.append(f"{_named(paths[0])}: {reason}")
    if reasons:
        raise ArchiveError("; ".join(reasons))
    return Found(source, [NewSample(key, files_of)], [])


def _named(path: Path) -> str:
    return shown(str(path))


def _wrong_ending(name: str, sensor: str, endings: Endings) -> str:
    """Return why a name is none of a sensor's files, or ""."""
    if name.lower().endswith(tuple(endings[sensor])):
        return ""
    return f"must end in {', '.join(endings[sensor])}, as files of {sensor} do"


def _no_id(key: str) -> str:
    """Return why a text can be no id, or ""."""
    if not key:
        return "id is empty"
    if not key.isprintable():
        return "an id that cannot be printed"
    if len(key.encode()) > LONGEST_NAME:
        return f"an id of more than {LONGEST_NAME} bytes"
    return ""


def _in_folder(folder: Path, endings: Endings) -> Found:
    """Pair the files of a folder by their names without ending."""
    by_id: dict[str, dict[str, list[Path]]] = {}
    problems = []
    for sensor in endings:
        below = folder / sensor
        if not below.is_dir():
            raise ArchiveError(
                f"{_named(below)}: no such folder; it must hold the files of {sensor}"
            )
        for path in sorted(below.iterdir()):
            if path.name.startswith("."):
                continue
            key = composed(path.stem)
            if reason := _wrong_ending(path.name, sensor, endings) or _no_id(key):
                problems.append(f"{_named(path)}: {reason}")
            else:
                by_id.setdefault(key, {}).setdefault(sensor, []).append(path)
    samples = []
    for key, files in sorted(by_id.items()):
        paths = [path for of_sensor in files.values() for path in of_sensor]
        missing = [sensor for sensor in endings if sensor not in files]
        if missing:
            problems.append(f"{_named(paths[0])}: has no partner in {missing[0]}/")
        elif len(paths) > len(endings):
            names = ", ".join(_named(path) for path in paths)
            problems.append(f"{names}: more than one file of one id")
        else:
            samples.append(NewSample(key, {sensor: files[sensor][0] for sensor in endings}))
    if not (samples or problems):
        raise ArchiveError(
            f"{_named(folder)}: has no file in {' and '.join(f'{name}/' for name in endings)}"
        )
    return Found(_named(folder), samples, problems, _angles_in(folder))


def _in_table(table: Path, endings: Endings) -> Found:
    """Take the files that a table names."""
    name = _named(table)
    try:
        listed = read_listed(
            content_of(table), table.name, ("id", *endings), (), gaps=True, guide=_GUIDE
        )
    except BadMemberError as error:
        raise ArchiveError(f"{name}: {error}") from None
    if not len(listed):
        raise ArchiveError(f"{name}: lists no sample")
    listed["id"] = listed["id"].map(composed)
    repeated = listed["id"].duplicated(keep=False)
    samples, problems = [], []
    for row, twice in zip(listed.to_dict("records"), repeated, strict=True):
        reasons = [
            f"{sensor} '{shown(row[sensor])}' {reason}"
            for sensor in endings
            if (reason := _wrong_ending(row[sensor], sensor, endings))
        ]
        reasons += [reason] if (reason := _no_id(row["id"])) else []
        reasons += [f"id '{shown(row['id'])}' stands there more than once"] if twice else []
        if reasons:
            problems.append(f"{name} line {row['line']}: {'; '.join(reasons)}")
        else:
            files = {sensor: table.parent / row[sensor] for sensor in endings}
            samples.append(NewSample(row["id"], files))
    return Found(name, samples, problems, _angles_in(table.parent))


def _angles_in(folder: Path) -> dict[str, Path]:
    paths = {angle: folder / f"{angle}.npy" for angle in ANGLES}
    return {angle: path for angle, path in paths.items() if path.is_file()}


def content_of(path: Path) -> bytes:
    """Return the content of a file; a link is followed.

    Raises
    ------
    BadMemberError
        There is no such file, it may not be read, it is none, or it is too large.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            # To open a pipe would wait for somebody who writes into it.
            raise BadMemberError("no file")
        if found.st_size > _LARGEST:
            raise BadMemberError(f"{found.st_size:,} bytes; at most {_LARGEST:,} are read")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadMemberError("no such file") from None
    except OSError as error:
        raise BadMemberError(str(error.strerror)) from None
    except ValueError as error:
        # A NUL, or a letter that the file system's names cannot have.
        raise BadMemberError(f"no name of a file ({error})") from None
