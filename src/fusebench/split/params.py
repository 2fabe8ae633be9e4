"""Section `split` of params.yaml."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fusebench.config import Section

Share = Annotated[float, Field(gt=0, lt=1)]
"""A share of all pairs."""


class SplitParams(Section):
    """Section `split`."""

    train: Share
    val: Share
    test: Share
    group: Literal["id", "none"]
    draws: Literal["per_seed", "fixed"]
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        total = sum(exact(share) for share in (self.train, self.val, self.test))
        if total > 1:
            raise ValueError(
                f"train + val + test = {float(total):g}: the shares must sum to at most 1"
            )
        return self


def exact(share: float) -> Fraction:
    """Return the decimal number that was written, not its nearest binary neighbour."""
    return Fraction(repr(share))
