"""How params.yaml becomes checked, typed, frozen values.

Only the mechanism is here; each room of the library declares its own section as a subclass of
`Section`. No key has a default: what is not in the file is an error, never a guess.
"""

import difflib
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from fusebench.errors import ParamsError

PARAMS_FILE = Path("params.yaml")

# YAML 1.1 reads 1e-05 as a string: it wants a dot before the exponent. DVC writes it so.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Loaded = TypeVar("Loaded", bound="Section")


class Section(BaseModel):
    """A part of params.yaml. Each field's description says what is allowed; errors quote it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _number(value: object) -> object:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Real = Annotated[float, BeforeValidator(_number)]
"""A number, also one that YAML took for a string (1e-05)."""

AsTuple = BeforeValidator(_tuple)
"""Marks a tuple that is written as a list in YAML."""

Size = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]], AsTuple
]
"""Height and width."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, where PyYAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    None, None, f"line {line}: key '{key}' is written twice", None
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """Return the raw content of a params file.

    Raises
    ------
    ParamsError
        The file is missing, is no YAML, or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the root of the project") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise ParamsError(f"{path}{where}: not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: must be a mapping of sections, not {type(content).__name__}")
    return content


def load(path: Path, kind: type[Loaded]) -> Loaded:
    """Return the whole params file as `kind`; raise ParamsError in one line."""
    return validate(kind, read(path), str(path))


def load_section(path: Path, name: str, kind: type[Loaded]) -> Loaded:
    """Return the section `name` of a params file; raise ParamsError in one line."""
    content = read(path)
    if name not in content:
        raise ParamsError(f"{path}: key '{name}' is missing")
    return validate(kind, content[name], str(path), (name,))


def load_keys(path: Path, kind: type[Loaded]) -> Loaded:
    """Return the top-level keys that `kind` declares; raise ParamsError in one line."""
    content = read(path)
    declared = {name: content[name] for name in kind.model_fields if name in content}
    return validate(kind, declared, str(path))


def validate(
    kind: type[Loaded], content: object, source: str, prefix: tuple[str, ...] = ()
) -> Loaded:
    """Return `content` as a checked `kind`.

    Parameters
    ----------
    source : str
        Named at the beginning of the error.
    prefix : tuple of str
        Keys that lead from the file's top to `content`.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
        # A key that does not exist explains a key that is missing, so it is named first.
        details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        line = _describe(kind, details[0], prefix)
        raise ParamsError(f"{source}: {line}{more}") from None


def _describe(kind: type[Section], detail: ErrorDetails, prefix: tuple[str, ...]) -> str:
    location = tuple(str(part) for part in detail["loc"])
    key = ".".join(prefix + location)
    if detail["type"] == "extra_forbidden":
        known = _fields_at(kind, location[:-1])
        nearest = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.0)
        return (
            f"unknown key '{key}'; did you mean '{'.'.join((*prefix, *location[:-1], *nearest))}'?"
        )
    allowed = _allowed(kind, location) or detail["msg"]
    if detail["type"] == "missing":
        return f"key '{key}' is missing; must be {allowed}"
    if detail["type"] == "value_error":
        message = detail["msg"].removeprefix("Value error, ")
        return f"{key}: {message}" if key else message
    value = detail["input"]
    shown = repr(value) if isinstance(value, str | Mapping) else str(value)
    return f"{key} = {shown}: must be {allowed}"


def _section_in(annotation: object) -> type[Section] | None:
    """Return the Section that an annotation holds, e.g. of `dict[str, Section]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)


def _walk(kind: type[Section], location: tuple[str, ...]) -> tuple[type[Section], str | None]:
    """Follow a location to the innermost section, with the last description on the way."""
    section, allowed = kind, None
    for part in location:
        field = section.model_fields.get(part)
        if field is not None:
            allowed = field.description
            section = _section_in(field.annotation) or section
    return section, allowed


def _fields_at(kind: type[Section], location: tuple[str, ...]) -> list[str]:
    return list(_walk(kind, location)[0].model_fields)


def _allowed(kind: type[Section], location: tuple[str, ...]) -> str | None:
    return _walk(kind, location)[1]
