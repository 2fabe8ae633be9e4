"""YAML 1.2 as DVC reads it, where PyYAML reads 1.1: `off`, `no` and 1:30 are words, 1e-05 a number.

DVC reads and writes params.yaml, dvc.yaml and dvc.lock with ruamel.yaml. This reads them with
libyaml, ten times as fast, under the same rules (ruamel/yaml/resolver.py and constructor.py).

It refuses more: the last of two equal keys beside `<<`, an anchor given twice, the tags `!` and
`!!omap`, %YAML 1.1, and what is too large. What both take is equal.
"""

import re
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

MAX_CHARACTERS = 1_000_000
"""How long a document may be with its aliases written out; each value counts one more."""
MAX_DEPTH = 50
"""How many lists and mappings may stand in each other."""
_MAX_DIGITS = 1000

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_BASES = {"0b": 2, "0o": 8, "0x": 16}
# Tag, expression, and what a text may begin with, in the order in which they are asked.
_RESOLVERS = (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9_]+([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("int", "[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)", "-+0123456789"),
    ("merge", "<<", "<"),
    ("null", "~|null|Null|NULL|", ("~", "n", "N", "")),
    (
        "timestamp",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}"
        r":[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
        "0123456789",
    ),
    ("value", "=", "="),
)
# What a text that is no value of its tag makes PyYAML raise, e.g. `!!bool x` or 2026-13-45.
_NO_VALUE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class NotYamlError(ValueError):
    """A text that is no document of YAML 1.2, or one that is too large.

    Attributes
    ----------
    line : int or None
        Where, from 1.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def load(text: str) -> Any:
    """Return what a document holds; None if it is empty.

    Raises
    ------
    NotYamlError
        It is broken, has a key twice or an unknown tag, or is larger or deeper than allowed.
    """
    try:
        _check_size(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else None
        raise NotYamlError(_one_line(error.problem or error.context), line) from None
    except NotYamlError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: half a surrogate pair.
        raise NotYamlError(_one_line(error)) from None


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())


def _check_size(text: str) -> None:
    """Refuse what would not fit into memory, the stack or a line; aliases need few bytes for much.

    Nothing is built for it: it looks at the parser's events, which come without recursion.
    """
    size = _Size()
    for event in yaml.parse(text, Loader=_Loader):
        try:
            size.add(event)
        except ValueError as error:
            mark = event.start_mark
            raise NotYamlError(str(error), mark.line + 1 if mark else None) from None


class _Size:
    """How long and deep a document is, up to an event of its parser."""

    def __init__(self) -> None:
        self._total = 0
        self._open: list[tuple[str, int]] = []
        self._of_anchor: dict[str, int] = {}

    def add(self, event: yaml.Event) -> None:
        """Count an event; raise ValueError if it is too much, or an alias of nothing."""
        if isinstance(event, yaml.DocumentStartEvent) and event.version not in (None, (1, 2)):
            raise ValueError("another version of YAML than 1.2; leave '%YAML' out")
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            self._of_anchor[anchor] = self._total - before
        elif isinstance(event, yaml.AliasEvent):
            self._total += 1 + self._of_alias(str(event.anchor))
        elif isinstance(event, yaml.NodeEvent):
            self._add_node(event)
        if self._total > MAX_CHARACTERS:
            raise ValueError(f"more than {MAX_CHARACTERS:,} characters, with aliases written out")
        if len(self._open) > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} lists and mappings in each other")

    def _add_node(self, event: Any) -> None:
        anchor = event.anchor or ""
        if anchor and (anchor in self._of_anchor or anchor in dict(self._open)):
            raise ValueError(f"anchor '{anchor}' is given twice")
        if event.tag == "!":
            raise ValueError("a tag '!' without a name")
        before, self._total = self._total, self._total + 1
        if isinstance(event, yaml.ScalarEvent):
            self._total += len(event.value)
            self._of_anchor[anchor] = self._total - before
        else:
            self._open.append((anchor, before))

    def _of_alias(self, anchor: str) -> int:
        if anchor in dict(self._open):
            raise ValueError(f"alias '{anchor}' stands inside of what it repeats")
        if anchor not in self._of_anchor:
            raise ValueError(f"alias '{anchor}' repeats nothing that stands before it")
        return self._of_anchor[anchor]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """SafeLoader with the resolvers and constructors of YAML 1.2, which refuses a key twice."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}
    bool_values = yaml.SafeLoader.bool_values | {"y": True, "n": False}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _NO_VALUE:
            value = f"'{node.value}' is" if isinstance(node, yaml.ScalarNode) else "is"
            kind = node.tag.removeprefix(_TAG)
            raise ConstructorError(None, None, f"{value} no {kind}", node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, f"is a {node.id}, no mapping", node.start_mark)
        merged = self._merge(node)
        mapping: dict[Hashable, Any] = {}
        own = set()
        for number, (key_node, value_node) in enumerate(node.value):
            key = self._key(key_node)
            if key in own:
                raise _twice(key, key_node)
            if number >= merged:
                own.add(key)
            mapping[key] = self.construct_object(value_node, deep)
        return mapping

    def _merge(self, node: Any) -> int:
        """Write what `<<` names out, once, before the mapping's own keys; return its length."""
        merges = [key for key, _ in node.value if key.tag == _MERGE]
        if len(merges) > 1:
            raise _twice("<<", merges[1])
        own = len(node.value) - len(merges)
        if not hasattr(node, "merged"):
            self.flatten_mapping(node)
            node.merged = len(node.value) - own
        return int(node.merged)

    def _key(self, node: yaml.Node) -> Hashable:
        key = self.construct_object(node, deep=True)
        key = tuple(key) if isinstance(key, list) else key
        if not isinstance(key, Hashable):
            raise ConstructorError(None, None, "a mapping is no key", node.start_mark)
        return key

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value = self.construct_scalar(node).replace("_", "")
        digits = value.removeprefix("-") if value[0] == "-" else value.removeprefix("+")
        if len(digits) > _MAX_DIGITS:
            reason = f"a number of {len(digits)} digits; at most {_MAX_DIGITS}"
            raise ConstructorError(None, None, reason, node.start_mark)
        base = _BASES.get(digits[:2], 10)
        number = int(digits if base == 10 else digits[2:], base)
        return -number if value[0] == "-" else number

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        if ":" in self.construct_scalar(node):
            raise ValueError("1:30 is no number in YAML 1.2")
        return float(super().construct_yaml_float(node))

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> date | datetime:
        moment: date | datetime = super().construct_yaml_timestamp(node)
        more = re.search(r"\.\d{6}(\d)", node.value)
        return moment + timedelta(microseconds=1) if more and more[1] > "4" else moment


def _twice(key: object, node: yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, f"key '{key}' is written twice", node.start_mark)


for _name, _expression, _begins in _RESOLVERS:
    _Loader.add_implicit_resolver(
        f"{_TAG}{_name}", re.compile(f"^(?:{_expression})$"), list(_begins)
    )
for _name in ("int", "float", "timestamp"):
    _Loader.add_constructor(f"{_TAG}{_name}", getattr(_Loader, f"construct_yaml_{_name}"))
# A list of pairs to PyYAML, a mapping to ruamel.yaml.
_Loader.add_constructor(f"{_TAG}omap", _Loader.construct_undefined)
