"""Which fusions there are, by their files in fusions/, and which are trained and compared.

Names are read from the folder without importing torch; `base.build` makes a model of a name.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from fusebench.config import AsTuple, Section
from fusebench.errors import ParamsError

_NAME = re.compile("[a-z][a-z0-9_]*")
_FOLDER = Path(__file__).parents[1] / "fusions"


def names() -> list[str]:
    """Return the names of all fusions, sorted.

    Raises
    ------
    ParamsError
        A file has a name that is none: DVC puts names of fusions into command lines.
    """
    files = [path for path in _FOLDER.glob("*.py") if not path.name.startswith(("_", "."))]
    found = sorted(path.stem for path in files)
    for name in found:
        if not _NAME.fullmatch(name):
            raise ParamsError(
                f"src/fusebench/fusions: {f'{name}.py'!r} must be named by small letters, digits "
                "and '_', a letter first"
            )
    return found


def check_name(name: str) -> None:
    """Raise ParamsError, with the names that are allowed, if `name` is no fusion."""
    known = names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise ParamsError(
            f"'{name}' is no fusion (did you mean '{nearest[0]}'?); must be one of {known}"
        )


def checked_fusion(name: str) -> str:
    """Return the name of a fusion, or raise ValueError: the check of a params field."""
    try:
        check_name(name)
    except ParamsError as error:
        raise ValueError(str(error)) from None
    return name


class FusionParams(Section):
    """The top-level keys `fusion` (under study) and `fusions` (trained and compared)."""

    renamed: ClassVar[Mapping[str, str]] = {"strategies": "fusions"}

    fusion: str
    fusions: Annotated[tuple[str, ...], AsTuple] = Field(min_length=1)

    @field_validator("fusions")
    @classmethod
    def _registered(cls, listed: tuple[str, ...]) -> tuple[str, ...]:
        for name in listed:
            checked_fusion(name)
        if len(set(listed)) < len(listed):
            raise ValueError(f"{list(listed)}: each fusion may be listed once")
        return listed

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.fusion not in self.fusions:
            raise ValueError(
                f"fusion = '{self.fusion}': must be one of fusions: {', '.join(self.fusions)}"
            )
        return self
