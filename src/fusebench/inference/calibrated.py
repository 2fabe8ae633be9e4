"""The temperatures that stage compare fitted on val, if they are of the models at hand."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fusebench.errors import ArtifactError
from fusebench.evaluation.temperature import is_bound
from fusebench.files import dvc_digest, md5_of, reader
from fusebench.report.probabilities import PROBABILITIES, read_probabilities, temperatures
from fusebench.report.results import SOURCES
from fusebench.stages import ignored_names, read_lock

_LOCK = Path("dvc.lock")


def kept_temperatures(
    models: Path, fusion: str, seeds: Sequence[int]
) -> tuple[Mapping[int, float], str]:
    """Return the temperature of each seed; or, where one is missing, none and why.

    They are kept in the project whose models/<fusion> the folder is. Its dvc.lock tells whether
    they were fitted to predictions that these very models made, whatever its params are by now.

    Parameters
    ----------
    models : Path
        The folder of the models.
    fusion : str
        What they are of.
    """
    folder = models.resolve()
    if (folder.parent.name, folder.name) != ("models", fusion):
        return {}, f"{models} is not models/{fusion} of a project, which keeps temperatures"
    root = folder.parent.parent
    read = reader(root)
    try:
        if reason := _of_others(root, fusion, read):
            return {}, f"{PROBABILITIES}: {reason}"
        table = read_probabilities(read)
    except ArtifactError as error:
        return {}, str(error)
    known = {} if table is None else temperatures(table)
    missing = [seed for seed in seeds if (fusion, seed) not in known]
    if missing:
        named = ", ".join(map(str, missing))
        return {}, f"{PROBABILITIES}: has no temperature of {fusion} for seed(s) {named}"
    return {seed: known[fusion, seed] for seed in seeds}, ""


def _of_others(root: Path, fusion: str, read: Callable[[Path], bytes]) -> str:
    """Return why temperatures are not of the models that are there, or ""; ArtifactError."""
    content = read(PROBABILITIES)
    try:
        stages = read_lock(read(_LOCK).decode())
        sources = json.loads(read(SOURCES))
        measured = dict(sources["predictions"]).get(fusion)
    except (ValueError, KeyError, TypeError):
        return f"{_LOCK} or {SOURCES} is broken, which say what it was made from"
    made = {out.path: out.md5 for stage in stages.values() for out in stage.outs}
    models, predictions = f"models/{fusion}", f"predictions/{fusion}"
    predicting = stages.get(f"predict@{fusion}")
    used = {dep.path: dep.md5 for dep in predicting.deps} if predicting else {}
    if used.get(models) != dvc_digest(root / models, ignored_names(root)):
        return f"{_LOCK} has no predictions of the models that are in {models}"
    if measured is None or measured != made.get(predictions):
        return f"made from other predictions than those of these models, by {SOURCES}"
    if made.get(PROBABILITIES.as_posix()) != md5_of(content):
        return f"is not what {_LOCK} says stage compare made"
    return ""


def remark(known: Mapping[int, float], why: str) -> str:
    """Return what is to be said of temperatures: why there are none, or that some are bounds."""
    if why:
        return f"not calibrated: {why}"
    bounds = {seed: value for seed, value in known.items() if is_bound(value)}
    if not bounds:
        return ""
    named = ", ".join(f"{value:g} (seed {seed})" for seed, value in bounds.items())
    return (
        f"temperatures at a bound: {named}; val alone does not tell how sure these answers may be"
    )
