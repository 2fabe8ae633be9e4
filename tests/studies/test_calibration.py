"""Counting wrong claims: the counts are right, and what falls short is said."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from fusebench.statistics.estimates import FEWEST_SEEDS, Claim, fixed_models, retrained
from studies import calibrate as script
from studies.calibration import calibration as counting
from studies.calibration.calibration import (
    FAMILIES,
    SEEDS,
    Calibration,
    Cell,
    Effect,
    Rate,
    cells_of,
    family_rate,
)
from studies.calibration.page import page, write_calibration
from studies.calibration.scenarios import SCENARIOS, of_seven
from studies.calibration.shortfalls import shortfalls, too_few
from studies.calibration.simulation import simulate

TRIALS = 1000
GOOD, BAD = Rate(50, TRIALS), Rate(90, TRIALS)
COVERED, UNCOVERED = Rate(950, TRIALS), Rate(900, TRIALS)
ONCE = Effect(4.0, Rate(810, TRIALS), COVERED, COVERED)
TWICE = Effect(8.0, Rate(990, TRIALS), COVERED, COVERED)
FILES = ("calibration.json", "calibration.md", "calibration.png")


def _cell(seeds: int = 10, **changed: Any) -> Cell:
    return replace(Cell("both", seeds, GOOD, GOOD, 4.0, ONCE, TWICE), **changed)


def _shortfalls(*cells: Cell, **others: dict[str, Rate]) -> list[str]:
    families, bootstrap = others.get("families", {}), others.get("bootstrap", {})
    return shortfalls(Calibration(cells, families, bootstrap))


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Draw few resamples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "RESAMPLES", 50)
        yield


@pytest.fixture(scope="module")
def counted() -> Calibration:
    """All that two trials per cell come to."""
    return counting.calibrate(2, lambda _: None)


# --- Rates ---


@pytest.mark.parametrize(("hits", "trials"), [(0, 50), (50, 50), (7, 50)])
def test_a_rate_has_the_exact_binomial_interval(hits: int, trials: int) -> None:
    rate = Rate.of(trial < hits for trial in range(trials))
    assert rate == Rate(hits, trials)
    assert rate.percent == 100 * hits / trials
    # Each end is where what was seen, or more of it, has a chance of 2.5 %.
    low, high = rate.interval
    assert low == 0 if hits == 0 else _tail(hits, trials, low, "greater") == pytest.approx(0.025)
    assert (
        high == 100 if hits == trials else _tail(hits, trials, high, "less") == pytest.approx(0.025)
    )


def _tail(hits: int, trials: int, percent: float, side: str) -> float:
    return float(binomtest(hits, trials, percent / 100, alternative=side).pvalue)


# --- Counting ---


def test_a_cell_counts_what_the_statistics_say_of_its_trials() -> None:
    scenario = SCENARIOS[-1]
    cells = {cell.seeds: cell for cell in cells_of(scenario, 12)}
    trials = [study.trial(scenario, 5) for study in simulate(scenario, max(SEEDS), 12, "null")]
    claims = [retrained(trial.paired) for trial in trials]
    assert cells[5].type_1_error == Rate.of(claim.p <= 0.05 for claim in claims)
    intervals = [fixed_models(trial.paired).interval() for trial in trials]
    assert cells[5].fixed_noncoverage == Rate.of(
        not low <= trial.truth <= high for trial, (low, high) in zip(trials, intervals, strict=True)
    )
    median = np.median([claim.minimum_detectable(1) for claim in claims])
    assert cells[5].minimum_detectable == pytest.approx(median, abs=1e-4)


def test_counts_are_those_of_the_code_before_it_was_rewritten() -> None:
    # Commit 729d475, 24 trials: the streams of random numbers are the same.
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "one collapsed")
    cells = {cell.seeds: cell for cell in cells_of(scenario, 24)}
    assert [cells[seeds].type_1_error.hits for seeds in SEEDS] == [1, 2, 3, 3, 2]
    assert [cells[seeds].minimum_detectable for seeds in SEEDS] == [
        25.3265,
        26.4449,
        20.4948,
        17.0596,
        12.2571,
    ]


def test_effects_are_one_and_two_times_the_minimum_detectable(counted: Calibration) -> None:
    effects = [cell for cell in counted.cells if cell.once and cell.twice]
    assert len(effects) > 20
    for cell in effects:
        assert cell.once
        assert cell.twice
        assert cell.once.points == pytest.approx(cell.minimum_detectable)
        assert cell.twice.points == pytest.approx(2 * cell.minimum_detectable, abs=1e-3)


def test_what_no_fusion_can_lose_is_not_simulated() -> None:
    collapsing = next(scenario for scenario in SCENARIOS if scenario.name == "collapsed 0.3")
    three = cells_of(collapsing, 10)[0]
    assert three.minimum_detectable > 50
    assert three.once is None
    assert three.twice is None
    assert three.as_json()["at_minimum_detectable"] is None


def test_numbers_of_a_scenario_do_not_depend_on_the_others(counted: Calibration) -> None:
    scenario = SCENARIOS[3]
    expected = [cell for cell in counted.cells if cell.scenario == scenario.name]
    assert cells_of(scenario, 2) == expected


def test_statistics_that_claim_everything_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "retrained", lambda paired: Claim(paired.difference, 1e-9, 10.0))
    cells = cells_of(SCENARIOS[3], 5)
    assert all(cell.type_1_error == Rate(5, 5) for cell in cells)
    assert all(cell.once is None or cell.once.coverage.hits == 0 for cell in cells)
    assert "type I error is 100.0 %" in _shortfalls(*cells)[0]
    assert family_rate(of_seven("both"), 2) == Rate(2, 2)


def test_a_claim_in_the_wrong_direction_is_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "retrained", lambda _: Claim(-1.0, 1e-9, 4.0))
    assert all(cell.once and cell.once.power.hits == 0 for cell in cells_of(SCENARIOS[0], 2))


# --- What falls short ---


def test_promises_that_are_kept_are_not_listed() -> None:
    assert _shortfalls(_cell(), families={"both": GOOD}, bootstrap={"both": COVERED}) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"type_1_error": BAD}, "type I error is 9.0 % (7.3–10.9)"),
        ({"fixed_noncoverage": BAD}, "fixed models misses its truth in 9.0 %"),
        ({"once": replace(ONCE, coverage=UNCOVERED)}, "at the minimum detectable difference, cov"),
        ({"twice": replace(TWICE, coverage=UNCOVERED)}, "at twice the minimum detectable diff"),
        ({"once": replace(ONCE, fixed_coverage=UNCOVERED)}, "at the minimum detectable"),
        ({"twice": replace(TWICE, fixed_coverage=UNCOVERED)}, "interval for fixed models is 90"),
        ({"once": replace(ONCE, power=Rate(700, TRIALS))}, "difference, power is 70.0 %"),
        ({"twice": replace(TWICE, power=Rate(799, TRIALS))}, "at twice the minimum detectable"),
        ({"once": None, "twice": None}, "more than a fusion can lose"),
    ],
)
def test_a_broken_promise_is_listed(broken: dict[str, Any], words: str) -> None:
    (sentence,) = _shortfalls(_cell(), _cell(**broken))
    assert sentence.startswith("Seeds and ids differ: ")
    assert words in sentence
    assert "10 seeds" in sentence


def test_one_sentence_names_every_number_of_seeds_that_breaks_a_promise() -> None:
    (sentence,) = _shortfalls(_cell(5, type_1_error=BAD), _cell(8), _cell(20, type_1_error=BAD))
    assert "with 5 seeds, " in sentence
    assert "with 20 seeds." in sentence
    assert "8 seeds" not in sentence


def test_power_at_twice_is_promised_for_ten_seeds_only() -> None:
    assert _shortfalls(_cell(5, twice=replace(TWICE, power=Rate(500, TRIALS)))) == []


def test_cells_of_too_few_seeds_promise_nothing_and_are_told_apart() -> None:
    few = _cell(FEWEST_SEEDS - 1, type_1_error=BAD)
    assert _shortfalls(few, _cell()) == []
    (sentence,) = too_few(Calibration([few, _cell(type_1_error=BAD)], {}, {}))
    assert "with 4 seeds" in sentence


def test_families_and_bootstraps_that_fall_short_are_listed() -> None:
    family, bootstrap = _shortfalls(_cell(), families={"both": BAD}, bootstrap={"ids": UNCOVERED})
    assert family.startswith("Seeds and ids differ, seven like fusions")
    assert bootstrap.startswith("Ids differ most: coverage of the two-way bootstrap")


# --- What is written ---


def test_the_page_lists_the_broken_cell_or_says_that_there_is_none() -> None:
    kept = page(Calibration([_cell()], {"both": GOOD}, {}))
    assert "Nothing does." in kept
    assert "**" not in kept
    broken = page(Calibration([_cell(type_1_error=BAD)], {"both": GOOD}, {}))
    assert "Nothing does." not in broken
    assert "- Seeds and ids differ: type I error is 9.0 %" in broken
    assert "| **9.0** (7.3–10.9) " in broken


def test_page_and_json_hold_every_cell_and_the_picture_fits_a_page(
    counted: Calibration, tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        write_calibration(counted, tmp_path / folder)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    cells = json.loads((tmp_path / "one/calibration.json").read_text("utf-8"))["cells"]
    assert [(cell["scenario"], cell["seeds"]) for cell in cells] == [
        (scenario.name, seeds) for scenario in SCENARIOS for seeds in SEEDS
    ]
    lines = (tmp_path / "one/calibration.md").read_text("utf-8").splitlines()
    for scenario in SCENARIOS:
        rows = [line for line in lines if line.split("|")[1:2] and
                line.split("|")[1].strip() == scenario.title]  # fmt: skip
        assert len(rows) == 1 + len(SEEDS)
    assert set(counted.families) == set(FAMILIES)
    with Image.open(tmp_path / "one/calibration.png") as picture:
        assert picture.width <= 2000
        assert picture.height < picture.width


def test_the_script_writes_three_files_and_reports_each_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "SEEDS", (3, 5))
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--trials", "1", "--folder", str(tmp_path)])
    script.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    shown = capsys.readouterr().out
    assert not [scenario.name for scenario in SCENARIOS if f"{scenario.name}: " not in shown]


def test_the_script_refuses_no_trials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--trials", "0"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "1 or more" in capsys.readouterr().err
