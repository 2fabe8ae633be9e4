"""How hard the tasks are: section `synthesize.difficulty` of params.yaml."""

from pydantic import Field

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
