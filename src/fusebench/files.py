"""Files that stages write and read: never half a file in place, never a broken one taken for good.

Writing goes aside (`aside`). Reading names the file and what is wrong with it.
"""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusebench.aside import replace_file
from fusebench.errors import REMEDY, ArtifactError

if TYPE_CHECKING:
    # pandas takes longer to import than most of what needs files needs to run.
    import pandas as pd


def dvc_digest(path: Path, ignored: Sequence[str] = ()) -> str:
    """Return the digest of a file or folder as it stands in dvc.lock.

    MD5 of a file's bytes; of a folder, MD5 of the list of its files and their digests, with ".dir"
    at its end, as DVC 3 has it (dvc_data/hashfile/tree.py).

    Parameters
    ----------
    ignored : sequence of str
        Patterns of names that .dvcignore leaves out of folders.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest()
    files = {file.relative_to(path).as_posix(): file for file in _files_of(path, ignored)}
    listed = [{"md5": dvc_digest(file), "relpath": name} for name, file in sorted(files.items())]
    return f"{_md5(json.dumps(listed).encode()).hexdigest()}.dir"


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def _files_of(folder: Path, ignored: Sequence[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        if any(fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _files_of(path, ignored)
        else:
            yield path


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with replace_file(path) as aside:
        aside.write_text(text, "utf-8", newline="\n")


def json_text(content: Mapping[str, Any]) -> str:
    """Return the text of a JSON file; NaN and infinity are refused, being no JSON."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step; see `json_text`."""
    write_text(path, json_text(content))


def reader(root: Path) -> Callable[[Path], bytes]:
    """Return what gives the content of a file by its path from a folder.

    Raises
    ------
    ArtifactError
        From the returned function: there is no such file.
    """

    def read(path: Path) -> bytes:
        try:
            return (root / path).read_bytes()
        except FileNotFoundError:
            raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None

    return read


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object that a stage wrote.

    Raises
    ------
    ArtifactError
        The file is missing or is not a JSON object.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    return parse_json(path, content)


def parse_json(path: Path, text: bytes) -> dict[str, Any]:
    """Return the object that a JSON file's text holds; raise ArtifactError as `read_json` does."""
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not valid JSON: {error}; {REMEDY}") from None
    if not isinstance(content, dict):
        raise ArtifactError(
            f"{path}: must be a JSON object, not {type(content).__name__}; {REMEDY}"
        )
    return content


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV in one step: no index, Unix line ends, missing values empty."""
    with replace_file(path) as aside:
        table.to_csv(aside, index=False, lineterminator="\n")


def read_table(path: Path, kinds: Mapping[str, type]) -> "pd.DataFrame":
    """Return a CSV table that a stage wrote.

    Parameters
    ----------
    kinds : mapping of str to {str, int, float}
        Required columns. Others are read as text. An empty cell is an empty text, or NaN in a
        column of float.

    Raises
    ------
    ArtifactError
        The file is missing or broken, lacks a column, or holds a cell of another kind.
    """
    try:
        # All of it at once, to say where in the file a byte is wrong.
        path.read_bytes().decode("utf-8")
        # As it is: a line end inside a quoted cell stays what it was.
        with path.open(encoding="utf-8", newline="") as lines:
            return _read_rows(path, lines, kinds)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: broken ({error}); {REMEDY}") from None


def parse_table(path: Path, text: str, kinds: Mapping[str, type]) -> "pd.DataFrame":
    """Return the table that a CSV file's text holds; raise ArtifactError as `read_table` does."""
    return _read_rows(path, io.StringIO(text, newline=""), kinds)


# Rows whose cells are Python's own objects at one time.
_ROWS = 4096
# Up to this many texts of a column, equal ones are one object: names of classes, not ids.
_FEW = 256


def _read_rows(path: Path, lines: Iterable[str], kinds: Mapping[str, type]) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    rows = _cells(path, lines)
    header = next(rows, None)
    if header is None:
        raise ArtifactError(f"{path}: is empty; {REMEDY}")
    for column in kinds:
        if column not in header:
            raise ArtifactError(f"{path}: column '{column}' is missing; {REMEDY}")
    if len(set(header)) < len(header):
        raise ArtifactError(f"{path}: two columns of one name in {header}; {REMEDY}")
    numbers = {column: kind for column, kind in kinds.items() if kind is not str}
    values = {name: [_numbers(path, name, (), kind, 0)] for name, kind in numbers.items()}
    texts: dict[str, list[str]] = {name: [] for name in header if name not in numbers}
    known: dict[str, dict[str, str]] = {name: {} for name in texts}
    first = 2
    while chunk := list(islice(rows, _ROWS)):
        for number, line in enumerate(chunk, start=first):
            if len(line) != len(header):
                raise ArtifactError(
                    f"{path}: line {number} has {len(line)} cells, the header has {len(header)};"
                    f" {REMEDY}"
                )
        columns = dict(zip(header, zip(*chunk, strict=True), strict=True))
        for name, kind in numbers.items():
            values[name].append(_numbers(path, name, columns[name], kind, first))
        for name in texts:
            texts[name].extend(_shared(columns[name], known[name]))
        first += len(chunk)
    return pd.DataFrame(
        {
            name: np.concatenate(values[name])
            if name in numbers
            else pd.array(texts.pop(name), dtype="str")
            for name in header
        }
    )


def _cells(path: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the cells of each line; pandas would pad lines and rename columns in silence."""
    try:
        yield from csv.reader(lines)
    except csv.Error as error:
        raise ArtifactError(f"{path}: broken ({error}); {REMEDY}") from None


def _shared(cells: Sequence[str], known: dict[str, str]) -> Sequence[str]:
    """Return the cells, equal ones as one object as long as there are few."""
    if len(known) > _FEW:
        return cells
    return [known.setdefault(cell, cell) for cell in cells]


def _numbers(path: Path, column: str, cells: Sequence[str], kind: type, first: int) -> Any:
    """Return an array of int64 or float64; pandas would take "True" for 1.

    Parameters
    ----------
    first : int
        Line of the first cell.
    """
    import numpy as np

    number = np.int64 if kind is int else np.float64
    values = np.empty(len(cells), number)
    for row, cell in enumerate(cells):
        try:
            values[row] = np.nan if kind is float and not cell else number(cell)
        except (ValueError, OverflowError):
            raise ArtifactError(
                f"{path}: line {first + row}: {column} = '{cell}': must be {kind.__name__}; "
                f"{REMEDY}"
            ) from None
    return values


def read_npz(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return the named arrays of an .npz file that a stage wrote, and those optional ones it has.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or lacks an array.
    """
    import numpy as np

    try:
        # Opened here, since numpy leaves a broken file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in (*names, *optional)
                    if name not in optional or name in stored}  # fmt: skip
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (
        AttributeError, EOFError, KeyError, MemoryError, OSError, RuntimeError, TypeError,
        ValueError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        # An .npy file under this name has no `with`; a pickle is refused with ValueError.
        raise ArtifactError(f"{path}: broken ({error}); {REMEDY}") from None


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays to an .npz file whose bytes are a function of the arrays alone.

    Those of numpy are others with another version of Python, whose zips have other headers, and of
    zlib: so nothing is packed. Memory: twice the largest array.
    """
    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            # Its time is fixed (1980).
            member = zipfile.ZipInfo(f"{name}.npy")
            member.create_system = 3  # Unix, wherever it is written.
            member.external_attr = 0o644 << 16
            archive.writestr(member, content.getvalue())


def md5_of(content: bytes) -> str:
    """Return the digest of a file with this content, as it stands in dvc.lock."""
    return str(_md5(content).hexdigest())
