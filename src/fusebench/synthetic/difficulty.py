"""How hard the tasks are: section `synthesize.difficulty` of params.yaml."""

from typing import Self

from pydantic import Field, model_validator

from fusebench.config import Section

NEAREST, FARTHEST = 15.0, 35.0
"""Between these ranges, in metres, are the objects of all tasks but shape."""


class Difficulty(Section):
    """Section `synthesize.difficulty`; `shape` reads the noise alone.

    Attributes
    ----------
    gap : float
        What ranges of centres differ by at least where they make the class, in metres.
    objects : int
        Of task nearest.
    noise : float
        Standard deviation of each range that the LiDAR returns, in metres.
    """

    gap: float = Field(ge=1, lt=FARTHEST - NEAREST)
    objects: int = Field(ge=2, le=3)
    noise: float = Field(ge=0, le=5)

    @model_validator(mode="after")
    def _room_for_the_gaps(self) -> Self:
        most = (FARTHEST - NEAREST) / (self.objects - 1)
        if self.gap >= most:
            raise ValueError(
                f"gap = {self.gap:g}: must be less than {most:g} with {self.objects} objects, "
                f"{NEAREST:g} to {FARTHEST:g} m away"
            )
        return self
