"""A file of params with some of its values replaced, and its comments kept."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from fusebench.config import read

# Where ruamel.yaml keeps the comment before a key of a mapping, that behind its value, and that
# behind an item of a list.
_BEFORE_KEY, _AFTER_VALUE, _AFTER_ITEM = 1, 2, 0


def with_values(path: Path, changes: Mapping[str, Any], missing: Mapping[str, str]) -> str:
    """Return the text of a file of params with other values.

    Parameters
    ----------
    changes : mapping of str to object
        Values by their keys, dotted.
    missing : mapping of str to str
        Of those that are empty since nobody knows them yet: what is to be filled in.

    Raises
    ------
    ParamsError
        The file is missing, or broken.
    """
    read(path)
    yaml = YAML()
    yaml.default_flow_style = False
    content = yaml.load(path.read_text("utf-8"))
    for key, value in changes.items():
        *sections, last = key.split(".")
        holder = content
        for section in sections:
            holder = holder.setdefault(section, CommentedMap())
        _replace(holder, last, value)
    text = io.StringIO()
    yaml.dump(content, text)
    return _marked(text.getvalue(), missing)


def _replace(holder: CommentedMap, key: str, value: Any) -> None:
    """Put a value in place of another; the comment of the next key stays where it was."""
    before, around = holder.get(key), holder.ca.items.pop(key, [None, None, None, None])
    behind = around[_AFTER_VALUE]
    if isinstance(before, CommentedSeq):
        behind = before.ca.items.get(len(before) - 1, [None])[_AFTER_ITEM]
    if isinstance(value, list | tuple) and value:
        holder[key] = CommentedSeq(value)
        holder[key].ca.items[len(value) - 1] = [behind, None]
        behind = None
    else:
        holder[key] = value
    holder.ca.items[key] = [None, around[_BEFORE_KEY], behind, None]


def _marked(text: str, missing: Mapping[str, str]) -> str:
    """Write behind each key that is to be filled in what it is."""
    lines = text.splitlines(keepends=True)
    parents: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        words = line.strip()
        if not words or words.startswith(("#", "-")):
            continue
        indent = len(line) - len(line.lstrip())
        parents = [(depth, name) for depth, name in parents if depth < indent]
        name = words.partition(":")[0]
        key = ".".join([*(parent for _, parent in parents), name])
        parents.append((indent, name))
        if key in missing:
            lines[number] = f"{line.rstrip()}  # to be filled in: {missing[key]}\n"
    return "".join(lines)
