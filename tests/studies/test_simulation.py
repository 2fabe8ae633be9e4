"""The simulated studies have the truth that is claimed for them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fusebench.prediction.predictions import PartPredictions
from fusebench.statistics import paired
from studies.calibration.scenarios import REGIMES, Fusion, Regime, of_seven
from studies.calibration.simulation import (
    IDS,
    LABELS,
    MAJORITY,
    MINORITY,
    TWINS,
    Bools,
    draws,
    pair_right,
)

BY_NAME = {regime.name: regime for regime in REGIMES}


def plain(*fusions: Fusion, **changed: float) -> Regime:
    """Return a regime in which nothing varies but what is named."""
    spread = {"shared": 0.0, "difficulty": 0.0, "own": 0.0, "noise": 0.0} | changed
    return Regime("test", "for a test", fusions, **spread)


def near(values: list[float], truth: float) -> bool:
    """Tell whether a mean differs from the truth by less than four of its standard errors."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return abs(float(np.mean(values)) - truth) < 4 * error


def test_the_test_part_is_like_the_default_one() -> None:
    assert np.bincount(LABELS).tolist() == [2000, 150]
    assert len(np.unique(IDS)) == 2000
    assert set(IDS[LABELS == 1]) < set(IDS[LABELS == 0])


# --- The truth ---


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_two_fusions_of_a_regime_have_the_same_expectation(regime: Regime) -> None:
    assert regime.truth == pytest.approx(0, abs=1e-9)


def test_names_of_regimes_differ_so_their_random_numbers_do() -> None:
    assert len(BY_NAME) == len(REGIMES)


@pytest.mark.parametrize("name", ["both", "saturated", "stuck 0.3", "uneven", "one stuck"])
def test_simulated_shares_are_those_asked_for(name: str) -> None:
    regime = BY_NAME[name]
    for place, fusion in enumerate(regime.fusions):
        free, found = 1 - fusion.stuck, []
        for draw in draws(regime, 2, 300, "test"):
            right = draw.right(regime, place, 2)
            found.append([right[:, label == LABELS].mean() for label in (0, 1)])
        majority, minority = (list(each) for each in np.transpose(found))
        assert near(majority, free * fusion.majority + fusion.stuck)
        assert near(minority, free * fusion.minority)


@pytest.mark.parametrize("kind", ["shared", "difficulty", "own", "noise", "seed"])
def test_shares_hold_whatever_varies(kind: str) -> None:
    fusion = Fusion(0.99, 0.95, seed=2.0 if kind == "seed" else 0.0)
    spread = {} if kind == "seed" else {kind: 2.0}
    regime = plain(fusion, fusion, **({"noise": 0.5} | spread))
    right = [draw.right(regime, 1, 1)[0, LABELS == 1].mean()
             for draw in draws(regime, 1, 200, "test")]  # fmt: skip
    assert near(right, 0.95)


def test_saturated_means_99_to_100_percent() -> None:
    assert all(99 < fusion.expected < 100 for fusion in BY_NAME["saturated"].fusions)


@pytest.mark.parametrize("name", ["ids", "seeds", "stuck 0.1"])
@pytest.mark.parametrize("points", [2.0, 9.0])
def test_worse_by_so_many_points_is_simulated_so(name: str, points: float) -> None:
    regime = BY_NAME[name].worse(points)
    assert regime.truth == pytest.approx(points)
    assert near([draw.trial(regime, 3).paired.difference
                 for draw in draws(regime, 3, 300, "test")], points)  # fmt: skip


def test_no_fusion_loses_more_than_a_class() -> None:
    fusion = Fusion(minority=0.9, stuck=0.5)
    assert fusion.can_lose(22.4)
    assert not fusion.can_lose(22.6)
    with pytest.raises(ValueError, match=r"22\.6 points"):
        fusion.worse(22.6)


@pytest.mark.parametrize("name", ["seeds", "uneven", "stuck 0.3"])
def test_truth_of_trained_models_is_what_remains_when_ids_are_averaged_out(name: str) -> None:
    regime = BY_NAME[name].worse(3.0)
    trials = [draw.trial(regime, 3) for draw in draws(regime, 3, 300, "test")]
    left = [trial.paired.difference - trial.truth for trial in trials]
    assert near(left, 0.0)
    assert near([trial.truth for trial in trials], 3.0)
    assert np.std(left) < np.std([trial.truth for trial in trials]) / 2


def test_deviation_over_seeds_is_that_of_many_seeds() -> None:
    regime = BY_NAME["seeds"]
    source = np.random.default_rng(0)
    effects = math.hypot(regime.shared, 0.7) * source.standard_normal((2, 20_000))
    assert regime.deviations() == pytest.approx(list(regime.given(effects).std(axis=1)), rel=0.05)
    assert BY_NAME["uneven"].deviations()[1] == 0


# --- What varies ---


def test_shared_effect_of_a_seed_is_the_same_for_both_fusions() -> None:
    regime = plain(Fusion(), Fusion(), shared=1.0)
    draw = next(draws(regime, 4, 1, "test"))
    assert np.array_equal(draw.seeds[0], draw.seeds[1])
    assert np.array_equal(draw.latent[0], draw.latent[1])
    assert len(np.unique(draw.seeds[0])) == 4


