"""Answers of kept models for new samples, in files or as arrays: `predict`."""

import os
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from fusebench.data.paths import GUIDE
from fusebench.errors import ArchiveError, BadSamplesError, ParamsError
from fusebench.inference.predict import AnyPath, answer_files
from fusebench.inference.table import answers_table
from fusebench.models.base import fusion_class
from fusebench.models.description import Description
from fusebench.prediction.predict import BATCH

Arrays = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]

_TABLE = "arrays.csv"
# What is said of a file that an array became: how it is saved, and which page says more.
_SAVED = re.compile(rf"numpy\.save\(path, (.*)\) \({re.escape(GUIDE)}\)")
_GUIDED = f" ({GUIDE})"


def predict(
    models: AnyPath,
    files: AnyPath | Sequence[AnyPath] | None = None,
    *,
    rgb: Arrays | None = None,
    lidar: Arrays | None = None,
    seeds: Sequence[int] | None = None,
    calibrated: bool = True,
    skip_bad: bool = False,
    batch_size: int = BATCH,
) -> pd.DataFrame:
    """Return what kept models answer for new samples: in files, or as arrays.

    Samples are prepared as those that the models were trained on, by the same functions. No
    params.yaml is needed, and torch's settings are afterwards what they were. On a GPU if there is
    one.

    Parameters
    ----------
    models : path
        The folder of a fusion's models, as models/concat.
    files : path or sequence of paths, optional
        A file per sensor that the fusion sees, image first; or one folder with rgb/ and lidar/; or
        one table (CSV, Parquet) with columns id, rgb and lidar, whose paths are relative to it.
    rgb : array of uint8, shape (H, W, 3), or several, optional
        In place of `files`, an image of any size, or a sequence of them, or shape (n, H, W, 3).
    lidar : array, or several, optional
        What a LiDAR file of the models' sensors holds, one per image: ranges in metres, shape
        (h, w), where `lidar.format` is ranges; uint16, (h, w), where it is depth; (n, 3) or (n, 4),
        in metres, where it is points. A fusion that sees one sensor takes its arrays alone.
    seeds : sequence of int, optional
        Whose models answer; by default all that are kept.
    calibrated : bool
        Divide logits by the temperatures that stage compare fitted on val, where `models` is in a
        project that has them for these very models. Why it is not done is a warning.
    skip_bad : bool
        Leave out samples that cannot be read, with a warning for each.
    batch_size : int
        Samples at once. It enters the last bits.

    Returns
    -------
    DataFrame
        A row per sample: id (of arrays their position, as text); class; probability of it, mean
        over seeds; over the seeds' own: spread (standard deviation; NaN with one seed), lowest,
        highest; agree: share of the seeds that answer this class; calibrated; p_<class>: mean
        probability of each class.

    Raises
    ------
    ParamsError
        Neither files nor arrays were given, or both; arrays are of another shape or type, masked,
        or none are of a sensor that the fusion sees; a seed is no whole number or was not trained;
        `batch_size` is no whole number, or below 1.
    ArchiveError
        A path is missing or none of these.
    BadSamplesError
        Samples cannot be read, and `skip_bad` is false; all of them are named.
    ArtifactError
        Models are missing, broken, or of samples that are no files of their own.
    """
    options: dict[str, Any] = {
        "seeds": seeds, "calibrated": calibrated, "skip_bad": skip_bad, "batch_size": batch_size,
    }  # fmt: skip
    lines: list[str] = []
    arrays = {"rgb": rgb, "lidar": lidar}
    given = {name: those for name, those in arrays.items() if those is not None}
    if (files is None) is not bool(given):
        raise ParamsError("predict: must be given either files, or arrays as rgb and lidar")
    try:
        if files is None:
            return _of_arrays(Path(models), given, lines.append, options)
        return answers_table(answer_files(files, models, say=lines.append, **options))
    finally:
        # Beside an error, too: it may be that nothing could be read.
        for line in lines:
            warnings.warn(line, stacklevel=2)


