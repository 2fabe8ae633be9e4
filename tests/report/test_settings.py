"""Planned contrasts: what they come to, and that no fusion has the name of a group."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusebench.models.base import fusion_class
from fusebench.models.registry import FUSIONS
from fusebench.report.settings import GROUPS, CompareParams, empty_contrasts, planned, unplanned


def _infos() -> dict[str, dict[str, Any]]:
    """Return what predictions tell of every fusion of the registry."""
    classes = {name: fusion_class(name) for name in FUSIONS.names()}
    return {
        name: {"strategy": of.strategy, "inputs": list(of.inputs)} for name, of in classes.items()
    }


INFOS = _infos()
SIDES = st.sampled_from([*INFOS, *GROUPS])
BOTH = st.tuples(SIDES, SIDES).filter(lambda both: both[0] != both[1] or both[0] in GROUPS)
CONTRASTS = st.lists(BOTH.map("/".join), max_size=6)


def test_no_fusion_is_called_as_a_group_is() -> None:
    assert not set(INFOS) & set(GROUPS)


def test_groups_are_those_of_their_names() -> None:
    pairs = planned(["fused/single"], INFOS)
    fused = {name for name, info in INFOS.items() if len(info["inputs"]) == 2}
    assert pairs == [(f, s) for f in INFOS if f in fused for s in INFOS if s not in fused]
    assert {second for _, second in pairs} == {"rgb_only", "lidar_only"}
    assert {second for _, second in planned(["late/intermediate"], INFOS)} == {
        name for name, info in INFOS.items() if info["strategy"] == "intermediate"
    }
    assert len(planned(["any/any"], INFOS)) == len(INFOS) * (len(INFOS) - 1) // 2


def test_the_first_declaration_of_a_pair_counts_and_turns_it() -> None:
    assert planned(["late/add", "add/late", "late/any"], INFOS)[0] == ("late", "add")
    assert ("add", "late") not in planned(["late/add", "add/late", "any/any"], INFOS)


def test_fusions_that_are_not_compared_come_to_nothing() -> None:
    few = {name: INFOS[name] for name in ("late", "add")}
    assert planned(["fused/single", "late/concat"], few) == []
    assert planned(["concat/any", "late/any"], few) == [("late", "add")]


def test_contrasts_that_come_to_no_pair_are_named() -> None:
    few = {name: INFOS[name] for name in ("late", "add")}
    contrasts = ["late/add", "hadamard/rgb_only", "fused/single", "any/any"]
    assert empty_contrasts(contrasts, few) == [
        f"compare.contrasts: '{name}' comes to no pair of these fusions."
        for name in ("hadamard/rgb_only", "fused/single")
    ]
    assert empty_contrasts(contrasts, INFOS) == []


@given(CONTRASTS)
def test_every_pair_is_planned_once_or_not_at_all(contrasts: list[str]) -> None:
    chosen = planned(contrasts, INFOS)
    others = unplanned(list(INFOS), chosen)
    pairs = [frozenset(pair) for pair in (*chosen, *others)]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == {frozenset(pair) for pair in combinations(INFOS, 2)}


@given(CONTRASTS)
def test_params_take_every_contrast_of_known_names(contrasts: list[str]) -> None:
    params = CompareParams(
        temperature=True, primary="nll", margin={"nll": 0.1}, contrasts=tuple(contrasts)
    )
    assert params.primary_margin == 0.1
    assert params.declared["contrasts"] == contrasts


@pytest.mark.parametrize(
    "contrast", ["late", "late/", "late/none", "late/add/concat", "", "late add", "late/late"]
)
def test_params_refuse_any_other(contrast: str) -> None:
    with pytest.raises(ValueError, match=f"must be two of {FUSIONS.names()[0]}, "):
        CompareParams(temperature=True, primary="nll", margin={}, contrasts=(contrast,))


def test_a_metric_without_a_margin_has_none() -> None:
    for margin in ({}, {"nll": None}, {"accuracy": 1.0}):
        assert (
            CompareParams(
                temperature=True, primary="nll", margin=margin, contrasts=()
            ).primary_margin
            is None
        )


def test_temperature_is_no_part_of_what_is_declared() -> None:
    both = [
        CompareParams(temperature=value, primary="nll", margin={}, contrasts=())
        for value in (True, False)
    ]
    assert both[0].declared == both[1].declared
    assert "temperature" not in both[0].declared
