"""How any params file becomes checked values, shown on a small section."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from fusebench.config import AsTuple, Real, Section, Size, load, load_keys, load_section, read
from fusebench.errors import ParamsError


class Inner(Section):
    rate: Real = Field(gt=0, le=10, description="a number above 0, at most 10")
    steps: int = Field(ge=1, description="an integer of 1 or more")
    exact: bool = Field(description="true or false")
    mode: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(description="'auto' or 1 or more")


class Whole(Section):
    name: str = Field(description="a word")
    sizes: Size = Field(description="[height, width]")
    items: Annotated[tuple[int, ...], AsTuple] = Field(description="a list of integers")
    inner: Inner = Field(description="a mapping")


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


def refusal(path: Path, kind: type[Section] = Whole) -> str:
    with pytest.raises(ParamsError) as caught:
        load(path, kind)
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
        name: str = Field(description="a word")

    path.write_text(TEXT.replace("steps: 3", "steps: x"), "utf-8")
    assert load_keys(path, Named).name == "some"
    path.write_text(TEXT.replace("name: some", "title: some"), "utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml: key 'name' is missing"):
        load_keys(path, Named)


@pytest.mark.parametrize("written", ["1e-05", "'1e-05'", "1E-5", "1.0e-05", ".1e-4", "0.00001"])
def test_number_that_yaml_takes_for_a_string_is_a_number(path: Path, written: str) -> None:
    path.write_text(TEXT.replace("0.5", written), "utf-8")
    rate = load(path, Whole).inner.rate
    assert type(rate) is float
    assert rate == 1e-05


def test_whole_number_is_a_number(path: Path) -> None:
    path.write_text(TEXT.replace("0.5", "2"), "utf-8")
    assert load(path, Whole).inner.rate == 2


# --- Wrong values ---


@pytest.mark.parametrize(
    "value",
    ["abc", "true", "", "[0.5]", "{a: 1}", "0", "-1", "11", ".nan", ".inf", "1e400", "1e", "1 2",
     "0x1f.8", "nan", "2026-11-22", "'0,5'", '"a\\nb"'],
)  # fmt: skip
def test_wrong_number_is_named_with_what_is_allowed(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("0.5", value), "utf-8")
    message = refusal(path)
    assert "inner.rate = " in message
    assert message.endswith("must be a number above 0, at most 10")


@pytest.mark.parametrize("value", ["1.5", "3.0", "true", "'3'", "1e2", "0", "null"])
def test_wrong_integer_is_named(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("steps: 3", f"steps: {value}"), "utf-8")
    assert "inner.steps = " in refusal(path)


@pytest.mark.parametrize("value", ["1", "0", "'true'", "null"])
def test_only_true_and_false_are_truth_values(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("exact: true", f"exact: {value}"), "utf-8")
    assert "inner.exact = " in refusal(path)


@pytest.mark.parametrize("value", ["many", "0", "1.5", "true"])
def test_key_with_two_kinds_of_values_is_named_as_it_is_written(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("mode: auto", f"mode: {value}"), "utf-8")
    message = refusal(path)
    assert ": inner.mode = " in message
    assert message.endswith("must be 'auto' or 1 or more")


@pytest.mark.parametrize("value", ["4", "[4]", "[4, 8, 2]", "[4, 0]", "[4, 5000]", "[4, a]"])
def test_wrong_size_is_named(path: Path, value: str) -> None:
    path.write_text(TEXT.replace("[4, 8]", value), "utf-8")
    message = refusal(path)
    assert "sizes" in message
    assert "[height, width]" in message


def test_wrong_item_of_a_list_is_named_by_its_place(path: Path) -> None:
    path.write_text(TEXT.replace("- 2", "- x"), "utf-8")
    assert "items.1 = 'x'" in refusal(path)


def test_several_errors_are_counted(path: Path) -> None:
    path.write_text(TEXT.replace("0.5", "x").replace("steps: 3", "steps: x"), "utf-8")
    assert refusal(path).endswith("(and 1 more)")


# --- Wrong keys ---


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("  rate:", "  rat:", ["'inner.rat'", "'inner.rate'"]),
        ("name:", "nam:", ["'nam'", "'name'"]),
        ("inner:", "iner:", ["'iner'", "'inner'"]),
    ],
)
def test_unknown_key_is_named_with_the_nearest(
    path: Path, old: str, new: str, parts: list[str]
) -> None:
    path.write_text(TEXT.replace(old, new), "utf-8")
    message = refusal(path)
    assert "unknown key" in message
    assert not [part for part in parts if part not in message]


@pytest.mark.parametrize("key", ["name", "sizes", "items", "inner.rate", "inner.mode"])
def test_missing_key_is_named_with_what_is_allowed(path: Path, key: str) -> None:
    content: dict[str, Any] = read(path)
    *groups, last = key.split(".")
    held = content
    for group in groups:
        held = held[group]
    del held[last]
    path.write_text(repr(content), "utf-8")
    assert f"key '{key}' is missing; must be " in refusal(path)


def test_missing_section_is_named(path: Path) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: key 'train' is missing"):
        load_section(path, "train", Inner)


@pytest.mark.parametrize("content", ["", "3", "[1]", "null"])
def test_section_that_is_no_mapping_is_named(path: Path, content: str) -> None:
    path.write_text(f"inner: {content}\n", "utf-8")
    with pytest.raises(ParamsError) as caught:
        load_section(path, "inner", Inner)
    message = str(caught.value)
    assert "inner = " in message
    assert "mapping" in message
    assert "Input" not in message, "the message of a library that the user never saw"


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


def test_key_written_twice_inside_a_section_is_told_with_its_line(path: Path) -> None:
    path.write_text(TEXT.replace("  steps: 3\n", "  steps: 3\n  rate: 1\n"), "utf-8")
    message = refusal(path)
    assert "line 9" in message
    assert "'rate'" in message


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


def test_byte_order_mark_is_no_error(path: Path) -> None:
    path.write_text(TEXT, "utf-8-sig")
    assert load(path, Whole).name == "some"
