"""What results of a study belong to: what of params and samples decides them, and what differs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusebench.errors import ArtifactError, ParamsError
from fusebench.report.declared import (
    ORIGIN,
    deciding,
    deciding_in,
    differing,
    read_origin,
    write_origin,
)

DATASET = "data/samples/dataset.json"

NESTED = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=6,
)
SECTIONS = st.dictionaries(st.text("ab", min_size=1, max_size=2), NESTED, max_size=3)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with params and samples."""
    (tmp_path / "params.yaml").write_text("fusion: add\ntrain: {lr: 1.0}\n", "utf-8")
    (tmp_path / DATASET).parent.mkdir(parents=True)
    (tmp_path / DATASET).write_text("row\n0\n", "utf-8")
    return tmp_path


# --- What decides ---


def test_only_what_decides_a_result_is_declared() -> None:
    params = {
        "fusion": "add", "compare": {}, "runtime": {}, "data": {}, "synthesize": {},
        "train": {"lr": 1},
        "override": {"add": {"lr": None}, "late": {"lr": 0.1, "epochs": None}, "film": None},
    }  # fmt: skip
    assert deciding(params) == {"train": {"lr": 1}, "override": {"late": {"lr": 0.1}}}
    assert deciding({}) == {"override": {}}


def test_params_and_samples_of_a_checkout_decide(root: Path) -> None:
    before = deciding_in(root)
    assert before == {"train": {"lr": 1.0}, "override": {}, "samples": before["samples"]}
    (root / DATASET).write_text("row\n0\n1\n", "utf-8")
    assert differing(before, deciding_in(root)) == ["samples"]
    (root / "params.yaml").write_text("fusion: late\ntrain: {lr: 2.0}\n", "utf-8")
    assert differing(before, deciding_in(root)) == ["train.lr", "samples"]


def test_without_samples_or_params_it_is_said_what_makes_them(root: Path) -> None:
    (root / DATASET).unlink()
    with pytest.raises(ArtifactError) as caught:
        deciding_in(root)
    assert str(caught.value) == f"{DATASET}: no such file; 'dvc repro extract' makes it"
    (root / DATASET).write_text("row\n", "utf-8")
    (root / "params.yaml").unlink()
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file"):
        deciding_in(root)


# --- What differs ---


@pytest.mark.parametrize(
    ("before", "now", "keys"),
    [
        ({"train": {"lr": 1, "epochs": 2}}, {"train": {"lr": 2, "epochs": 2}}, ["train.lr"]),
        ({"split": {"seed": 0}}, {}, ["split"]),
        ({}, {"split": {"seed": 0}}, ["split"]),
        ({"train": {"seeds": [0, 1]}}, {"train": {"seeds": [0, 2]}}, ["train.seeds"]),
        ({"a": {"b": {"c": 1, "d": 1}}, "e": 1}, {"a": {"b": {"c": 2, "d": 2}}, "e": 2},
         ["a.b.c", "a.b.d", "e"]),
        ({"model": {"weights": {"sha": 1}}}, {"model": {"weights": None}}, ["model.weights"]),
        # A key that is new and off tells of nothing.
        ({"model": {}}, {"model": {"weights": None}}, []),
    ],
)  # fmt: skip
def test_keys_that_differ_are_dotted(
    before: dict[str, Any], now: dict[str, Any], keys: list[str]
) -> None:
    assert differing(before, now) == keys


@given(SECTIONS, SECTIONS)
def test_nothing_differs_from_itself_and_both_ways_the_same_does(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    assert differing(before, before) == []
    assert set(differing(before, now)) == set(differing(now, before))
    assert bool(differing(before, now)) is (before != now)


# --- The file ---

DECLARED = {"train": {"seeds": [0, 1]}, "override": {}, "samples": "0123"}


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "metrics/new"
    write_origin(folder, DECLARED, ["b", "a-dirty", "b"], ["x", "y", "z"], ["y"])
    origin = read_origin(folder)
    assert origin.declared == DECLARED
    assert origin.commits == ("b", "a-dirty")
    assert (origin.planned, origin.done, origin.left) == (("x", "y", "z"), ("y",), ["x", "z"])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content.pop("done"), "key 'done' is missing"),
        (lambda content: content.update(planned="x"), "planned = 'x': must be a valid list"),
        (lambda content: content.update(commits=[1]), "commits.0 = 1: must be a valid string"),
        (lambda content: content.update(luck=1), "unknown key 'luck'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    spoil: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path
) -> None:
    write_origin(tmp_path, DECLARED, [], [], [])
    path = tmp_path / ORIGIN
    content = json.loads(path.read_text("utf-8"))
    spoil(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ArtifactError) as caught:
        read_origin(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{path}: {reason}")
    assert said.endswith(f"; 'git restore {path}' mends it")
    assert "\n" not in said


@pytest.mark.parametrize(("text", "reason"), [(None, "no such file"), ("{", "not valid JSON")])
def test_a_file_that_is_missing_or_cut_is_named_with_a_remedy(
    text: str | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / ORIGIN
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(ArtifactError) as caught:
        read_origin(tmp_path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert str(caught.value).endswith(f"; 'git restore {path}' mends it")
