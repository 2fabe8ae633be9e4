"""All of params.yaml, for the first stage, which refuses a wrong file before any work is done."""

import difflib
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from fusebench.config import AsTuple, Section
from fusebench.data.archive import DataParams
from fusebench.data.lidar import LidarParams
from fusebench.data.simulate import SynthesizeParams
from fusebench.data.split import SplitParams
from fusebench.models import registry
from fusebench.runtime import RuntimeParams
from fusebench.training.settings import TrainOverride, TrainParams


def checked_fusion(name: str) -> str:
    """Return the name of a registered fusion; raise ValueError with the known ones."""
    known = registry.names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise ValueError(
            f"'{name}' is no fusion (did you mean '{nearest[0]}'?); must be one of {known}"
        )
    return name


class Params(Section):
    """The whole file."""

    fusion: str = Field(description="one of the fusions listed in strategies")
    strategies: Annotated[tuple[str, ...], AsTuple] = Field(
        min_length=1, description="a list of different fusions, each a file of models/fusions/"
    )
    data: DataParams = Field(description="a mapping")
    synthesize: SynthesizeParams = Field(description="a mapping")
    split: SplitParams = Field(description="a mapping")
    lidar: LidarParams = Field(description="a mapping")
    train: TrainParams = Field(description="a mapping")
    override: dict[str, TrainOverride | None] = Field(description="a mapping of fusions")
    runtime: RuntimeParams = Field(description="a mapping")

    @field_validator("strategies")
    @classmethod
    def _registered(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            checked_fusion(name)
        if len(set(names)) < len(names):
            raise ValueError(f"{list(names)}: each fusion may be listed once")
        return names

    @field_validator("override")
    @classmethod
    def _known(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in overrides:
            checked_fusion(name)
        return overrides

    @model_validator(mode="after")
    def _listed(self) -> Self:
        if self.fusion not in self.strategies:
            raise ValueError(
                f"fusion = '{self.fusion}': must be one of strategies: {', '.join(self.strategies)}"
            )
        if len(set(self.train.seeds)) < len(self.train.seeds):
            raise ValueError(
                f"train.seeds = {list(self.train.seeds)}: each seed may be listed once"
            )
        return self
