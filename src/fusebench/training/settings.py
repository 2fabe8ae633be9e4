"""Section `train`, and what `override` may change of it for one fusion."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from fusebench.config import AsTuple, Real, Section, validate
from fusebench.device import WantedPrecision

Pooling = Literal["max", "strided"]


class TrainParams(Section):
    """Section `train`: how every fusion is trained."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AsTuple] = Field(
        min_length=1, description="a list of one or more different integers of 0 or more"
    )
    epochs: int = Field(ge=1, description="an integer of 1 or more")
    batch_size: int = Field(ge=1, description="an integer of 1 or more")
    lr: Real = Field(gt=0, le=10, description="a number above 0, at most 10")
    weight_decay: Real = Field(ge=0, le=1, description="a number from 0 to 1")
    schedule: Literal["constant", "cosine"] = Field(description="'constant' or 'cosine'")
    class_weights: Literal["none", "balanced"] = Field(description="'none' or 'balanced'")
    pooling: Pooling = Field(description="'max' or 'strided'")
    precision: WantedPrecision = Field(description="'auto', 'fp32' or 'bf16'")

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{list(seeds)}: each seed may be listed once")
        return seeds


class TrainOverride(Section):
    """What may differ for one fusion; an empty value leaves `train` as it is.

    Seeds may not: a comparison is paired by them.
    """

    epochs: int | None = Field(None, ge=1, description="empty, or an integer of 1 or more")
    batch_size: int | None = Field(None, ge=1, description="empty, or an integer of 1 or more")
    lr: Real | None = Field(None, gt=0, le=10, description="empty, or a number above 0, at most 10")
    weight_decay: Real | None = Field(
        None, ge=0, le=1, description="empty, or a number from 0 to 1"
    )
    schedule: Literal["constant", "cosine"] | None = Field(
        None, description="empty, 'constant' or 'cosine'"
    )
    class_weights: Literal["none", "balanced"] | None = Field(
        None, description="empty, 'none' or 'balanced'"
    )
    pooling: Pooling | None = Field(None, description="empty, 'max' or 'strided'")
    precision: WantedPrecision | None = Field(None, description="empty, 'auto', 'fp32' or 'bf16'")

    def changes(self) -> dict[str, Any]:
        """Return only what is set."""
        return self.model_dump(exclude_none=True)


def with_override(params: TrainParams, override: TrainOverride) -> TrainParams:
    """Return `params` with one fusion's own values in place."""
    return params.model_copy(update=override.changes())


def read_override(content: object, source: str) -> TrainOverride:
    """Return a checked override; raise ParamsError in one line that begins with `source`."""
    return validate(TrainOverride, content, source)
