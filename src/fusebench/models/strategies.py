"""The top of params.yaml: which fusions are trained and compared, and which is under study."""

import difflib
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from fusebench.config import AsTuple, Section
from fusebench.models import registry


def checked_fusion(name: str) -> str:
    """Return the name of a registered fusion; raise ValueError with the known ones."""
    known = registry.names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise ValueError(
            f"'{name}' is no fusion (did you mean '{nearest[0]}'?); must be one of {known}"
        )
    return name


class StrategyParams(Section):
    """The keys `fusion` and `strategies`."""

    fusion: str = Field(description="one of the fusions listed in strategies")
    strategies: Annotated[tuple[str, ...], AsTuple] = Field(
        min_length=1, description="a list of different fusions, each a file of models/fusions/"
    )

    @field_validator("strategies")
    @classmethod
    def _registered(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            checked_fusion(name)
        if len(set(names)) < len(names):
            raise ValueError(f"{list(names)}: each fusion may be listed once")
        return names

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.fusion not in self.strategies:
            raise ValueError(
                f"fusion = '{self.fusion}': must be one of strategies: {', '.join(self.strategies)}"
            )
        return self
