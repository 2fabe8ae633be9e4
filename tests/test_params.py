"""The params.yaml of this project: that it is valid and explained, and what it refuses."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusebench.config import load
from fusebench.errors import ParamsError
from fusebench.models import registry
from fusebench.params import Params

NUMBERS = {
    "data.max_range": (0, -1),
    "data.focal_length": (0, -73.3),
    "split.train": (0, 1, -0.1, 8),
    "split.val": (0, 1, 1.5),
    "split.test": (0, 1, 20),
    "train.lr": (0, -0.1, 10.1),
    "train.weight_decay": (-0.1, 1.1),
    "override.late.lr": (0, 11),
}
INTEGERS = {
    "data.quarter_turns": (-1, 4),
    "synthesize.counts.cubes": (0, 10_000),
    "synthesize.counts.spheres": (0, 10_000),
    "synthesize.seed": (-1,),
    "split.seed": (-1,),
    "train.epochs": (0, -1),
    "train.batch_size": (0,),
    "runtime.threads": (0, 1025),
}
WORDS = (
    "data.on_bad_sample",
    "split.group",
    "split.draws",
    "lidar.projection",
    "lidar.align",
    "train.schedule",
    "train.class_weights",
    "train.pooling",
    "train.precision",
    "compare.primary",
    "runtime.device",
    "runtime.progress",
)
# Keys that stand below a neighbour whose comment speaks of all of them.
TOGETHER = {"split.val", "split.test"}
SECTIONS = ("data", "synthesize", "split", "lidar", "train", "override", "compare", "runtime")


@pytest.fixture
def content(params_text: str) -> dict[str, Any]:
    held: dict[str, Any] = yaml.safe_load(params_text)
    return held


def set_key(content: dict[str, Any], key: str, value: object) -> None:
    *groups, last = key.split(".")
    for group in groups:
        content = content[group]
    content[last] = value


def loaded(content: dict[str, Any], folder: Path) -> Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
    return load(path, Params)


def refusal(content: dict[str, Any], folder: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        loaded(content, folder)
    message = str(caught.value)
    assert message.startswith(str(folder / "params.yaml"))
    assert len(message.splitlines()) == 1
    return message


def leaves(content: Any, *keys: str) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, *keys, key)
        else:
            yield ".".join((*keys, key))


# --- The file itself ---


def test_file_of_the_repository_is_valid(content: dict[str, Any], tmp_path: Path) -> None:
    params = loaded(content, tmp_path)
    assert params.fusion in params.strategies
    assert set(params.strategies) <= set(registry.names())


def test_every_key_is_explained(params_text: str, content: dict[str, Any]) -> None:
    explained: set[str] = set()
    groups: list[tuple[int, str]] = []
    comment = False
    for line in params_text.splitlines():
        found = re.match(r"( *)([\w-]+):", line)
        if found:
            indent, key = len(found[1]), found[2]
            groups = [(width, name) for width, name in groups if width < indent]
            above = ".".join(name for _, name in groups)
            here = f"{above}.{key}" if above else key
            # A group that is explained explains what is in it, down to the next comment.
            if comment or above in explained:
                explained.add(here)
            groups.append((indent, key))
        comment = line.strip().startswith("#")
    assert set(leaves(content)) - explained == TOGETHER


def test_every_key_of_train_can_be_overridden_but_seeds(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["override"]["add"] = {key: v for key, v in content["train"].items() if key != "seeds"}
    override = loaded(content, tmp_path).override["add"]
    assert override is not None
    assert override.changes() == content["override"]["add"]


def test_lists_are_in_block_style_as_dvc_writes_them(params_text: str) -> None:
    lines = [line for line in params_text.splitlines() if not line.strip().startswith("#")]
    assert not [line for line in lines if "[" in line or "{" in line]


# --- Values ---


@pytest.mark.parametrize("key", [*NUMBERS, *INTEGERS])
@pytest.mark.parametrize("value", ["abc", True, [1], {"a": 1}, float("nan"), float("inf")])
def test_value_of_a_wrong_type_is_named(
    key: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    message = refusal(content, tmp_path)
    assert f": {key} = " in message
    assert "must be" in message


CASES = [(key, value) for key, values in (NUMBERS | INTEGERS).items() for value in values]


@pytest.mark.parametrize(("key", "value"), CASES)
def test_value_out_of_range_is_named(
    key: str, value: float, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    message = refusal(content, tmp_path)
    assert f": {key} = {value}: must be " in message.replace(".0:", ":")


@pytest.mark.parametrize("key", INTEGERS)
def test_fraction_is_no_integer(key: str, content: dict[str, Any], tmp_path: Path) -> None:
    set_key(content, key, 1.5)
    assert f": {key} = 1.5: must be " in refusal(content, tmp_path)


@pytest.mark.parametrize("key", NUMBERS)
def test_number_that_yaml_takes_for_a_string_is_taken(
    key: str, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, "1e-05")
    found: Any = loaded(content, tmp_path).model_dump()
    for group in key.split("."):
        found = found[group]
    assert found == 1e-05


@pytest.mark.parametrize("key", WORDS)
@pytest.mark.parametrize("value", ["nothing", "", 7, None, "none\nof these"])
def test_unknown_word_is_named_with_the_allowed_ones(
    key: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    message = refusal(content, tmp_path)
    assert f": {key} = {value!r}: must be " in message
    assert "'" in message.partition("must be")[2]


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "cuda:-1", "cuda:07"])
def test_wrong_device_is_named(device: str, content: dict[str, Any], tmp_path: Path) -> None:
    set_key(content, "runtime.device", device)
    assert f"runtime.device = '{device}': must be 'auto', 'cpu'" in refusal(content, tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("data.positive", "cones", ["positive", "cones", "cubes", "spheres"]),
        ("data.classes", ["cubes"], ["data.classes", "cubes", "two or more"]),
        ("data.classes", "cubes", ["data.classes", "cubes"]),
        ("data.classes", ["cubes", "cubes"], ["classes", "different"]),
        ("data.classes", ["cubes", 7], ["data.classes.1", "7"]),
        ("data.classes", ["spheres", "a/b"], ["classes", "a/b"]),
        ("data.image_size", [15, 64], ["image_size", "15", "16"]),
        ("data.image_size", [64], ["data.image_size"]),
        ("data.image_size", 64, ["data.image_size", "64"]),
        ("data.lidar_size", [0, 64], ["data.lidar_size.0", "0", "1 to 4096"]),
        ("data.archive", "", ["data.archive", "zip"]),
        ("data.archive", None, ["data.archive", "None"]),
        ("split.train", 0.9, ["split", "1.12", "at most 1"]),
        ("lidar.normalize", "yes", ["lidar.normalize", "'yes'", "true or false"]),
        ("lidar.normalize", 1, ["lidar.normalize", "1", "true or false"]),
        ("train.seeds", [], ["train.seeds", "one or more"]),
        ("train.seeds", 3, ["train.seeds", "3"]),
        ("train.seeds", [0, -1], ["train.seeds.1", "-1"]),
        ("train.seeds", [0, True], ["train.seeds.1", "True"]),
        ("train.seeds", [0, 4, 0], ["train.seeds", "[0, 4, 0]", "once"]),
        ("strategies", [], ["strategies"]),
        ("strategies", "late", ["strategies", "'late'", "list"]),
        ("strategies", ["concat", "concat"], ["strategies", "once"]),
        ("strategies", ["concat", 3], ["strategies.1", "3"]),
        ("override", None, ["override", "mapping"]),
        ("override.late", 3, ["override.late", "3"]),
    ],
)
def test_values_that_do_not_fit_are_named(
    key: str, value: object, parts: list[str], content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    message = refusal(content, tmp_path)
    assert not [part for part in parts if part not in message]


def test_shares_that_sum_to_exactly_one_are_allowed(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["split"] |= {"train": 0.7, "val": 0.1, "test": 0.2}  # 0.1 + 0.2 + 0.7 > 1 in binary.
    assert loaded(content, tmp_path).split.train == 0.7


def test_more_than_two_classes_are_allowed(content: dict[str, Any], tmp_path: Path) -> None:
    content["data"] |= {"classes": ["a", "b c", "ü"], "positive": "ü"}
    assert loaded(content, tmp_path).data.classes == ("a", "b c", "ü")


# --- Keys ---


@pytest.mark.parametrize("section", [None, *SECTIONS, "synthesize.counts"])
def test_unknown_key_is_named_with_the_nearest(
    section: str | None, content: dict[str, Any], tmp_path: Path
) -> None:
    held: Any = content
    for group in section.split(".") if section else ():
        held = held[group]
    known = next(iter(held))
    prefix = f"{section}." if section else ""
    held[f"{known}x"] = held.pop(known)
    message = refusal(content, tmp_path)
    if section == "override":
        assert "'latex'" in message
        assert "'late'" in message
    else:
        assert f"unknown key '{prefix}{known}x'; did you mean '{prefix}{known}'?" in message


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_section_must_be_a_mapping(
    section: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    content[section] = value
    message = refusal(content, tmp_path)
    assert f": {section} = {value}: must be a mapping" in message


def all_keys() -> list[str]:
    text = (Path(__file__).parents[1] / "params.yaml").read_text("utf-8")
    return [key for key in leaves(yaml.safe_load(text)) if not key.startswith("override")]


@pytest.mark.parametrize("key", [*all_keys(), *SECTIONS])
def test_missing_key_is_named(key: str, content: dict[str, Any], tmp_path: Path) -> None:
    held = content
    *groups, last = key.split(".")
    for group in groups:
        held = held[group]
    del held[last]
    assert f"key '{key}' is missing; must be " in refusal(content, tmp_path)


# --- Fusions ---


def test_fusion_outside_strategies_is_told_with_strategies(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content |= {"fusion": "late", "strategies": ["add", "concat"]}
    message = refusal(content, tmp_path)
    assert "fusion = 'late'" in message
    assert "strategies" in message
    assert "add, concat" in message


@pytest.mark.parametrize("wrong", ["hadamrd", "Hadamard", "hadamard2"])
def test_unknown_strategy_is_named_with_the_nearest(
    wrong: str, content: dict[str, Any], tmp_path: Path
) -> None:
    content["strategies"] = ["late", "concat", wrong]
    message = refusal(content, tmp_path)
    assert "strategies" in message
    assert f"'{wrong}'" in message
    assert "did you mean 'hadamard'" in message
    assert all(name in message for name in registry.names())


@pytest.mark.parametrize("key", ["fusion", "strategies", "data.positive", "override"])
def test_name_with_a_line_end_makes_no_second_line(
    key: str, content: dict[str, Any], tmp_path: Path
) -> None:
    values = {"strategies": ["concat", "a\nb"], "override": {"a\nb": None}}
    set_key(content, key, values.get(key, "a\nb"))
    refusal(content, tmp_path)


def test_override_of_an_unknown_fusion_is_named(content: dict[str, Any], tmp_path: Path) -> None:
    content["override"]["hadamrd"] = {"lr": 0.1}
    message = refusal(content, tmp_path)
    assert "override" in message
    assert "did you mean 'hadamard'" in message


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({"learning_rate": 0.1}, ["unknown key 'override.late.learning_rate'"]),
        ({"l_r": 0.1}, ["'override.late.l_r'", "did you mean 'override.late.lr'"]),
        ({"seeds": [4]}, ["'override.late.seeds'"]),
        ({"lr": "abc"}, ["override.late.lr = 'abc'", "above 0"]),
        ({"pooling": "avg"}, ["override.late.pooling = 'avg'", "'max' or 'strided'"]),
    ],
)
def test_wrong_override_is_named(
    value: dict[str, Any], parts: list[str], content: dict[str, Any], tmp_path: Path
) -> None:
    content["override"]["late"] = value
    message = refusal(content, tmp_path)
    assert not [part for part in parts if part not in message]


@pytest.mark.parametrize("value", [{}, {"late": None}, {"late": {}}, {"late": {"lr": None}}])
def test_override_may_be_empty(
    value: dict[str, Any], content: dict[str, Any], tmp_path: Path
) -> None:
    content["override"] = value
    late = loaded(content, tmp_path).override.get("late")
    assert late is None or late.changes() == {}
