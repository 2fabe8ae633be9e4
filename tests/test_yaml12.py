"""YAML is read as DVC reads it: equal values of equal types, or both refuse."""

import io
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.project import Project

from fusebench import yaml12
from fusebench.config import load
from fusebench.params import Params
from fusebench.yaml12 import MAX_CHARACTERS, MAX_DEPTH, NotYamlError

# What DVC's parser raises: its own errors, and those that DVC itself does not expect.
REFUSED = Exception
WORDS = """
~ null Null NULL nULL true True TRUE tRUE false yes Yes no No NO on off Off y n Y N
0 -0 +1 010 0o17 0O17 -0o17 08 0b1 0b_ 0b 0x1F 0x 0xg 1_000 _1 1_ +_ - + _ -_ 1:30 1:30:20.5 -1:30
1. 1.0 .5 +.5 -.5 . ._ ._1 .5e3 .5e+3 1e5 1E5 1e-5 1e-05 1.e5 1e+5 1e 1e+ e5 1_0e5 1.5_ 1e400 -1e400
.inf -.inf +.inf .Inf .INF .iNF .nan .NaN .NAN -.nan inf nan 1.2.3 1-2 0.1.0 1,5 12e03 0_x
2026-01-02 2026-1-2 2026-13-45 2026-01-02T03:04:05 2026-01-02T03:04:05.1234567Z = << <<< => !
2026-01-02t3:04:05+01:30 0001-01-01 99999-01-01 a a:b a#b http://x -a ?a :a @a %a `a ,a /a =a é ü 😀
"""
SCALARS = [
    *WORDS.split(), "", "2026-01-02 03:04:05", "2026-01-02 03:04:05.5 -3", "a b", "a: b", "1 # c",
    "\u2028",
]  # fmt: skip
LETTERS = "0123456789+-._eExobXOBfFnNaAiIlLuUtTrRsSyYZ:~=< "
SCALAR = st.sampled_from(SCALARS) | st.text(LETTERS, max_size=7) | st.from_regex(
    r"[-+]?[0-9_]{0,3}\.?[0-9_]{0,3}([eE][-+]?[0-9]{0,2})?", fullmatch=True
) | st.from_regex(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,8})? ?(Z|[-+]1)?)?",
    fullmatch=True,
)  # fmt: skip


def by_dvc(text: str) -> Any:
    """Return what dvc.utils.serialize.parse_yaml makes of a text, but for its `or {}`."""
    return YAML(typ="safe").load(text)


