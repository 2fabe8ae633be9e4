"""New samples in, classes and probabilities out: what src/predict.py and the library call."""

import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fusebench.device import Device
from fusebench.errors import ArchiveError, BadSamplesError, ParamsError, one_line
from fusebench.inference.calibrated import kept_temperatures, remark
from fusebench.inference.found import Found, endings_of, find_new
from fusebench.inference.predictor import Answers, Logits, Predictor
from fusebench.inference.preparation import Preparation
from fusebench.inference.runtime import prepared
from fusebench.prediction.predict import BATCH

AnyPath = str | os.PathLike[str]


def answer_files(
    paths: AnyPath | Sequence[AnyPath],
    models: AnyPath,
    seeds: Sequence[int] | None = None,
    *,
    say: Callable[[str], None],
    fusion: str | None = None,
    calibrated: bool = True,
    skip_bad: bool = False,
    batch_size: int = BATCH,
    device: Device | None = None,
) -> Answers:
    """Return what kept models answer for new samples. No params.yaml is needed.

    Samples are prepared as those that the models were trained on. Memory beyond that of the models
    and the answers is that of some hundred megabytes of samples, or of a batch if that is more.

    Parameters
    ----------
    paths : path or sequence of paths
        A file per sensor that the fusion sees, image first; or one folder with rgb/ and lidar/; or
        one table (CSV, Parquet) with columns id, rgb and lidar, whose paths are relative to it.
    models : path
        A folder of models, as stage train writes it.
    seeds : sequence of int, optional
        Whose models answer; by default all that are kept.
    say : callable
        Takes a line that is to be told: why it is not calibrated, and each sample that is left out.
    fusion : str, optional
        What the models must be of; by default any.
    calibrated : bool
        Divide logits by the temperatures that stage compare fitted on val, where `models` is in a
        project that has them for these very models; why it is not done is said.
    skip_bad : bool
        Leave out samples that cannot be read, and say so.
    batch_size : int
        Samples at once. It enters the last bits.
    device : Device, optional
        By default as params.yaml comes; then torch's settings are afterwards what they were.

    Raises
    ------
    ArchiveError
        A path is missing or none of these; no sample can be read; angles beside the samples are
        others.
    BadSamplesError
        Samples cannot be read, and `skip_bad` is false; all of them are named.
    ArtifactError
        Models are missing, broken, of another fusion, or of samples that are no files of their own.
    ParamsError
        A seed is no whole number, was not trained or is named twice; `batch_size` is no whole
        number, or below 1.
    """
    size = _checked_size(batch_size)
    listed = [Path(paths)] if isinstance(paths, str | os.PathLike) else [*map(Path, paths)]
    with prepared(device) as ready:
        predictor = Predictor.open(Path(models), ready, seeds, fusion)
        lidar = predictor.description.dataset.sensors.lidar
        found = find_new(listed, endings_of(predictor.sees, lidar.format))
        ids, logits = _read_and_answer(predictor, found, size, skip_bad, say)
    description = predictor.description
    temperatures, why = (
        kept_temperatures(predictor.folder, description.spec.fusion, predictor.seeds)
        if calibrated
        else ({}, "")
    )
    if line := remark(temperatures, why):
        say(line)
    return Answers(
        description.spec.fusion, ids, description.classes, predictor.seeds, logits, temperatures
    )


def _checked_size(batch_size: int) -> int:
    """Return a number of samples that is one."""
    try:
        size = operator.index(batch_size)
    except TypeError:
        said = one_line(repr(batch_size), 200)
        raise ParamsError(f"batch size {said}: must be a whole number, 1 or more") from None
    if size < 1:
        raise ParamsError(f"batch size {size}: must be 1 or more")
    return size


def _read_and_answer(
    predictor: Predictor, found: Found, size: int, skip_bad: bool, say: Callable[[str], None]
) -> tuple[list[str], Logits]:
    """Return ids (n) and logits (s, n, k) of the samples that can be read."""
    # A larger batch than there are samples is the same one, whatever number it is.
    batch = min(size, max(1, len(found.samples)))
    preparation = Preparation(predictor.description, predictor.sees)
    preparation.check_angles(found)
    ids: list[str] = []
    parts: list[Logits] = []
    problems = list(found.problems)
    for samples in preparation.read(found.samples, batch, problems):
        if problems and not skip_bad:
            # Nothing will be answered; what else is wrong is still to be told.
            continue
        ids += samples.table["id"].tolist()
        parts.append(np.stack([*predictor.logits(samples, batch)]))
    if problems and not skip_bad:
        raise BadSamplesError(found.source, problems, "--skip-bad, or skip_bad=True")
    for problem in problems:
        say(f"left out: {problem}")
    if not parts:
        raise ArchiveError(f"{found.source}: no sample can be read")
    return ids, np.concatenate(parts, axis=1)
