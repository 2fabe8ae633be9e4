"""The fusions, found by their files: models/fusions/<name>.py holds the class of `name`.

Names are read from the folder without importing torch; a class is imported when it is built.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fusebench.errors import ParamsError

if TYPE_CHECKING:
    from fusebench.models.fusion import Fusion, ModelSpec

# Rows of the comparison that are no fusions: answers without training.
BASELINES = ("majority_class", "threshold")

_FOLDER = Path(__file__).parent / "fusions"


def names() -> list[str]:
    """Return the names of all fusions, sorted.

    Raises
    ------
    ParamsError
        A file has the name of a baseline, whose results it would overwrite.
    """
    found = sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))
    for name in found:
        if name in BASELINES:
            raise ParamsError(
                f"models/fusions/{name}.py: '{name}' is the name of a baseline; must be another "
                f"than {', '.join(BASELINES)}"
            )
    return found


def check_name(name: str) -> None:
    """Raise ParamsError, with the names that are allowed, if `name` is no fusion."""
    if name not in names():
        raise ParamsError(f"'{name}' is no fusion; must be one of {', '.join(names())}")


def fusion_class(name: str) -> type[Fusion]:
    """Return the class that models/fusions/<name>.py holds.

    Raises
    ------
    ParamsError
        There is no such file, or it does not hold exactly one fusion.
    """
    from fusebench.models.fusion import Fusion

    check_name(name)
    module = import_module(f"fusebench.models.fusions.{name}")
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Fusion)
        and item.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ParamsError(f"models/fusions/{name}.py: holds {len(found)} fusions; must hold one")
    return found[0]


def build(spec: ModelSpec) -> Fusion:
    """Return an untrained model with torch's own initial weights; see `weights.initialize`."""
    return fusion_class(spec.fusion)(spec)
