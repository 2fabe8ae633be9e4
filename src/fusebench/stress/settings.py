"""Section `stress`: which corruptions kept models are put under."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from fusebench.config import Section
from fusebench.inputs.corruption import CORRUPTIONS


def _listed(value: object) -> object:
    """Return the names that "all" stands for, and a list of YAML as a tuple."""
    if value == "all":
        return tuple(CORRUPTIONS.names())
    return tuple(value) if isinstance(value, list) else value


def _once(listed: tuple[str, ...]) -> tuple[str, ...]:
    for name in listed:
        CORRUPTIONS.checked(name)
    if len(set(listed)) < len(listed):
        raise ValueError(f"{list(listed)}: each corruption may be listed once")
    return listed


class StressParams(Section):
    """Section `stress`.

    Attributes
    ----------
    corruptions : tuple of str
        Names of files in corruptions/; empty: none. As a param "all" stands for all.
    """

    corruptions: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_once)]
