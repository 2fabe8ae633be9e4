"""How a file of params becomes checked, typed, frozen values: params.yaml, or that of the sensors.

Only the mechanism is here; each room of the library declares its own section as a subclass of
`Section`. No key has a default: what is not in the file is an error, never a guess.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from fusebench import yaml12
from fusebench.errors import ParamsError, one_line

PARAMS_FILE = Path("params.yaml")

Loaded = TypeVar("Loaded", bound="Section")


class Section(BaseModel):
    """A part of a file of params.

    Attributes
    ----------
    renamed : mapping of str to str
        Keys of earlier versions with their present names, for the error's "did you mean".
    moved : mapping of str to str
        Keys of earlier versions that are no longer in this section, with where they are now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    renamed: ClassVar[Mapping[str, str]] = {}
    moved: ClassVar[Mapping[str, str]] = {}

    def settings(self) -> dict[str, Any]:
        """Return the values that say something: features that are off (see `Off`) are left out.

        So the file of settings does not change with a key that is added and off.
        """
        off = _off_values(type(self))
        return {key: value for key, value in self.model_dump().items() if (key, value) not in off}


@dataclass(frozen=True)
class Off:
    """Marks the value of a field that means "this feature is off"."""

    value: Any


def _off_values(section: type[Section]) -> list[tuple[str, Any]]:
    return [
        (key, mark.value)
        for key, field in section.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Off)
    ]


def from_settings(section: type[Loaded], content: object, source: str) -> Loaded:
    """Return the section whose `settings` were written to `source`; raise ParamsError."""
    if isinstance(content, Mapping):
        content = {**dict(_off_values(section)), **content}
    return validate(section, content, source)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


AsTuple = BeforeValidator(_tuple)
"""Marks a tuple that is written as a list in YAML."""

Size = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]], AsTuple
]
"""Height and width."""


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{list(seeds)}: each seed may be listed once")
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    AsTuple,
    AfterValidator(_different),
]
"""Seeds of trainings, each once."""


def read(path: Path) -> dict[str, Any]:
    """Return the raw content of a file of params.

    Raises
    ------
    ParamsError
        The file is missing, is no YAML, or is not a mapping.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        is_params = path.name == PARAMS_FILE.name
        remedy = "run from the root of the project" if is_params else _NAMED_IN
        raise _error(path, f"no such file; {remedy}") from None
    except ValueError as error:
        # A character that no name of a file may have, or none in this locale.
        raise _error(path, f"{error}; {_NAMED_IN}") from None
    return parse(content, str(path))


def _error(source: Path | str, reason: str) -> ParamsError:
    return ParamsError(f"{one_line(str(source), 200)}: {one_line(reason)}")


_NAMED_IN = f"write it, or name another in {PARAMS_FILE}"


def parse(text: bytes, source: str) -> dict[str, Any]:
    """Return the raw content of a file of params from its text; raise ParamsError in one line."""
    try:
        content = yaml12.load(text.decode())
    except ValueError as error:
        line = getattr(error, "line", None)
        where = f"line {line}: " if line else ""
        raise _error(source, f"{where}not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise _error(source, f"must be a mapping of sections, not {type(content).__name__}")
    return content


def load(path: Path, section: type[Loaded]) -> Loaded:
    """Return the whole file of params as `section`; raise ParamsError in one line."""
    return validate(section, read(path), str(path))


def load_section(path: Path, name: str, section: type[Loaded]) -> Loaded:
    """Return the section `name` of a file of params; raise ParamsError in one line."""
    content = read(path)
    if name not in content:
        raise _error(path, f"key '{name}' is missing")
    return validate(section, content[name], str(path), (name,))


def load_keys(path: Path, section: type[Loaded]) -> Loaded:
    """Return the top-level keys that `section` declares; raise ParamsError in one line."""
    content = read(path)
    declared = {name: content[name] for name in section.model_fields if name in content}
    return validate(section, declared, str(path))


def validate(
    section: type[Loaded], content: object, source: str, prefix: tuple[str, ...] = ()
) -> Loaded:
    """Return `content` as a checked `section`.

    Parameters
    ----------
    source : str
        Named at the beginning of the error.
    prefix : tuple of str
        Keys that lead from the file's top to `content`.
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A key that does not exist explains a key that is missing, so it is named first.
        details.sort(key=lambda detail: detail["type"] not in _UNKNOWN)
        lines = _lines(section, details, prefix)
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise _error(source, f"{one_line(lines[0])}{more}") from None


