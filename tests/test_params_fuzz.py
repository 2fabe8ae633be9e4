"""Any params.yaml is accepted with all of its values allowed, or refused in one line."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reliability import Tally, counting

from fusebench import yaml12
from fusebench.config import PARAMS_FILE, parse, validate
from fusebench.errors import ParamsError
from fusebench.files import json_text
from fusebench.params import Params

TEXT = (Path(__file__).parent / "default_params.yaml").read_bytes()
CONTENT: dict[str, Any] = yaml12.load(TEXT.decode())
MOST = 500
"""Characters of an error's line."""
_KEYS = "|".join(Params.model_fields)
# Broken YAML is told with its line, all else with its key.
NAMED = re.compile(
    rf"params\.yaml: ((line \d+: )?not valid YAML: .|must be a mapping of sections, not \w+$"
    rf"|unknown key '.*|key '.+' is missing|({_KEYS})(\.[^=:]+)?( = .*)?: .)"
)


def check(content: bytes) -> str:
    """Return the error's line, or "" for a file that is accepted; fail where it is neither."""
    try:
        params = validate(Params, parse(content, str(PARAMS_FILE)), str(PARAMS_FILE))
        files = params.checked_files()
    except ParamsError as error:
        line = str(error)
        assert line.isprintable(), content
        assert len(line) <= MOST, content
        assert NAMED.match(line), f"{line}\n{content!r}"
        return line
    for name, written in files.items():
        assert json.loads(json_text(written)) == json.loads(json.dumps(written)), name
    # What was accepted is written and accepted again, as the same.
    assert Params.model_validate(json.loads(json.dumps(params.model_dump()))) == params
    return ""


# --- Mutations ---

ODD_BYTES = st.binary(max_size=4) | st.sampled_from(
    [b"\n", b"\t", b"\0", b"\r", b":", b"- ", b"&a ", b"*a", b"<<: ", b"!!int ", b"[", b"{", b"'",
     b'"', b"|\n", b"#", b"%YAML 1.1\n", b"---\n", b"...\n", b"\xff", b"\xc3\x28", b"\xed\xa0\x80",
     b"\xe2\x80\xa8", b"1e400", b"0x10", b".nan", b"off", b"9" * 5000, b"[" * 2000, b"- " * 2000]
)  # fmt: skip


@st.composite
def byte_mutations(draw: Any) -> bytes:
    """Draw the file with some bytes flipped, inserted, removed, repeated or cut off."""
    content = bytearray(TEXT)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(["flip", "insert", "remove", "repeat", "cut"])):
            case "flip" if place < len(content):
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "insert":
                content[place:place] = draw(ODD_BYTES)
            case "remove":
                del content[place : place + length]
            case "repeat":
                content[place:place] = content[place : place + length]
            case "cut" if draw(st.integers(0, 9)) == 0:
                del content[place:]
    return bytes(content)


