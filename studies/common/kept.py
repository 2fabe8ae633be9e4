"""What a study keeps of each experiment: <folder>/<name>.json, with what it was declared with.

Something is done when what is kept of it was made with the params and overrides that it has now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusebench.config import PARAMS_FILE, read
from fusebench.errors import ArtifactError
from fusebench.files import md5_of
from fusebench.sealed import read_sealed, write_sealed
from studies.common.errors import StudyError
from studies.common.experiments import Experiment

SCHEMA = 1
"""Version of the format."""
_OTHER = f"of format {{}}, this version of fusebench reads {SCHEMA}"
# What decides no bit of what is kept here: which fusion is looked at, what is said of it, and how
# a run is executed.
_NO_MATTER = ("fusion", "compare", "runtime")
# Holds a digest of each sample's content.
_SAMPLES = Path("data/samples/samples.csv")


@dataclass(frozen=True)
class Unit:
    """What is run and kept by itself.

    Attributes
    ----------
    experiment : Experiment
    name : str
        Of its file.
    params : mapping
        What of params.yaml decides its result, as `deciding` returns it.
    about : mapping
        What is kept of the plan beside that; it does not decide whether the unit is done.
    """

    experiment: Experiment
    name: str
    params: Mapping[str, Any]
    about: Mapping[str, Any]

    @property
    def declared(self) -> dict[str, Any]:
        """What decides whether it is to be run."""
        return {"overrides": list(self.experiment.overrides), "params": dict(self.params)}


def deciding(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a params.yaml decides results; entries of `override` that are empty do not."""
    kept = {key: value for key, value in params.items() if key not in _NO_MATTER}
    overrides = {
        name: {key: value for key, value in (of or {}).items() if value is not None}
        for name, of in (params.get("override") or {}).items()
    }
    return {**kept, "override": {name: of for name, of in overrides.items() if of}}


def deciding_here() -> dict[str, Any]:
    """Return what of this folder decides results: its params, and a digest of its samples.

    Raises
    ------
    ParamsError
        params.yaml is missing or broken.
    StudyError
        Stage extract has not run.
    """
    try:
        samples = md5_of(_SAMPLES.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{_SAMPLES}: no such file; 'dvc repro extract' makes it") from None
    return {**deciding(read(PARAMS_FILE)), "samples": samples}


def write_kept(folder: Path, unit: Unit, found: Mapping[str, Any]) -> None:
    """Keep what an experiment came to."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"schema": SCHEMA, "declared": unit.declared, **unit.about, **found}
    write_sealed(folder / f"{unit.name}.json", content)


def is_done(folder: Path, unit: Unit) -> bool:
    """Tell whether what is kept of a unit is of its params and overrides; raise StudyError."""
    path = folder / f"{unit.name}.json"
    return path.is_file() and read_kept(path)["declared"] == unit.declared


def read_kept(path: Path) -> dict[str, Any]:
    """Return what is kept in a file.

    Raises
    ------
    StudyError
        It is broken.
    """
    try:
        return read_sealed(path, SCHEMA, _OTHER)
    except ArtifactError as error:
        reason = str(error).partition(";")[0]
        raise StudyError(
            f"{reason}; 'git restore {path}', or 'rm {path}' and it is run anew"
        ) from None


def read_all(folder: Path, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return what is kept in a folder, by the names of files.

    Parameters
    ----------
    params : mapping, optional
        Only what was made with these; see `deciding`.
    """
    found = [read_kept(path) for path in kept_files(folder)]
    return [of for of in found if params is None or of["declared"]["params"] == params]


def kept_files(folder: Path) -> Sequence[Path]:
    """Return the files in which something is kept, sorted."""
    return sorted(folder.glob("*.json"))
