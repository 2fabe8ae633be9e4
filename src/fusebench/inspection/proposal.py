"""What `make init` is to write, and what it says of it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Proposal:
    """What is written, and what is said of it.

    Attributes
    ----------
    params, sensors : dict of str to object
        Values of params.yaml and of the file of sensors, by dotted keys.
    missing : dict of str to str
        Keys of the sensors that are left empty, with what is to be filled in.
    seen, unknown : list of str
        Lines: what was seen, and what could not be known.
    """

    params: dict[str, Any] = field(default_factory=dict)
    sensors: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def leave(self, key: str, what: str, hint: str = "") -> None:
        """Leave a key of the sensors to be filled in."""
        self.sensors[key] = None
        self.missing[key] = what
        self.unknown.append(f"{key}: {what}{f' ({hint})' if hint else ''}; left empty")
