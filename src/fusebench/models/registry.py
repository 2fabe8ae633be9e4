"""Which fusions there are, by their files in fusions/, and which are trained and compared.

Names are read from the folder without importing torch; `base.build` makes a model of a name.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from fusebench.config import AsTuple, Section
from fusebench.registry import Registry

FUSIONS = Registry("fusions", "fusion")


class FusionParams(Section):
    """The top-level keys `fusion` (under study) and `fusions` (trained and compared)."""

    renamed: ClassVar[Mapping[str, str]] = {"strategies": "fusions"}

    fusion: str
    fusions: Annotated[tuple[str, ...], AsTuple] = Field(min_length=1)

    @field_validator("fusions")
    @classmethod
    def _registered(cls, listed: tuple[str, ...]) -> tuple[str, ...]:
        for name in listed:
            FUSIONS.checked(name)
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