def test_own_effect_of_a_seed_is_the_fusion_s_alone() -> None:
    draw = next(draws(plain(Fusion(seed=1.0), Fusion(seed=1.0), noise=0.1), 4, 1, "test"))
    assert (draw.seeds[0] != draw.seeds[1]).all()
    left = draw.latent - draw.seeds[..., None]
    assert left.std() == pytest.approx(0.1, rel=0.05)


def test_own_effect_of_an_id_is_the_same_in_every_seed_of_one_fusion() -> None:
    draw = next(draws(plain(Fusion(), Fusion(), own=1.0), 4, 1, "test"))
    assert (draw.latent == draw.latent[:, :1]).all()
    assert (draw.latent[0] != draw.latent[1]).all()


def test_noise_is_fresh_for_each_fusion_seed_and_sample() -> None:
    draw = next(draws(plain(Fusion(), Fusion(), noise=1.0), 4, 1, "test"))
    assert abs(np.corrcoef(draw.latent.reshape(8, -1)) - np.eye(8)).max() < 0.1


def test_twins_are_hard_together() -> None:
    regime = plain(Fusion(), Fusion(), difficulty=2.0)
    held = np.concatenate([draw.latent[0, :1] for draw in draws(regime, 1, 40, "test")])
    pairs = held[:, :MINORITY].ravel(), held[:, MAJORITY:].ravel()
    assert np.corrcoef(*pairs)[0, 1] == pytest.approx(TWINS, abs=0.05)
    assert held[:, MAJORITY:].std() == pytest.approx(2.0, rel=0.05)


def test_stuck_seeds_answer_the_majority_class_for_every_sample() -> None:
    regime = replace(BY_NAME["stuck 0.3"])
    stuck = 0
    for draw in draws(regime, 10, 40, "test"):
        right = draw.right(regime, 1, 10)
        assert (right[draw.stuck[1]] == (LABELS == 0)).all()
        assert not (right[~draw.stuck[1]] == (LABELS == 0)).all(axis=1).any()
        stuck += int(draw.stuck[1].sum())
    assert 0.2 < stuck / 400 < 0.4


def test_a_stuck_seed_counts_50_in_the_truth_of_trained_models() -> None:
    regime = plain(Fusion(1 - 1e-12, 1 - 1e-12, stuck=0.0), Fusion(stuck=1.0), noise=1.0)
    assert next(draws(regime, 2, 1, "test")).trial(regime, 2).truth == pytest.approx(50)


# --- Drawing ---


def test_the_same_arguments_draw_the_same_and_another_stream_draws_anew() -> None:
    regime = BY_NAME["both"]
    first, again, other = (list(draws(regime, 2, 12, name)) for name in ("a", "a", "b"))
    assert len(first) == 12
    assert all(np.array_equal(a.latent, b.latent) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.seeds, b.seeds) for a, b in zip(first, other, strict=True))
    assert len({float(draw.seeds[0, 0]) for draw in first}) == 12


def test_fewer_seeds_are_the_first_of_more() -> None:
    regime = BY_NAME["both"]
    draw = next(draws(regime, 5, 1, "test"))
    few, many = draw.trial(regime, 3).paired, draw.trial(regime, 5).paired
    assert np.array_equal(few.contributions, many.contributions[:3])


def test_any_two_of_seven_fusions_can_be_paired() -> None:
    regime = of_seven("both")
    assert len(set(regime.fusions)) == 1
    draw = next(draws(regime, 2, 1, "test"))
    one, other = draw.trial(regime, 2, 1, 6), draw.trial(regime, 2, 6, 1)
    assert np.array_equal(one.paired.contributions, -other.paired.contributions)
    assert one.truth == pytest.approx(-other.truth)


def predictions(right: Bools) -> dict[int, PartPredictions]:
    """Return kept predictions that are right where asked, by seed."""
    names = np.array([f"{number:05d}" for number in IDS])
    digests = np.array([f"{row}" for row in range(len(LABELS))])
    said = np.where(right, LABELS, 1 - LABELS)
    return {
        seed: PartPredictions(
            names, np.array(["cubes", "spheres"])[LABELS], digests, LABELS,
            np.eye(2, dtype=np.float32)[each],
        )
        for seed, each in enumerate(said)
    }  # fmt: skip


def test_simulated_pairs_are_what_pairing_kept_predictions_gives() -> None:
    regime = BY_NAME["stuck 0.3"].worse(5.0)
    draw = next(draws(regime, 4, 1, "test"))
    first, second = (draw.right(regime, place, 4) for place in (0, 1))
    mine = pair_right(first, second)
    theirs = paired.pair(predictions(first), predictions(second), "balanced_accuracy")
    np.testing.assert_allclose(mine.contributions, theirs.contributions, atol=1e-12)
    assert np.array_equal(mine.strata, theirs.strata)
    np.testing.assert_allclose(mine.weights, theirs.weights)
    assert np.array_equal(mine.counts, theirs.counts)
    assert mine.discordant == theirs.discordant > 0