# How pydantic calls a key that is not declared, and one that is not even a word.
_UNKNOWN = ("extra_forbidden", "invalid_key")


def _lines(
    section: type[Section], details: list[ErrorDetails], prefix: tuple[str, ...]
) -> list[str]:
    """Return a line per key; a value of several types fails once per type, which is joined."""
    reasons: dict[str, list[str]] = {}
    for detail in details:
        location = _location(section, detail["loc"])
        key, reason = _explain(section, detail, prefix, location)
        reasons.setdefault(key, []).append(reason)
    return [
        f"{key}{' or '.join(dict.fromkeys(several)).replace(' or must be ', ' or ')}"
        for key, several in reasons.items()
    ]


def _explain(
    section: type[Section], detail: ErrorDetails, prefix: tuple[str, ...], location: tuple[str, ...]
) -> tuple[str, str]:
    """Return the beginning of an error's line, which names key and value, and the reason."""
    key = ".".join(prefix + location)
    if detail["type"] in _UNKNOWN:
        innermost = _section_at(section, location[:-1])
        known, last = innermost.model_fields, location[-1]
        if last in innermost.moved:
            return f"unknown key '{key}'; it is now {innermost.moved[last]}", ""
        nearest = innermost.renamed.get(last) or _nearest(last, list(known))
        meant = ".".join((*prefix, *location[:-1], nearest))
        return f"unknown key '{key}'; did you mean '{meant}'?", ""
    if detail["loc"][-1:] == ("[key]",):
        holder = ".".join((*prefix, *map(str, detail["loc"][:-2])))
        return f"{holder}: key {shown(detail['input'])}: ", "must be a text"
    if detail["type"] == "value_error":
        # A section's own check begins with the key that it speaks of; a value's check does not.
        joint = "." if _is_section(section, location) and not _is_list(section, location) else ": "
        return (f"{key}{joint}" if key else ""), detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"key '{key}' is missing", ""
    value = shown(detail["input"])
    return (f"{key} = {value}: " if key else f"{value}: "), _in_yaml_words(detail["msg"])


def shown(value: object) -> str:
    """Return how an error shows a value: as the file has it, and cut where it is long."""
    value = list(value) if isinstance(value, tuple) else value
    text = repr(value) if isinstance(value, str | Mapping) else str(value)
    return "empty" if value is None else one_line(text, _MAX_SHOWN)


_MAX_SHOWN = 100


def _in_yaml_words(message: str) -> str:
    """Return pydantic's message with the words of the file for those of Python."""
    message = message.partition(" or instance of ")[0].replace(" after validation", "")
    message = re.sub("^(Input|Tuple|String) should", "must", message)
    return message.replace("valid tuple", "valid list").replace("valid dictionary", "valid mapping")


def _nearest(word: str, known: list[str]) -> str:
    return difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _location(section: type[Section], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return a location without what pydantic adds to it: the type of a value of several types."""
    parts = tuple(str(part) for part in location if part != "[key]")
    for length in range(1, len(parts)):
        if not _is_section(section, parts[:length]):
            # Below a value there is nothing that the file names, except positions in a list.
            return parts[:length] + tuple(part for part in parts[length:] if part.isdigit())
    return parts


def _section_in(annotation: object) -> type[Section] | None:
    """Return the Section that an annotation holds, e.g. of `dict[str, Section]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)


def _section_at(section: type[Section], location: tuple[str, ...]) -> type[Section]:
    """Return the innermost section on the way from `section` down a location."""
    for part in location:
        if part in section.model_fields:
            section = _section_in(section.model_fields[part].annotation) or section
    return section


def _is_section(section: type[Section], location: tuple[str, ...]) -> bool:
    """Tell whether a location is a section or a mapping of sections."""
    is_section = True
    for part in location:
        if part in section.model_fields:
            inner = _section_in(section.model_fields[part].annotation)
            section, is_section = inner or section, inner is not None
    return is_section


def _is_list(section: type[Section], location: tuple[str, ...]) -> bool:
    """Tell whether a location is a list, be it of sections."""
    innermost = _section_at(section, location[:-1])
    known = innermost.model_fields.get(location[-1]) if location else None
    return known is not None and get_origin(known.annotation) is tuple
