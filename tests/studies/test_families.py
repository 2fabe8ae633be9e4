"""Seven fusions at once: what is counted is what the project would print."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusebench.config import load_keys, load_section
from fusebench.models.base import fusion_class
from fusebench.models.registry import FusionParams
from fusebench.prediction.predictions import PartPredictions
from fusebench.report import best, pairs, study, verdict
from fusebench.report.best import Best
from fusebench.report.settings import CompareParams, planned
from fusebench.report.study import Study
from fusebench.statistics import estimates
from fusebench.statistics.best import ToBest
from fusebench.statistics.estimates import Claim
from studies.calibration import families
from studies.calibration.counts import Family, family_of
from studies.calibration.families import Outcome, contradicts, examine
from studies.calibration.rates import Rate
from studies.calibration.simulation import (
    MARGIN,
    PART,
    Bools,
    pair_right,
    seeds_of,
    simulate,
)
from studies.calibration.worlds import CONTRASTS, INFOS, NAMES, PLANNED_PAIRS, WORLDS, World

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {world.name: world for world in WORLDS}
COUNT = 6


def one(world: World, seeds: int = COUNT, stream: str = "test") -> Outcome:
    return examine(next(simulate(world.scenario, seeds, 1, stream)), world, seeds)


def counted(world: World, trials: int = 2, seeds: int = COUNT) -> Family:
    (found,) = families.outcomes(world, (seeds,), trials, 0)
    return family_of(world, seeds, found)


# --- Worlds ---


def test_what_is_planned_is_what_the_project_declares() -> None:
    declared = load_section(ROOT / "params.yaml", "compare", CompareParams)
    assert declared.contrasts == CONTRASTS
    assert declared.primary == "balanced_accuracy"
    assert declared.primary_margin == MARGIN
    assert load_keys(ROOT / "tests/default_params.yaml", FusionParams).fusions == tuple(INFOS)
    for name, info in INFOS.items():
        fusion = fusion_class(name)
        assert (fusion.strategy, tuple(fusion.inputs)) == (info["strategy"], info["inputs"])
    assert len(PLANNED_PAIRS) == 14
    assert planned(CONTRASTS, INFOS) == PLANNED_PAIRS


@pytest.mark.parametrize("name", ["alike", "alike, collapsing", "uneven, fused", "uneven, single"])
def test_means_are_equal_where_the_world_says_so(name: str) -> None:
    world = BY_NAME[name]
    assert all(world.difference(*pair) == 0 for pair in PLANNED_PAIRS)
    assert world.best == NAMES[0]


def test_the_measured_world_has_the_committed_means_and_deviations() -> None:
    world = BY_NAME["measured"]
    assert list(world.expected.values()) == pytest.approx([80, 98.4, 97.5, 86, 97.8, 88.2, 97.7])
    assert world.scenario.deviations() == pytest.approx([8, 1.3, 1.9, 10, 0.9, 2.7, 2.6], abs=0.1)
    assert world.best == "concat"
    assert BY_NAME["measured, collapsing"].best == "rgb_only"


def test_fusions_that_are_alike_succeed_alike() -> None:
    world = BY_NAME["uneven, fused"]
    assert world.success("late", "rgb_only", 74.0) == 0
    assert world.success("late", "concat", 74.0) > 0.05


# --- What is counted is what the product says ---


def test_seeds_are_what_the_product_makes_of_the_same_predictions() -> None:
    world = BY_NAME["alike, collapsing"]
    simulated = next(simulate(world.scenario, COUNT, 1, "test"))
    rights = dict(zip(NAMES, simulated.rights(world.scenario, COUNT), strict=True))
    theirs = Study({name: [_part(row) for row in right] for name, right in rights.items()}, 1)
    expected = theirs.by_seed("balanced_accuracy", NAMES)
    for name, ours in seeds_of(rights).items():
        np.testing.assert_allclose(ours.values, expected[name].values)
        assert np.array_equal(ours.collapsed, expected[name].collapsed)
        assert np.array_equal(ours.succeeded, expected[name].succeeded)
        assert ours.chance == expected[name].chance


def _part(right: Bools) -> PartPredictions:
    names = PART.ids.astype(str)
    answers = np.where(right, PART.labels, 1 - PART.labels)
    logits = np.eye(2, dtype=np.float32)[answers]
    return PartPredictions(names, names, names, PART.labels, logits)


def test_a_product_that_claims_everything_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not one(BY_NAME["alike"]).said.false
    monkeypatch.setattr(study, "retrained", lambda paired: Claim(paired.difference, 1e-9, 10.0))
    monkeypatch.setattr(study, "irregular", lambda *_: False)
    outcome = one(BY_NAME["alike"])
    assert outcome.said.false
    assert outcome.said.missed
    assert outcome.said.dismissed or outcome.said.good


def test_a_product_without_holm_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def all_shown(values: Any) -> list[float]:
        called.append(len(values))
        return [0.0 for _ in values]

    monkeypatch.setattr(pairs, "holm", all_shown)
    assert one(BY_NAME["alike"]).said.false
    assert set(called) == {14}


def test_another_word_changes_the_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "state", lambda _: verdict.State.WORSE)
    monkeypatch.setattr(Best, "as_good", True)
    family = counted(BY_NAME["measured"])
    assert family.said["false"] == Rate(2, 2)
    assert family.said["false_good"] == Rate(2, 2)


def test_bounds_to_the_best_are_those_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(BY_NAME["measured"]).by_means["bounds"].hits
    every_one = ToBest(np.zeros(7), np.ones(7, bool))
    monkeypatch.setattr(best, "to_best", lambda *_: every_one)
    assert counted(BY_NAME["measured"]).by_means["bounds"] == Rate(0, 2)


def test_simultaneous_intervals_are_those_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(BY_NAME["measured"]).said["coverage"] == Rate(2, 2)
    monkeypatch.setattr(Claim, "interval", lambda claim, _tests=1: (claim.difference,) * 2)
    assert counted(BY_NAME["measured"]).by_means["coverage"] == Rate(0, 2)


def test_irregular_seeds_are_told_by_the_product_and_left_out_by_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "irregular", lambda _first, _second, margin: margin < math.inf)
    family = counted(BY_NAME["measured"], seeds=10)
    assert family.irregular == Rate(2, 2)
    assert family.said["good"].hits == 0
    assert family.power == 0
    assert family.power_by_means > 20


def test_collapse_is_counted_by_fusion() -> None:
    family = counted(BY_NAME["alike, collapsing"], trials=3)
    assert family.hidden.trials == family.bounded.trials == 21
    assert 0 < family.hidden.hits < 21
    assert family.unseen["false"].trials + family.seen["false"].trials == 3
    assert counted(BY_NAME["alike"]).hidden.trials == 0


@pytest.mark.parametrize(
    ("state", "compares", "wrong"),
    [
        (verdict.State.BETTER, "means", False),
        (verdict.State.WORSE, "means", True),
        (verdict.State.UNDECIDED, "means", False),
        # In truth late succeeds less often than concat.
        (verdict.State.BETTER, "successes", False),
        (verdict.State.WORSE, "successes", True),
    ],
)
def test_a_claim_is_held_against_what_is_compared(
    state: verdict.State, compares: str, wrong: bool
) -> None:
    figures: dict[str, Any] = dict.fromkeys(pairs.PAIR_KINDS, 0)
    pair = pairs.Pair(**figures)._replace(first="concat", second="late", compares=compares)
    assert contradicts(pair, state, BY_NAME["measured"], 74.0) is wrong
    # Where both are alike, any claim is wrong.
    alike = contradicts(pair, state, BY_NAME["alike"], 74.0)
    assert alike is (state is not verdict.State.UNDECIDED)


def test_a_claim_of_successes_is_not_held_against_means() -> None:
    figures: dict[str, Any] = dict.fromkeys(pairs.PAIR_KINDS, 0)
    # Means are equal, but concat, one seed of ten collapsed, succeeds less often.
    pair = pairs.Pair(**figures)._replace(first="late", second="concat", compares="successes")
    world = BY_NAME["uneven, fused"]
    assert not contradicts(pair, verdict.State.BETTER, world, 74.0)
    assert contradicts(pair._replace(compares="means"), verdict.State.BETTER, world, 74.0)


def test_fewer_seeds_and_pieces_are_the_same_studies() -> None:
    world = BY_NAME["uneven, single"]
    both = families.outcomes(world, (5, 6), 2, 0)
    assert (
        both[0]
        == families.outcomes(replace(world), (5, 6), 1, 0)[0]
        + families.outcomes(world, (5, 6), 1, 1)[0]
    )
    simulated = next(simulate(world.scenario, 6, 1, "family"))
    assert both[0][0] == examine(simulated, world, 5)


def test_pairs_of_the_simulation_go_through_the_product_unchanged() -> None:
    world = BY_NAME["measured"]
    simulated = next(simulate(world.scenario, COUNT, 1, "test"))
    first, second = simulated.rights(world.scenario, COUNT)[:2]
    figures = study.by_components(pair_right(first, second), None)
    claim = estimates.retrained(pair_right(first, second))
    assert figures["retrained_p"] == claim.p
    assert (figures["retrained_low"], figures["retrained_high"]) == claim.interval()
