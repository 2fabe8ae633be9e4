"""Studies planned from a pilot."""

import pytest

from fusebench.statistics import planning
from studies.calibration import plans
from studies.calibration.plans import PLANS, TESTS, Outcome, Plan, planned, planned_of
from studies.calibration.rates import Rate
from studies.calibration.simulation import PART, Simulated, simulate

EASY = Plan("interaction", 5.0, 1)


def test_a_plan_asks_the_product_and_the_new_study_has_as_many_seeds_and_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, examined = [], []

    def needed(pilot: planning.Pilot, difference: float, tests: int, ids: float) -> int:
        asked.append((pilot.seeds, difference, tests, ids))
        return 6

    def outcome(new: Simulated, _scenario: object, seeds: int) -> Outcome:
        examined.append((new.latent.shape, seeds))
        return Outcome(seeds, shown=True, irregular=False)

    monkeypatch.setattr(planning, "seeds_needed", needed)
    monkeypatch.setattr(plans, "_outcome", outcome)
    plans.outcomes(Plan("interaction", 2.0, 2), (5, 10), 1, 0)
    assert asked == [(5, 2.0, TESTS, 2), (10, 2.0, TESTS, 2)]
    assert examined == [((2, 6, 2 * 2150), 6)] * 2


def test_the_new_study_is_independent_of_the_pilot() -> None:
    pilot = next(simulate(EASY.scenario, 10, 1, "pilot, 5 points, 1 times the ids"))
    seeds = planned(pilot, EASY, 10)
    assert seeds
    stream = "after 10 seeds, 5 points, 1 times the ids"
    new = next(simulate(EASY.scenario, seeds, 1, stream, part=PART))
    assert not set(new.seeds.ravel().tolist()) & set(pilot.seeds.ravel().tolist())


def test_where_no_number_of_seeds_is_enough_no_study_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "seeds_needed", lambda *_: None)
    (found,) = plans.outcomes(EASY, (5,), 3, 0)
    counted = planned_of(EASY, 5, found)
    assert counted.impossible == Rate(3, 3)
    assert counted.power == counted.as_printed == Rate(0, 0)
    assert counted.as_json()["median"] is None


def test_what_is_shown_is_counted_by_means_and_as_printed() -> None:
    found = [
        Outcome(8, shown=True, irregular=False),
        Outcome(10, shown=True, irregular=True),
        Outcome(30, shown=False, irregular=False),
        Outcome(None, shown=False, irregular=False),
    ]
    counted = planned_of(EASY, 5, found)
    assert (counted.power, counted.as_printed) == (Rate(2, 3), Rate(1, 3))
    assert (counted.median, counted.most) == (10, 30)
    assert counted.impossible == Rate(1, 4)


def test_pieces_are_the_same_pilots() -> None:
    (whole,) = plans.outcomes(EASY, (5,), 2, 0)
    (first,), (second,) = plans.outcomes(EASY, (5,), 1, 0), plans.outcomes(EASY, (5,), 1, 1)
    assert whole == first + second


def test_the_second_fusion_is_worse_in_truth() -> None:
    assert all(plan.scenario.truth == pytest.approx(plan.points) for plan in PLANS)
