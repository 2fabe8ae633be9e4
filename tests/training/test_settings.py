from typing import Any

import pytest

from fusebench.errors import ParamsError
from fusebench.training.settings import TrainOverride, TrainParams, read_override, with_override

BASE = TrainParams.model_validate(
    {
        "seeds": [0, 1, 2],
        "epochs": 15,
        "batch_size": 32,
        "lr": 0.001,
        "weight_decay": 0.0,
        "schedule": "constant",
        "class_weights": "none",
        "pooling": "max",
        "precision": "auto",
    }
)
CHANGES = {
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.5,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "class_weights": "balanced",
    "pooling": "strided",
    "precision": "bf16",
}


def test_every_setting_but_seeds_can_be_overridden() -> None:
    assert set(TrainOverride.model_fields) == set(TrainParams.model_fields) - {"seeds"}
    assert set(CHANGES) == set(TrainOverride.model_fields)


@pytest.mark.parametrize(("key", "value"), CHANGES.items())
def test_override_changes_only_what_it_sets(key: str, value: object) -> None:
    merged = with_override(BASE, read_override({key: value}, "here"))
    assert merged.model_dump() == {**BASE.model_dump(), key: value}


def test_zero_is_a_value_that_an_override_can_set() -> None:
    base = BASE.model_copy(update={"weight_decay": 0.5})
    assert with_override(base, read_override({"weight_decay": 0}, "here")).weight_decay == 0


@pytest.mark.parametrize("content", [{}, dict.fromkeys(CHANGES)], ids=["empty", "all null"])
def test_empty_override_changes_nothing(content: dict[str, Any]) -> None:
    override = read_override(content, "here")
    assert override.changes() == {}
    assert with_override(BASE, override) == BASE


def test_params_themselves_stay_as_they_are() -> None:
    before = BASE.model_dump()
    with_override(BASE, read_override(CHANGES, "here"))
    assert BASE.model_dump() == before


def test_changes_can_be_stored_and_read_back() -> None:
    override = read_override(CHANGES, "here")
    assert override.changes() == CHANGES
    assert read_override(override.changes(), "here") == override


def test_number_that_yaml_takes_for_a_string_is_a_number() -> None:
    assert read_override({"lr": "1e-05"}, "here").lr == 1e-05


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({"seeds": [3]}, ["seeds"]),
        ({"learning_rate": 0.1}, ["learning_rate"]),
        ({"lr": "abc"}, ["lr", "'abc'", "above 0, at most 10"]),
        ({"lr": 0}, ["lr", "0", "above 0"]),
        ({"epochs": 1.5}, ["epochs", "1.5", "integer of 1 or more"]),
        ({"batch_size": True}, ["batch_size", "True"]),
        ({"schedule": "linear"}, ["schedule", "'linear'", "'cosine'"]),
        ([], ["[]"]),
        (None, ["None"]),
    ],
)
def test_wrong_override_is_one_line_that_begins_with_its_source(
    content: object, parts: list[str]
) -> None:
    with pytest.raises(ParamsError) as caught:
        read_override(content, "params.yaml: override.late")
    message = str(caught.value)
    assert message.startswith("params.yaml: override.late")
    assert len(message.splitlines()) == 1
    assert not [part for part in parts if part not in message]


def test_seeds_may_be_listed_once() -> None:
    with pytest.raises(ValueError, match="each seed may be listed once"):
        TrainParams.model_validate({**BASE.model_dump(), "seeds": [1, 2, 1]})
