"""How any params file becomes checked values, shown on a small section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from fusebench.config import (
    AsTuple,
    Off,
    Section,
    Size,
    from_settings,
    load,
    load_keys,
    load_section,
    read,
)
from fusebench.errors import ParamsError, one_line


class Inner(Section):
    rate: float = Field(gt=0, le=10)
    steps: int = Field(ge=1)
    exact: bool
    mode: Literal["auto"] | Annotated[int, Field(ge=1)]


class Whole(Section):
    renamed: ClassVar[Mapping[str, str]] = {"title": "name"}

    name: str
    sizes: Size
    items: Annotated[tuple[int, ...], AsTuple]
    inner: Inner


TEXT = """\
name: some
sizes: [4, 8]
items:
- 1
- 2
inner:
  rate: 0.5
  steps: 3
  exact: true
  mode: auto
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT, "utf-8")
    return file


def refusal(path: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        load(path, Whole)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    return message


# --- What is read ---


def test_file_becomes_typed_values(path: Path) -> None:
    whole = load(path, Whole)
    assert whole.sizes == (4, 8)
    assert whole.items == (1, 2)
    assert whole.inner == Inner(rate=0.5, steps=3, exact=True, mode="auto")


def test_values_are_frozen(path: Path) -> None:
    whole = load(path, Whole)
    with pytest.raises(ValidationError, match="frozen"):
        whole.name = "other"


def test_one_section_is_read_without_a_look_at_the_others(path: Path) -> None:
    path.write_text(TEXT.replace("name: some", "name: 3"), "utf-8")
    assert load_section(path, "inner", Inner).steps == 3


def test_declared_keys_are_read_without_a_look_at_the_others(path: Path) -> None:
    class Named(Section):
        name: str

    path.write_text(TEXT.replace("steps: 3", "steps: x"), "utf-8")
    assert load_keys(path, Named).name == "some"
    path.write_text(TEXT.replace("name: some", "title: some"), "utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml: key 'name' is missing"):
        load_keys(path, Named)


@pytest.mark.parametrize("written", ["1e-05", "1E-5", "1.0e-05", ".1e-4", "0.00001"])
def test_number_that_yaml_1_1_takes_for_a_string_is_a_number(path: Path, written: str) -> None:
    path.write_text(TEXT.replace("0.5", written), "utf-8")
    rate = load(path, Whole).inner.rate
    assert type(rate) is float
    assert rate == 1e-05


# --- Wrong values ---


@pytest.mark.parametrize(
    ("old", "value", "message"),
    [
        ("0.5", "abc", "inner.rate = 'abc': must be a valid number"),
        ("0.5", "true", "inner.rate = True: must be a valid number"),
        ("0.5", "", "inner.rate = empty: must be a valid number"),
        ("0.5", "[0.5]", "inner.rate = [0.5]: must be a valid number"),
        ("0.5", "{a: 1}", "inner.rate = {'a': 1}: must be a valid number"),
        ("0.5", "0", "inner.rate = 0: must be greater than 0"),
        ("0.5", "11", "inner.rate = 11: must be less than or equal to 10"),
        ("0.5", ".nan", "inner.rate = nan: must be a finite number"),
        ("0.5", "1e400", "inner.rate = inf: must be a finite number"),
        ("0.5", "0x1f.8", "inner.rate = '0x1f.8': must be a valid number"),
        ("0.5", "'1e-05'", "inner.rate = '1e-05': must be a valid number"),
        ("0.5", "nan", "inner.rate = 'nan': must be a valid number"),
        ("0.5", "2026-11-22", "inner.rate = 2026-11-22: must be a valid number"),
        ("0.5", "'0,5'", "inner.rate = '0,5': must be a valid number"),
        ("0.5", '"a\\nb"', "inner.rate = 'a\\nb': must be a valid number"),
        ("3", "1.5", "inner.steps = 1.5: must be a valid integer"),
        ("3", "3.0", "inner.steps = 3.0: must be a valid integer"),
        ("3", "true", "inner.steps = True: must be a valid integer"),
        ("3", "'3'", "inner.steps = '3': must be a valid integer"),
        ("3", "0", "inner.steps = 0: must be greater than or equal to 1"),
        ("true", "1", "inner.exact = 1: must be a valid boolean"),
        ("true", "'true'", "inner.exact = 'true': must be a valid boolean"),
        ("auto", "many", "inner.mode = 'many': must be 'auto' or a valid integer"),
        ("auto", "0", "inner.mode = 0: must be 'auto' or greater than or equal to 1"),
        ("some", "3", "name = 3: must be a valid string"),
        ("[4, 8]", "4", "sizes = 4: must be a valid list"),
        ("[4, 8]", "[4]", "key 'sizes.1' is missing"),
        ("[4, 8]", "[4, 0]", "sizes.1 = 0: must be greater than or equal to 1"),
        ("[4, 8]", "[4, 5000]", "sizes.1 = 5000: must be less than or equal to 4096"),
        ("- 2", "- x", "items.1 = 'x': must be a valid integer"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    path: Path, old: str, value: str, message: str
) -> None:
    assert TEXT.count(old) == 1
    path.write_text(TEXT.replace(old, value), "utf-8")
    assert refusal(path).startswith(f"{path}: {message}")


def test_several_errors_are_counted(path: Path) -> None:
    path.write_text(TEXT.replace("0.5", "x").replace("steps: 3", "steps: x"), "utf-8")
    assert refusal(path).endswith("(and 1 more)")


# --- Wrong keys ---


@pytest.mark.parametrize(
    ("old", "new", "wrong", "meant"),
    [
        ("  rate:", "  rat:", "inner.rat", "inner.rate"),
        ("inner:", "iner:", "iner", "inner"),
        ("name:", "title:", "title", "name"),
    ],
    ids=["in a section", "section", "earlier name"],
)
def test_an_unknown_key_is_named_with_what_was_meant(
    path: Path, old: str, new: str, wrong: str, meant: str
) -> None:
    path.write_text(TEXT.replace(old, new), "utf-8")
    assert f": unknown key '{wrong}'; did you mean '{meant}'?" in refusal(path)


@pytest.mark.parametrize("key", ["name", "sizes", "items", "inner", "inner.mode"])
def test_a_missing_key_is_named(path: Path, key: str) -> None:
    content: dict[str, Any] = read(path)
    *groups, last = key.split(".")
    section = content
    for group in groups:
        section = section[group]
    del section[last]
    path.write_text(repr(content), "utf-8")
    assert refusal(path) == f"{path}: key '{key}' is missing"


def test_missing_section_is_named(path: Path) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: key 'train' is missing"):
        load_section(path, "train", Inner)


@pytest.mark.parametrize("content", ["", "3", "[1]"])
def test_section_that_is_no_mapping_is_named(path: Path, content: str) -> None:
    path.write_text(f"inner: {content}\n", "utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml: inner = .*: must be a valid mapping"):
        load_section(path, "inner", Inner)


@pytest.mark.parametrize("key", ["1", "on", "null", "2.5", "2026-11-22"])
def test_key_that_is_no_word_is_an_unknown_key(path: Path, key: str) -> None:
    path.write_text(f"{TEXT}{key}: 1\n", "utf-8")
    assert "unknown key" in refusal(path)


@pytest.mark.parametrize("key", ['"a\\nb"', '"a\\rb"', '"a\\u2028b"'])
def test_key_with_a_line_end_makes_no_second_line(path: Path, key: str) -> None:
    path.write_text(f"{TEXT}{key}: 1\n", "utf-8")
    refusal(path)


# --- Wrong files ---


@pytest.mark.parametrize(
    ("extra", "parts"),
    [
        ("name: other\n", ["line 11", "'name'", "twice"]),
        ("broken: [1,\n", ["line 12", "YAML"]),
        ("\tname: 1\n", ["line 11", "YAML"]),
        ("a: b: c\n", ["line 11", "YAML"]),
        ("a: *unknown\n", ["line 11", "unknown"]),
        ("a: !!python/name:os.system x\n", ["line 11", "os.system"]),
        ("a: @x\n", ["line 11", "YAML"]),
    ],
)
def test_broken_yaml_is_told_with_its_line(path: Path, extra: str, parts: list[str]) -> None:
    path.write_text(TEXT + extra, "utf-8")
    message = refusal(path)
    assert not [part for part in parts if part not in message]


@pytest.mark.parametrize(
    "extra",
    [
        "? [a, b]\n: 1\n",
        "{a: 1}: 1\n",
        "date: 2026-13-45\n",
        "number: !!int abc\n",
        "number: 0b_\n",
        "bytes: !!binary é\n",
        "deep: " + 1000 * "[" + "\n",
        "control: \x07\n",
    ],
    ids=["list as key", "mapping as key", "no date", "no int", "no bits", "no base64", "deep",
         "control character"],
)  # fmt: skip
def test_what_yaml_cannot_make_a_value_of_is_one_line(path: Path, extra: str) -> None:
    path.write_text(TEXT + extra, "utf-8")
    refusal(path)


@pytest.mark.parametrize("content", ["", "# nothing\n", "null\n", "- a\n- b\n", "word\n", "3\n"])
def test_file_must_be_a_mapping(path: Path, content: str) -> None:
    path.write_text(content, "utf-8")
    assert "must be a mapping" in refusal(path)


def test_file_that_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"name: \xff\xfe\n")
    refusal(path)


def test_missing_file_tells_where_to_run(tmp_path: Path) -> None:
    assert "root of the project" in refusal(tmp_path / "params.yaml")


def test_a_missing_file_of_sensors_is_to_be_written_or_another_named(tmp_path: Path) -> None:
    message = refusal(tmp_path / "sensors.yaml")
    assert message.endswith("no such file; write it, or name another in params.yaml")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"^a\\x00b: embedded null byte; write it, or name"):
        read(Path("a\0b"))
    with pytest.raises(ParamsError) as caught:
        read(tmp_path / "a\nb")
    assert str(caught.value).isprintable()


BOMB = "".join(
    f"{name}: &{name} [{','.join(10 * [f'*{before}' if before else 'x'])}]\n"
    for before, name in zip(["", *"abcd"], "abcde", strict=True)
)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (f"more: {10_000 * 'x'}\n", "unknown key 'more'"),
        (f"? {10_000 * 'x'}\n: 1\n", "unknown key 'xxx"),
        (BOMB, "unknown key 'a'"),
        (BOMB + "more: [*e, *e, *e, *e, *e]\n", "more than 1,000,000 characters, with aliases"),
        (f"more: {100 * '['}\n", "more than 50 lists and mappings"),
        (f"more: !{10_000 * 'x'} 1\n", "could not determine a constructor for the tag"),
        (f"more: 1\n? '{10_000 * 'x'}'\n: 1\n? '{10_000 * 'x'}'\n: 2\n", "key 'xxx"),
    ],
)
def test_an_error_is_short_however_long_the_file(path: Path, extra: str, words: str) -> None:
    path.write_text(TEXT + extra, "utf-8")
    message = refusal(path)
    assert words in message
    assert len(message) < len(str(path)) + 450