WORDS = st.sampled_from(
    ["", "auto", "none", "off", "no", "a\nb", "a\0b", "\x1b[31m", "é", "x" * 3000, "😀" * 200,
     "\u2028" * 300, "late", "data/demo.zip", "./data/demo.zip", "${data.archive}", "$(touch x)",
     "../x", "a/b", "1e-5", "train", "lr"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
    | st.sampled_from([0, 1, -1, 2**63, 2**64, 10**400, -(10**5000 % 10**900), 1e300, 5e-324])
    | st.sampled_from([dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3), b"x"])
)  # fmt: skip
KEYS = WORDS | st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.floats()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
) | st.integers(200, 3000).map(lambda length: length * ["late"])  # fmt: skip


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list or mapping with each of its positions or keys."""
    for key in list(content if isinstance(content, dict) else range(len(content))):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places(content[key])


@st.composite
def structural_mutations(draw: Any) -> bytes:
    """Draw the file with values replaced, and keys removed, renamed, added or written twice."""
    content = deepcopy(CONTENT)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(content)) or [(content, "fusion")]))
        match draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "copy"])):
            case "replace":
                holder[key] = draw(VALUES)
            case "remove":
                holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)
            case "rename" if isinstance(holder, dict):
                holder[draw(KEYS)] = holder.pop(key, None)
            case "add" if isinstance(holder, dict):
                holder[draw(KEYS)] = draw(VALUES)
            case "copy" if key in content:
                content[draw(st.sampled_from(list(content)))] = content[key]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        text += draw(st.sampled_from(text.splitlines(keepends=True)))
    return text.encode("utf-8", "surrogatepass")


@st.composite
def raw_values(draw: Any) -> bytes:
    """Draw the file with one value in YAML's own words: tags, aliases, merges, odd numbers."""
    lines = TEXT.decode().splitlines(keepends=True)
    place = draw(st.sampled_from([row for row, line in enumerate(lines) if ": " in line]))
    key = lines[place].partition(": ")[0]
    raw = draw(
        st.sampled_from(RAW)
        | st.text("0123456789+-._eExobinfaINFA:~=<>!&*|[]{}, '\"#", max_size=12)
    )
    lines[place] = f"{key}: {raw}\n"
    return "".join(lines).encode()


RAW = [
    "!!bool x", "!!int ''", "!!float 1:30", "!!binary é", "!!set {a, b}", "!!omap [a: 1]", "! x",
    "!!python/name:os.system x", "*a", "&a 1", "&a [*a]", "{<<: {lr: 1}}", "{<<: 1}", "<<", "=",
    "0x" + "f" * 900, "9" * 900, "9" * 5000, "1e400", "-.inf", ".nan", "0o17", "1_0", "2026-13-45",
    '"\\0"', '"\\ud800"', '"\\e[31m"', "[[[[1]]]]", "{a: {b: {c: 1}}}", "{1: 2}", "{[a]: 1}",
    "{? {a: 1} : 1}", "|\n  x", "!!str 1", "!!null x", "!!seq {}", "!!map []",
    "2026-01-02 03:04:05",
]  # fmt: skip
FILES = st.one_of(byte_mutations(), structural_mutations(), raw_values())


@pytest.mark.parametrize(
    "examples", [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.thorough])]
)
def test_any_file_is_accepted_or_refused_in_one_line(examples: int, tally: Tally) -> None:
    with counting(tally, "files of params") as count:

        @settings(
            max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )  # fmt: skip
        @given(FILES)
        def each(content: bytes) -> None:
            count()
            check(content)

        each()


def test_the_file_that_is_changed_is_accepted() -> None:
    assert check(TEXT) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  late:\n    lr:", "  late:\n    lrr:", "unknown key 'override.late.lrr'; did you mean"),
        ("  late:\n    lr:", "  late:\n    1:", "unknown key 'override.late.1'; did you mean"),
        ("override:\n", "override:\n  1:\n", "override: key 1: must be a text"),
        ("  late:\n    lr:\n", f"  late: [{9000 * '1,'}]\n", "override.late = [1, 1, 1"),
        ("  classes: auto\n", f"  classes: ['{900 * '9'}', a]\n", "data.classes = ['999"),
        ("  progress: auto", "  progress: !!bool x", "line {line}: not valid YAML: 'x' is no bool"),
        ("  progress: auto", "  progress: !!int ''", "line {line}: not valid YAML: '' is no int"),
        ("  seed: 0", f"  seed: 0x{5000 * 'f'}", "line {line}: not valid YAML: a number of 5002"),
    ],
)  # fmt: skip
def test_what_the_fuzz_found_is_refused_with_its_key(old: str, new: str, said: str) -> None:
    before, found, _ = TEXT.decode().partition(old)
    assert found
    said = said.replace("{line}", str(1 + before.count("\n")))
    assert check(TEXT.decode().replace(old, new, 1).encode()).startswith(f"params.yaml: {said}")