def typed(value: Any) -> Any:
    """Return a value beside its type, so that 1, 1.0 and True differ and NaN is itself."""
    if isinstance(value, Mapping):
        return [(typed(key), typed(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(inner) for inner in value]
    if isinstance(value, datetime):
        return datetime, value.isoformat()
    return type(value), repr(value)


def outcome(read: Any, text: str) -> Any:
    try:
        return typed(read(text))
    except REFUSED:
        return "refused"


# Where DVC takes a document that this refuses: why, and what stands in it then.
STRICTER = {
    "is written twice": "<<",  # beside a merge DVC takes the last of two equal keys
    "without a name": "!",
    "did not find expected": r"(^|[\s\[{])[:?]",  # libyaml's grammar of `:a`
}


def assert_as_dvc(text: str) -> None:
    ours, dvcs = outcome(yaml12.load, text), outcome(by_dvc, text)
    if ours == dvcs:
        return
    assert ours == "refused", f"{text!r}: {ours}, {dvcs}"
    with pytest.raises(NotYamlError) as caught:
        yaml12.load(text)
    known = [sign for reason, sign in STRICTER.items() if reason in str(caught.value)]
    assert known, f"{text!r}: {caught.value}"
    assert re.search(known[0], text, re.MULTILINE), text


# --- As DVC reads ---


@pytest.mark.parametrize("form", ["{}", "a: {}", "- {}", "[{}, b]", "{{a: {}}}", "{}: a", "'{}'"])
def test_known_scalars_are_read_as_dvc_reads_them(form: str) -> None:
    for scalar in SCALARS:
        assert_as_dvc(form.format(scalar))


@settings(max_examples=400, deadline=None)
@given(SCALAR, st.sampled_from(["a: {}", "- {}", "{}: a", "!!str {}", "!!float {}", "!!int {}"]))
def test_scalars_are_read_as_dvc_reads_them(scalar: str, form: str) -> None:
    text = form.format(scalar)
    assert_as_dvc(text)


@settings(max_examples=150, deadline=None)
@given(SCALAR)
def test_what_dvc_writes_of_a_value_is_read_as_that_value(scalar: str) -> None:
    """`-S key=value` reads the text as YAML and writes the file; so does a quoted text in it."""
    for text in (f"# before\nkey: {scalar} # after\n", f'key: "{scalar}"\n', f"key: '{scalar}'\n"):
        try:
            content = YAML().load(text)
            value = by_dvc(text)
        except REFUSED:
            continue
        # A number or word is set anew, as -S does; what stands in the file stays beside it.
        content["other"] = value["key"]
        stream = io.StringIO()
        try:
            YAML().dump(content, stream)
        except ValueError:
            # Its writer fails on a few numbers that its reader takes: "-0E0".
            continue
        assert outcome(yaml12.load, stream.getvalue()) == outcome(by_dvc, stream.getvalue())
        assert typed(yaml12.load(stream.getvalue())["other"]) == typed(value["key"])


KEYS = st.sampled_from(
    ["a", "b", "c", "no", "1", "1.0", "~", "'a'", "a b", "0x1", "<<", "2026-01-02"]
)


@st.composite
def documents(draw: Any, depth: int = 0, anchors: Any = None) -> str:
    """Draw a document: nested, block and flow, quoted, with anchors, comments, several lines."""
    # Names of anchors that are complete, and the number of all.
    anchors = [0] if anchors is None else anchors
    pad = "  " * depth
    kind = draw(st.sampled_from(["map", "map", "list", "text", "alias", "leaf", "leaf"]))
    if kind == "alias" and len(anchors) > 1:
        return f" *{draw(st.sampled_from(anchors[1:]))}\n"
    mark = ""
    if draw(st.integers(0, 3)) == 0:
        mark = f"&x{anchors[0]} "
        anchors[0] += 1
    if kind in ("map", "list") and depth < 3:
        body = "\n" + "".join(
            f"{draw(st.sampled_from(['', f'{pad}# said', '']))}\n{pad}"
            f"{'-' if kind == 'list' else draw(KEYS) + ':'}{draw(documents(depth + 1, anchors))}"
            for _ in range(draw(st.integers(1, 3)))
        )
    elif kind == "text":
        body = draw(blocks(f"{pad}  "))
    else:
        body = f"{draw(leaves(pad))}{draw(st.sampled_from(['', ' # c']))}\n"
    if mark:
        anchors.append(mark[1:-1])
    return f" {mark}{body}"


@st.composite
def leaves(draw: Any, pad: str) -> str:
    """Draw a plain, quoted or flow value, perhaps over two lines."""
    plain = st.sampled_from(SCALARS)
    word = st.sampled_from(["a", "no", "1", "", "1e-5", "x y", "é", "\\t", "#"])
    return str(draw(st.one_of(
        plain,
        word.map(lambda text: f'"{text}\n{pad} {text}\\n"'),
        word.map(lambda text: f"'{text}\n\n{pad} it''s {text}'"),
        st.lists(plain, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(KEYS, plain), max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
        ),
    )))  # fmt: skip


@st.composite
def blocks(draw: Any, pad: str) -> str:
    """Draw a literal or folded text."""
    lines = draw(st.lists(st.sampled_from(["a", " b", "", "# c", "no"]), min_size=1, max_size=4))
    head = draw(st.sampled_from(["|", ">", "|-", ">-", "|+", ">+"]))
    return f"{head}\n" + "".join(f"{pad}{line}\n" for line in ["x", *lines])


@settings(max_examples=400, deadline=None)
@given(documents())
def test_documents_are_read_as_dvc_reads_them(text: str) -> None:
    assert_as_dvc(text)


def test_a_merge_gives_the_keys_that_dvc_gives() -> None:
    for text in (
        "{a: &a {x: 1, y: 2}, b: {<<: *a, y: 3}}",
        "{a: &a {x: 1}, b: &b {x: 2, y: 2}, c: {z: 0, <<: [*a, *b]}}",
        "{a: &a {x: 1}, b: &b {<<: *a, y: 2}, c: {<<: *b}, d: {<<: *b, x: 3}}",
        "{<<: {<<: {a: 1}, a: 2}, b: 3}",
    ):
        assert typed(yaml12.load(text)) == typed(by_dvc(text))
    for text in ("{<<: 1}", "{<<: [1]}", "[<<]", "{a: <<}"):
        assert outcome(yaml12.load, text) == outcome(by_dvc, text) == "refused"


# --- What is refused ---

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(10 * [f'*{before}'])}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join(10 * [f'*{before}'])}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (BOMB, 6, f"more than {MAX_CHARACTERS:,} characters, with aliases written out"),
        (MERGES, 7, f"more than {MAX_CHARACTERS:,} characters, with aliases written out"),
        (f"- &a {'x' * 10_000}\n" + 101 * "- *a\n", 100, f"more than {MAX_CHARACTERS:,}"),
        ((MAX_DEPTH + 1) * "[", 1, f"more than {MAX_DEPTH} lists and mappings in each other"),
        (100_000 * "[", 1, f"more than {MAX_DEPTH} lists and mappings in each other"),
        (100_000 * "- ", 1, f"more than {MAX_DEPTH} lists and mappings in each other"),
        ("a: &a\n- *a\n", 2, "alias 'a' stands inside of what it repeats"),
        ("a: 1\nb: *x\n", 2, "alias 'x' repeats nothing that stands before it"),
        ("a: &x 1\nb: &x 2\n", 2, "anchor 'x' is given twice"),
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' is written twice"),
        ("0x10: 1\n16: 2\n", 2, "key '16' is written twice"),
        ("b: &b {a: 1}\nc:\n  <<: *b\n  a: 1\n  a: 2\n", 5, "key 'a' is written twice"),
        ("c:\n  <<: {a: 1}\n  <<: {b: 1}\n", 3, "key '<<' is written twice"),
        ("%YAML 1.1\n---\na: off\n", 1, "another version of YAML than 1.2; leave '%YAML' out"),
        ("a: !!omap [b: 1]\n", 1, "could not determine a constructor for the tag"),
        ("a: ! b\n", 1, "a tag '!' without a name"),
        ("a:\n  !!bool x\n", 2, "'x' is no bool"),
        ("a: !!int ''\n", 1, "'' is no int"),
        ("a: !!map x\n", 1, "is a scalar, no mapping"),
        ("a: 2026-13-45\n", 1, "'2026-13-45' is no timestamp"),
        (f"a: 0x{1001 * 'f'}\n", 1, "a number of 1003 digits; at most 1000"),
        ("? {a: 1}\n: 2\n", 1, "a mapping is no key"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(NotYamlError) as caught:
        yaml12.load(text)
    assert caught.value.line == line
    assert str(caught.value).startswith(reason)
    assert len(str(caught.value)) < 100


def test_as_many_lists_as_allowed_are_read() -> None:
    assert yaml12.load(MAX_DEPTH * "[" + MAX_DEPTH * "]") is not None
    assert len(yaml12.load(f"- &a {'x' * 10_000}\n" + 90 * "- *a\n")) == 91


# --- Through DVC ---


@pytest.mark.slow
def test_what_dvc_writes_into_the_params_is_allowed(clean: Project) -> None:
    """DVC writes words and small numbers without quotes; the check of stage check reads them."""
    values = {"runtime.progress": "off", "train.lr": "1e-5", "data.positive": "no"}
    sets = [word for key, value in values.items() for word in ("-S", f"{key}={value}")]
    # Of an archive of one's own: the demonstration has its own classes.
    own = ("-S", "data.archive=data/mine.zip", "-S", "data.classes=[no,yes]")
    clean.dvc("exp", "run", *own, *sets, "check")
    written = (clean.root / "params.yaml").read_text("utf-8")
    assert "progress: off\n" in written
    assert yaml.safe_load(written)["runtime"]["progress"] is False, "by YAML 1.1"
    params = load(clean.root / "params.yaml", Params)
    assert (params.runtime.progress, params.train.lr) == ("off", 1e-05)
    assert (params.data.classes, params.data.positive) == (("no", "yes"), "no")