@pytest.mark.parametrize(
    "value", [f"'{10_000 * 'x'}'", f"[{10_000 * '1,'}]", '"' + 2000 * "\\0" + '"']
)
def test_a_long_value_is_cut_and_what_is_allowed_is_said(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("0.5", value), "utf-8")
    message = refusal(path).removeprefix(f"{path}: ")
    assert message.startswith(f"inner.rate = {value[:1]}".replace('"', "'"))
    assert "…" in message
    assert message.endswith(": must be a valid number")
    assert len(message) < 200


@given(st.text() | st.text("\0\n\u2028😀", min_size=300), st.integers(10, 400))
def test_a_text_becomes_one_line_of_bound_length(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    if text.isprintable() and len(text) <= limit:
        assert line == text


def test_a_merge_is_read(path: Path) -> None:
    path.write_text(TEXT.replace("  rate: 0.5\n", "  <<: {rate: 0.25, steps: 9}\n"), "utf-8")
    inner = load(path, Whole).inner
    assert (inner.rate, inner.steps) == (0.25, 3)


def test_words_of_yaml_1_1_are_words(path: Path) -> None:
    path.write_text(TEXT.replace("name: some", "name: off"), "utf-8")
    assert load(path, Whole).name == "off"


def test_byte_order_mark_is_no_error(path: Path) -> None:
    path.write_text(TEXT, "utf-8-sig")
    assert load(path, Whole).name == "some"


# --- Settings that a stage writes for later ones ---


class Older(Section):
    rate: float
    sizes: Size


class Newer(Older):
    decay: Annotated[float, Off(0.0)] = Field(ge=0)
    mode: Annotated[Literal["none", "cosine"], Off("none")]
    share: float


VALUES = {"rate": 0.5, "sizes": [4, 8], "decay": 0.0, "mode": "none", "share": 0.0}


def test_settings_leave_out_features_that_are_off_and_nothing_else() -> None:
    """A value that says something else stays, though another key's Off has the same value."""
    assert Newer.model_validate(VALUES).settings() == {"rate": 0.5, "sizes": (4, 8), "share": 0.0}
    on = Newer.model_validate({**VALUES, "decay": 0.1, "mode": "cosine"})
    assert on.settings() == {**VALUES, "sizes": (4, 8), "decay": 0.1, "mode": "cosine"}


def test_a_feature_that_is_new_and_off_leaves_older_settings_as_they_were() -> None:
    old = Older.model_validate({"rate": 0.5, "sizes": [4, 8]}).settings()
    new = Newer.model_validate({**VALUES, "share": 0.5}).settings()
    del new["share"]
    assert new == old
    assert from_settings(Newer, {**old, "share": 0.5}, "x").mode == "none"


@pytest.mark.parametrize("changes", [{}, {"decay": 0.1}, {"mode": "cosine", "decay": 1}])
def test_settings_come_back(changes: dict[str, Any]) -> None:
    section = Newer.model_validate({**VALUES, **changes})
    assert from_settings(Newer, section.settings(), "x") == section


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rate": 0.5, "sizes": [4, 8]}, "here: key 'share' is missing"),
        ({"rate": "x", "sizes": [4, 8], "share": 0.0}, "here: rate = 'x': must be a valid number"),
        ({"decay": -1.0, "rate": 1, "sizes": [4, 8], "share": 0.0}, "here: decay = -1.0: must be"),
        ({"rates": 0.5, **VALUES}, "here: unknown key 'rates'; did you mean 'rate'?"),
        (None, "here: empty: must be a valid mapping"),
        ([], "here: []: must be a valid mapping"),
    ],
)
def test_wrong_settings_are_one_line_that_begins_with_their_source(
    content: object, message: str
) -> None:
    with pytest.raises(ParamsError) as caught:
        from_settings(Newer, content, "here")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