def _of_arrays(
    models: Path, given: dict[str, Arrays], say: Callable[[str], None], options: dict[str, Any]
) -> pd.DataFrame:
    """Write arrays to files, so that all that is checked and done of files is of them, too."""
    description = Description.read(models)
    sees = fusion_class(description.spec.fusion).inputs
    if description.lidar.projection == "notebook" and "lidar" in sees:
        raise ParamsError(
            f"{models}: trained with lidar.projection: notebook, which looks angles up by a "
            "sample's id, and an array has none; must be given files"
        )
    if set(given) != set(sees):
        wanted = " and ".join(sees)
        raise ParamsError(f"predict: arrays of {' and '.join(given)}; {models} takes {wanted}")
    form = description.dataset.sensors.lidar.format
    listed = {name: _several(name, arrays) for name, arrays in given.items()}
    counts = {name: len(arrays) for name, arrays in listed.items()}
    if len(set(counts.values())) > 1 or not all(counts.values()):
        said = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ParamsError(f"predict: {said}; must be as many of each sensor, and one at least")
    with TemporaryDirectory() as name:
        folder = Path(name)
        table: dict[str, list[str]] = {"id": [str(n) for n in range(max(counts.values()))]}
        for sensor, arrays in listed.items():
            write = _write_image if sensor == "rgb" else _WRITERS[form]
            (folder / sensor).mkdir()
            table[sensor] = [
                write(folder, f"{sensor}/{number}", array) for number, array in enumerate(arrays)
            ]
        pd.DataFrame(table).to_csv(folder / _TABLE, index=False, lineterminator="\n")

        def of_arrays(line: str) -> str:
            # Without the place that nobody knows, and how a file would be mended.
            return _SAVED.sub(r"\1", line.replace(f"{folder}{os.sep}", "")).replace(_GUIDED, "")

        try:
            answers = answer_files(
                folder / _TABLE, models, say=lambda line: say(of_arrays(line)), **options
            )
        except BadSamplesError as error:
            problems = [of_arrays(problem) for problem in error.problems]
            raise BadSamplesError("arrays", problems, "skip_bad=True") from None
        except ArchiveError as error:
            raise ArchiveError(of_arrays(str(error)).replace(_TABLE, "arrays")) from None
    return answers_table(answers)


def _several(name: str, arrays: Arrays) -> list[npt.NDArray[Any]]:
    """Return the arrays of a sensor as a list; one of a single sample stands for itself."""
    axes = 3 if name == "rgb" else 2
    wanted = f"an array of {axes} or {axes + 1} axes, or a list of arrays of {axes}"
    if isinstance(arrays, np.ndarray):
        if arrays.ndim not in (axes, axes + 1):
            raise ParamsError(f"predict: {name}: {_said(arrays)}; must be {wanted}")
        _check_not_masked(name, arrays)
        return [arrays] if arrays.ndim == axes else list(arrays)
    if not isinstance(arrays, list | tuple):
        raise ParamsError(f"predict: {name}: {type(arrays).__name__}; must be {wanted}")
    for number, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            raise ParamsError(
                f"predict: {name}[{number}]: {type(array).__name__}; must be an array of numpy"
            )
        _check_not_masked(f"{name}[{number}]", array)
    return list(arrays)


def _said(array: npt.NDArray[Any]) -> str:
    return f"shape {array.shape}, {array.dtype}"


def _check_not_masked(name: str, array: npt.NDArray[Any]) -> None:
    """Refuse an array of which some values do not count: what is in their place, nobody said."""
    if isinstance(array, np.ma.MaskedArray):
        raise ParamsError(
            f"predict: {name}: a masked array; must be one without a mask: array.filled(value)"
        )


def _write_image(folder: Path, name: str, array: npt.NDArray[Any]) -> str:
    _check(name, array, array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
           and array.size > 0, "(H, W, 3), uint8, 1 or more each")  # fmt: skip
    return _as_png(folder, name, array)


def _write_depth(folder: Path, name: str, array: npt.NDArray[Any]) -> str:
    fits = array.dtype == np.uint16 and array.ndim == 2 and array.size > 0
    _check(name, array, fits, "(h, w), uint16, 1 or more each")
    return _as_png(folder, name, array)


def _as_png(folder: Path, name: str, array: npt.NDArray[Any]) -> str:
    Image.fromarray(array).save(folder / f"{name}.png", compress_level=1)
    return f"{name}.png"


def _write_npy(folder: Path, name: str, array: npt.NDArray[Any]) -> str:
    _check(name, array, array.dtype.kind in "fiu" and array.ndim == 2, "two axes of real numbers")
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    return f"{name}.npy"


_WRITERS = {"ranges": _write_npy, "points": _write_npy, "depth": _write_depth}


def _check(name: str, array: npt.NDArray[Any], fits: bool, wanted: str) -> None:
    if not fits:
        sensor, number = name.split("/")
        raise ParamsError(f"predict: {sensor}[{number}]: {_said(array)}; must be {wanted}")
