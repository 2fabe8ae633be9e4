"""The simulated studies have the truth that is claimed for them."""

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from fusebench.evaluation.metrics import METRICS
from fusebench.statistics.paired import pair
from studies.calibration.scenarios import SCENARIOS, Scenario, ScenarioFusion
from studies.calibration.shapes import Shape, Skewed, TwoHeaps
from studies.calibration.simulation import (
    GROUPED,
    PART,
    collapsed_of,
    pair_right,
    simulate,
    values_of,
)
from studies.calibration.worlds import WORLDS

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
LABELS, IDS, MAJORITY, MINORITY = PART.labels, PART.ids, PART.majority, PART.minority


def plain(*fusions: ScenarioFusion, **changed: float) -> Scenario:
    """Return a scenario in which nothing varies but what is named."""
    spread = {"shared": 0.0, "difficulty": 0.0, "own": 0.0, "noise": 0.0} | changed
    shared, difficulty, own, noise = spread.values()
    return Scenario("test", "for a test", fusions, shared, difficulty, own, noise)


def near(values: list[float], truth: float) -> bool:
    """Tell whether a mean differs from the truth by less than four of its standard errors."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return abs(float(np.mean(values)) - truth) < 4 * error


def test_the_test_part_is_like_the_default_one() -> None:
    assert np.bincount(LABELS).tolist() == [2000, 150]
    assert len(np.unique(IDS)) == 2000
    assert set(IDS[LABELS == 1]) < set(IDS[LABELS == 0])


# --- The truth ---


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_two_fusions_of_a_scenario_have_the_same_expectation(scenario: Scenario) -> None:
    assert scenario.truth == pytest.approx(0, abs=1e-9)


def test_names_of_scenarios_differ_so_their_random_numbers_do() -> None:
    assert len(BY_NAME) == len(SCENARIOS)


@pytest.mark.parametrize("name", ["both", "saturated", "collapsed 0.3", "uneven", "one collapsed"])
def test_simulated_shares_are_those_asked_for(name: str) -> None:
    scenario = BY_NAME[name]
    for place, fusion in enumerate(scenario.fusions):
        free, rates = 1 - fusion.collapsed, []
        for study in simulate(scenario, 2, 300, "test"):
            right = study.right(scenario, place, 2)
            rates.append([right[:, label == LABELS].mean() for label in (0, 1)])
        majority, minority = (list(shares) for shares in np.transpose(rates))
        assert near(majority, free * fusion.majority + fusion.collapsed)
        assert near(minority, free * fusion.minority)


@pytest.mark.parametrize("kind", ["shared", "difficulty", "own", "noise", "seed"])
def test_shares_hold_whatever_varies(kind: str) -> None:
    fusion = ScenarioFusion(0.99, 0.95, seed=2.0 if kind == "seed" else 0.0)
    spread = {} if kind == "seed" else {kind: 2.0}
    scenario = plain(fusion, fusion, **({"noise": 0.5} | spread))
    right = [study.right(scenario, 1, 1)[0, LABELS == 1].mean()
             for study in simulate(scenario, 1, 200, "test")]  # fmt: skip
    assert near(right, 0.95)


def test_saturated_means_99_to_100_percent() -> None:
    assert all(99 < fusion.expected < 100 for fusion in BY_NAME["saturated"].fusions)


@pytest.mark.parametrize("name", ["ids", "seeds", "collapsed 0.1"])
@pytest.mark.parametrize("points", [2.0, 9.0])
def test_worse_by_so_many_points_is_simulated_so(name: str, points: float) -> None:
    scenario = BY_NAME[name].worse(points)
    assert scenario.truth == pytest.approx(points)
    assert near([study.trial(scenario, 3).paired.difference
                 for study in simulate(scenario, 3, 300, "test")], points)  # fmt: skip


def test_no_fusion_loses_more_than_a_class() -> None:
    fusion = ScenarioFusion(minority=0.9, collapsed=0.5)
    assert fusion.can_lose(22.4)
    assert not fusion.can_lose(22.6)
    with pytest.raises(ValueError, match=r"22\.6 points"):
        fusion.worse(22.6)


@pytest.mark.parametrize("name", ["seeds", "uneven", "collapsed 0.3"])
def test_truth_of_trained_models_is_what_remains_when_ids_are_averaged_out(name: str) -> None:
    scenario = BY_NAME[name].worse(3.0)
    trials = [study.trial(scenario, 3) for study in simulate(scenario, 3, 300, "test")]
    left = [trial.paired.difference - trial.truth for trial in trials]
    assert near(left, 0.0)
    assert near([trial.truth for trial in trials], 3.0)
    assert np.std(left) < np.std([trial.truth for trial in trials]) / 2


def test_deviation_over_seeds_is_that_of_many_seeds() -> None:
    scenario = BY_NAME["seeds"]
    source = np.random.default_rng(0)
    effects = math.hypot(scenario.shared, 0.7) * source.standard_normal((2, 20_000))
    assert scenario.deviations() == pytest.approx(
        list(scenario.given(effects).std(axis=1)), rel=0.05
    )
    assert BY_NAME["uneven"].deviations()[1] == pytest.approx(0, abs=1e-9)


# --- What varies ---


def test_shared_effect_of_a_seed_is_the_same_for_both_fusions() -> None:
    scenario = plain(ScenarioFusion(), ScenarioFusion(), shared=1.0)
    study = next(simulate(scenario, 4, 1, "test"))
    assert np.array_equal(study.seeds[0], study.seeds[1])
    assert np.array_equal(study.latent[0], study.latent[1])
    assert len(np.unique(study.seeds[0])) == 4


def test_own_effect_of_a_seed_is_the_fusion_s_alone() -> None:
    study = next(
        simulate(plain(ScenarioFusion(seed=1.0), ScenarioFusion(seed=1.0), noise=0.1), 4, 1, "test")
    )
    assert (study.seeds[0] != study.seeds[1]).all()
    left = study.latent - study.seeds[..., None]
    assert left.std() == pytest.approx(0.1, rel=0.05)


def test_own_effect_of_an_id_is_the_same_in_every_seed_of_one_fusion() -> None:
    study = next(simulate(plain(ScenarioFusion(), ScenarioFusion(), own=1.0), 4, 1, "test"))
    assert (study.latent == study.latent[:, :1]).all()
    assert (study.latent[0] != study.latent[1]).all()


def test_noise_is_fresh_for_each_fusion_seed_and_sample() -> None:
    study = next(simulate(plain(ScenarioFusion(), ScenarioFusion(), noise=1.0), 4, 1, "test"))
    assert abs(np.corrcoef(study.latent.reshape(8, -1)) - np.eye(8)).max() < 0.1


def test_samples_of_a_group_are_hard_together() -> None:
    scenario = plain(ScenarioFusion(), ScenarioFusion(), difficulty=2.0)
    latent = np.concatenate([study.latent[0, :1] for study in simulate(scenario, 1, 40, "test")])
    pairs = latent[:, :MINORITY].ravel(), latent[:, MAJORITY:].ravel()
    assert np.corrcoef(*pairs)[0, 1] == pytest.approx(GROUPED, abs=0.05)
    assert latent[:, MAJORITY:].std() == pytest.approx(2.0, rel=0.05)


def test_collapsed_seeds_answer_the_majority_class_for_every_sample() -> None:
    scenario = BY_NAME["collapsed 0.3"]
    collapsed = 0
    for study in simulate(scenario, 10, 40, "test"):
        right = study.right(scenario, 1, 10)
        assert (right[study.collapsed[1]] == (LABELS == 0)).all()
        assert not (right[~study.collapsed[1]] == (LABELS == 0)).all(axis=1).any()
        collapsed += int(study.collapsed[1].sum())
    assert 0.2 < collapsed / 400 < 0.4


def test_a_collapsed_seed_counts_50_in_the_truth_of_trained_models() -> None:
    scenario = plain(
        ScenarioFusion(1 - 1e-12, 1 - 1e-12, collapsed=0.0),
        ScenarioFusion(collapsed=1.0),
        noise=1.0,
    )
    assert next(simulate(scenario, 2, 1, "test")).trial(scenario, 2).truth == pytest.approx(50)


# --- Drawing ---


def test_the_same_arguments_draw_the_same_and_another_stream_draws_anew() -> None:
    scenario = BY_NAME["both"]
    first, again, other = (list(simulate(scenario, 2, 12, name)) for name in ("a", "a", "b"))
    assert len(first) == 12
    assert all(np.array_equal(a.latent, b.latent) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.seeds, b.seeds) for a, b in zip(first, other, strict=True))
    assert len({float(study.seeds[0, 0]) for study in first}) == 12


def test_fewer_seeds_are_the_first_of_more() -> None:
    scenario = BY_NAME["both"]
    study = next(simulate(scenario, 5, 1, "test"))
    few, many = study.trial(scenario, 3).paired, study.trial(scenario, 5).paired
    assert np.array_equal(few.contributions, many.contributions[:3])


def test_studies_may_be_drawn_in_pieces() -> None:
    scenario = BY_NAME["collapsed 0.1"]
    whole = list(simulate(scenario, 2, 5, "test"))
    pieces = [*simulate(scenario, 2, 2, "test"), *simulate(scenario, 2, 3, "test", 2)]
    for one, other in zip(whole, pieces, strict=True):
        assert np.array_equal(one.latent, other.latent)
        assert np.array_equal(one.collapsed, other.collapsed)


def test_any_two_of_seven_fusions_can_be_paired() -> None:
    scenario = WORLDS[0].scenario
    study = next(simulate(scenario, 2, 1, "test"))
    one, other = study.trial(scenario, 2, 1, 6), study.trial(scenario, 2, 6, 1)
    assert np.array_equal(one.paired.contributions, -other.paired.contributions)
    assert one.truth == pytest.approx(-other.truth)


def test_a_part_may_have_more_ids() -> None:
    twice = PART.times(2)
    assert np.bincount(twice.labels).tolist() == [4000, 300]
    study = next(simulate(BY_NAME["both"], 3, 1, "test", part=twice))
    paired = study.trial(BY_NAME["both"], 3).paired
    assert paired.contributions.shape == (3, 4000)
    assert paired.weights.tolist() == [100 / 8000, 100 / 600]


def test_simulated_pairs_are_what_pairing_values_gives() -> None:
    scenario = BY_NAME["collapsed 0.3"].worse(5.0)
    study = next(simulate(scenario, 4, 1, "test"))
    first, second = (study.right(scenario, place, 4) for place in (0, 1))
    weights = METRICS["balanced_accuracy"].weights(LABELS)
    ours, theirs = (100 * right.astype(np.float64) for right in (first, second))
    expected = pair(ours, theirs, IDS, LABELS, weights, 100.0)
    paired = pair_right(first, second)
    np.testing.assert_allclose(paired.contributions, expected.contributions, atol=1e-12)
    assert np.array_equal(paired.strata, expected.strata)
    np.testing.assert_allclose(paired.weights, expected.weights)
    assert np.array_equal(paired.counts, expected.counts)
    assert paired.discordant == expected.discordant > 0


def test_values_and_collapse_are_those_of_the_metric() -> None:
    scenario = BY_NAME["collapsed 0.3"]
    study = next(simulate(scenario, 10, 1, "test"))
    right = study.right(scenario, 0, 10)
    answers = np.where(right, LABELS, 1 - LABELS)
    expected = [100 * balanced_accuracy_score(LABELS, row) for row in answers]
    np.testing.assert_allclose(values_of(right), expected)
    assert collapsed_of(right).tolist() == [len(set(row.tolist())) == 1 for row in answers]
    assert collapsed_of(right).any()


# --- Shapes of a fusion's own luck ---

SHAPES = (Skewed(), TwoHeaps(0.4, 6.0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shape_has_mean_0_and_its_nodes_are_of_it(shape: Shape) -> None:
    drawn = shape.of(np.random.default_rng(0).standard_normal(200_000))
    points, weights = shape.nodes()
    assert weights.sum() == pytest.approx(1)
    assert weights @ points == pytest.approx(0, abs=1e-9)
    assert drawn.mean() == pytest.approx(0, abs=0.03)
    assert drawn.std() == pytest.approx(math.sqrt(weights @ points**2), rel=0.02)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spread", [0.0, 0.7])
@pytest.mark.parametrize("mean", [-1.0, 0.0, 2.0])
def test_how_likely_a_sum_is_above_0_has_a_closed_form(
    shape: Shape, spread: float, mean: float
) -> None:
    source = np.random.default_rng(1)
    total = mean + 0.5 * shape.of(source.standard_normal(200_000))
    total = total + spread * source.standard_normal(200_000)
    assert shape.right(mean, 0.5, spread) == pytest.approx((total > 0).mean(), abs=0.006)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shares_hold_whatever_the_shape(shape: Shape) -> None:
    fusion = ScenarioFusion(0.99, 0.9, seed=0.6, shape=shape)
    scenario = plain(fusion, fusion, noise=0.5, shared=0.2)
    rates = [study.right(scenario, 1, 4)[:, LABELS == 1].mean()
             for study in simulate(scenario, 4, 300, "test")]  # fmt: skip
    assert near(rates, 0.9)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_deviation_and_success_are_those_of_many_seeds(shape: Shape) -> None:
    fusion = ScenarioFusion(0.998, 0.85, seed=0.6, shape=shape, collapsed=0.1)
    scenario = plain(fusion, noise=1.0, shared=0.3)
    source = np.random.default_rng(2)
    effects = 0.6 * shape.of(source.standard_normal(100_000))
    effects = effects + 0.3 * source.standard_normal(100_000)
    given = scenario.given(effects[None])[0]
    assert scenario.deviations()[0] == pytest.approx(given.std(), rel=0.03)
    for beyond in (49.0, 75.0, 90.0, 100.0):
        expected = 0.9 * (given > beyond).mean() + 0.1 * (beyond < 50)
        assert scenario.success(0, beyond) == pytest.approx(expected, abs=0.006)
