"""Section `stress`: which corruptions kept models are put under."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from fusebench.config import AsTuple, Section
from fusebench.inputs.corruption import checked_name, names


def _once(listed: tuple[str, ...]) -> tuple[str, ...]:
    for name in listed:
        checked_name(name)
    if len(set(listed)) < len(listed):
        raise ValueError(f"{list(listed)}: each corruption may be listed once")
    return listed


class StressParams(Section):
    """Section `stress`.

    Attributes
    ----------
    corruptions : "all" or tuple of str
        Names of files in corruptions/; empty: none.
    """

    corruptions: Literal["all"] | Annotated[tuple[str, ...], AsTuple, AfterValidator(_once)]

    @property
    def chosen(self) -> list[str]:
        """The names of the corruptions."""
        return names() if self.corruptions == "all" else list(self.corruptions)
