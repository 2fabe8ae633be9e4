"""Section `split` of params.yaml."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fusebench.config import Section

Share = Annotated[float, Field(gt=0, lt=1)]
"""A share of all pairs."""


class SplitParams(Section):
    """Section `split`; a holdout of 0 is none.

    Attributes
    ----------
    group : {"id", "none"}
        What stays in one part: the samples of a group, which is an id where the data name no
        groups; or each sample by itself.
    """

    train: Share
    val: Share
    test: Share
    holdout: float = Field(ge=0, lt=1)
    group: Literal["id", "none"]
    draws: Literal["per_seed", "fixed"]
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        total = sum(map(exact, (self.train, self.val, self.test, self.holdout)))
        if total > 1:
            remedy = "lower one, or set split.holdout: 0" if self.holdout else "lower one"
            raise ValueError(
                f"train + val + test + holdout = {float(total):g}: the shares must sum to at most "
                f"1; {remedy}"
            )
        return self


def exact(share: float) -> Fraction:
    """Return the decimal number that was written, not its nearest binary neighbour."""
    return Fraction(repr(share))
