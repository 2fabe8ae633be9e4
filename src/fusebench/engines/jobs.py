"""What is to be trained: each seed of each fusion of params.yaml, from what earlier stages made."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from fusebench.device import Device, resolve_precision
from fusebench.errors import ArtifactError, ParamsError
from fusebench.files import json_text
from fusebench.params import Params
from fusebench.recorded import check_files
from fusebench.revisions.revisions import WORKSPACE, reader
from fusebench.samples.manifest import read_manifest
from fusebench.samples.samples import open_samples
from fusebench.stale import stale_files
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training, loaded_code
from fusebench.training.settings import read_settings
from fusebench.training.train import Job, same_code

_CHECKED, _LOCK = Path("checked"), Path("dvc.lock")
_SAMPLES, _SPLIT, _INPUTS = Path("data/samples"), Path("data/split.csv"), Path("data/inputs.json")
_REMEDY = "'dvc repro split check_inputs' makes it"


def read_jobs(params: Params, device: Device) -> list[Job]:
    """Return a job for each seed of each fusion, as the stages of the fusions would train it.

    Parameters
    ----------
    device : Device
        Where it would be trained here: keys are of this machine.

    Raises
    ------
    ParamsError
        Seeds are to be trained in one pass.
    ArtifactError
        What is trained on is missing, or not what params.yaml and dvc.lock say.
    """
    if params.runtime.stacked:
        raise ParamsError(
            "params.yaml: runtime.stacked = true: must be false here, where each seed is trained "
            "by itself"
        )
    settings = {fusion: _CHECKED / "settings" / f"{fusion}.json" for fusion in params.fusions}
    _check(params, list(settings.values()))
    samples, manifest = open_samples(_SAMPLES), read_manifest(_SPLIT)
    manifest.check_samples(samples.table)
    jobs = []
    for fusion, path in settings.items():
        train, lidar, model = read_settings(path)
        recipe = Recipe(fusion, train, lidar, resolve_precision(train.precision, device), model)
        corruptions = list(train.probabilities)
        code = loaded_code(fusion, corruptions)
        same = partial(same_code, fusion, corruptions, code)
        kept = KeptSeeds.of(params.runtime, print, same)
        training = Training(recipe, samples, manifest, device, code)
        jobs += [Job(training, seed, kept) for seed in train.seeds]
    return jobs


def _check(params: Params, settings: Sequence[Path]) -> None:
    """Refuse what stage train would not be run on: what DVC would first make anew."""
    used = [*settings, _SAMPLES, _SPLIT, _INPUTS]
    for path in used:
        if not path.exists():
            raise ArtifactError(f"{path}: not there; {_REMEDY}")
    for name, reason in _stale(params, settings):
        raise ArtifactError(f"{name}: {reason}; {_REMEDY} anew")
    check_files(used)


def _stale(params: Params, settings: Sequence[Path]) -> Iterator[tuple[str, str]]:
    wanted = params.checked_files()
    for path in settings:
        content = json_text(wanted[path.relative_to(_CHECKED).as_posix()])
        if path.read_text("utf-8") != content:
            yield str(path), "is not of this params.yaml"
    if _LOCK.is_file():
        made = [path.as_posix() for path in (_SAMPLES, _SPLIT, _INPUTS)]
        yield from stale_files(reader(WORKSPACE), made).items()
