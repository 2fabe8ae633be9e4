"""What a study keeps of each experiment: <folder>/<name>.json, with what it was declared with.

Something is done when what is kept of it was made with the params, samples and overrides that there
are now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError
from fusebench.report.declared import ORIGIN, deciding_in
from fusebench.sealed import read_sealed, write_sealed
from studies.common.errors import StudyError
from studies.common.experiments import Experiment

SCHEMA = 1
"""Version of the format."""
_OTHER = f"of format {{}}, this version of fusebench reads {SCHEMA}"


@dataclass(frozen=True)
class Unit:
    """What is run and kept by itself.

    Attributes
    ----------
    experiment : Experiment
    name : str
        Of its file.
    params : mapping
        What of params.yaml decides its result, as `deciding_here` returns it.
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


def deciding_here() -> dict[str, Any]:
    """Return what of this folder decides results: see `deciding_in`."""
    return deciding_in(Path())


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


def read_all(folder: Path, params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is kept in a folder and was made with some params, by its name.

    Parameters
    ----------
    params : mapping
        As `deciding_here` returns them.
    """
    found = {path.stem: read_kept(path) for path in kept_files(folder)}
    return {name: of for name, of in found.items() if of["declared"]["params"] == params}


def kept_files(folder: Path) -> Sequence[Path]:
    """Return the files in which something is kept, sorted."""
    return sorted(path for path in folder.glob("*.json") if path.name != ORIGIN)
