"""Counting wrong claims: the counts are right, and what is broken is said."""

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

from fusebench.statistics.estimates import FEWEST_SEEDS, Claim, these_models, trained_again
from fusebench.statistics.paired import Paired
from studies import calibrate as script
from studies.calibration import calibration as counting
from studies.calibration.calibration import FAMILIES, SEEDS, cells_of, family_rate
from studies.calibration.page import page, write_calibration
from studies.calibration.rates import Calibration, Cell, Effect, Rate
from studies.calibration.scenarios import REGIMES, of_seven
from studies.calibration.shortfalls import shortfalls, too_few
from studies.calibration.simulation import draws

TRIALS = 1000
GOOD, BAD = Rate(50, TRIALS), Rate(90, TRIALS)
HELD = Effect(4.0, Rate(810, TRIALS), Rate(950, TRIALS), Rate(950, TRIALS))
TWICE = Effect(8.0, Rate(990, TRIALS), Rate(950, TRIALS), Rate(950, TRIALS))


def cell(seeds: int = 10, **changed: Any) -> Cell:
    return replace(Cell("both", seeds, GOOD, GOOD, 4.0, HELD, TWICE), **changed)


def found(*cells: Cell, **others: dict[str, Rate]) -> list[str]:
    return shortfalls(Calibration(cells, others.get("families", {}), others.get("bootstrap", {})))


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "DRAWS", 50)
        yield


@pytest.fixture(scope="module")
def counted() -> Calibration:
    return counting.calibrate(3, lambda _: None)


# --- Rates ---


@pytest.mark.parametrize(("hits", "trials"), [(0, 50), (50, 50), (7, 50), (1, 1), (112, 2000)])
def test_interval_of_a_rate_is_the_exact_binomial_one(hits: int, trials: int) -> None:
    expected = binomtest(hits, trials).proportion_ci(method="exact")
    found = Rate(hits, trials).interval
    assert found == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_a_rate_counts_what_happened() -> None:
    rate = Rate.of(each > 2 for each in range(8))
    assert rate == Rate(5, 8)
    assert rate.percent == 62.5


# --- Counting ---


def test_a_cell_counts_what_the_statistics_say_of_its_trials() -> None:
    regime = REGIMES[-1]
    cells = {cell.seeds: cell for cell in cells_of(regime, 12)}
    trials = [draw.trial(regime, 5) for draw in draws(regime, max(SEEDS), 12, "null")]
    claims = [trained_again(trial.paired) for trial in trials]
    assert cells[5].again == Rate(sum(claim.p <= 0.05 for claim in claims), 12)
    missed = 0
    for trial in trials:
        low, high = these_models(trial.paired).interval()
        missed += not low <= trial.truth <= high
    assert cells[5].models == Rate(missed, 12)
    median = np.median([claim.detectable(1) for claim in claims])
    assert cells[5].detectable == pytest.approx(median, abs=1e-4)


def test_effects_are_one_and_two_times_what_is_said_to_be_detectable() -> None:
    for cell in cells_of(REGIMES[0], 4):
        assert cell.once
        assert cell.twice
        assert cell.once.points == pytest.approx(cell.detectable)
        assert cell.twice.points == pytest.approx(2 * cell.detectable, abs=1e-3)


def test_what_no_fusion_can_lose_is_not_simulated() -> None:
    stuck = next(regime for regime in REGIMES if regime.name == "stuck 0.3")
    three = cells_of(stuck, 10)[0]
    assert three.detectable > 50
    assert three.once is None
    assert three.twice is None
    assert three.as_json()["at_detectable"] is None


def test_numbers_of_a_regime_do_not_depend_on_the_others(counted: Calibration) -> None:
    regime = REGIMES[3]
    assert cells_of(regime, 3) == [each for each in counted.cells if each.regime == regime.name]


def overconfident(paired: Paired) -> Claim:
    return Claim(paired.difference, 1e-9, 10.0)


def test_statistics_that_claim_everything_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "trained_again", overconfident)
    cells = cells_of(REGIMES[3], 10)
    assert all(cell.again == Rate(10, 10) for cell in cells)
    assert all(cell.once is None or cell.once.again.hits == 0 for cell in cells)
    told = found(*cells)
    assert "a difference is claimed where there is none, in 100.0 %" in told[0]
    assert family_rate(of_seven("both"), 2) == Rate(2, 2)


def test_a_claim_in_the_wrong_direction_shows_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        counting, "trained_again", lambda paired: Claim(-1.0, 1e-9, float(paired.seeds))
    )
    cells = cells_of(REGIMES[0], 3)
    assert all(cell.once and cell.once.shown.hits == 0 for cell in cells)


# --- What is said to be broken ---


def test_promises_that_are_kept_are_not_listed() -> None:
    assert found(cell(), families={"both": GOOD}, bootstrap={"both": Rate(950, TRIALS)}) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"again": BAD}, "a difference is claimed where there is none, in 9.0 % (7.3–10.9)"),
        ({"models": BAD}, "these trained models misses in 9.0 %"),
        ({"once": replace(HELD, again=Rate(900, TRIALS))}, "holds a difference as large as"),
        ({"twice": replace(TWICE, again=Rate(900, TRIALS))}, "holds a difference twice as"),
        ({"once": replace(HELD, models=Rate(900, TRIALS))}, "that differ so, holds only in"),
        ({"twice": replace(TWICE, models=Rate(900, TRIALS))}, "that differ twice so, holds only"),
        ({"once": replace(HELD, shown=Rate(700, TRIALS))}, "called detectable is shown only in 70"),
        ({"twice": replace(TWICE, shown=Rate(799, TRIALS))}, "twice the difference that is called"),
        ({"once": None, "twice": None}, "more than a fusion can lose"),
    ],
)
def test_a_broken_promise_is_listed(broken: dict[str, Any], words: str) -> None:
    told = found(cell(), cell(**broken))
    assert len(told) == 1
    assert told[0].startswith("Seeds and ids differ: ")
    assert words in told[0]
    assert "10" in told[0]


def test_one_sentence_names_every_number_of_seeds_that_breaks_a_promise() -> None:
    told = found(cell(5, again=BAD), cell(8), cell(20, again=BAD))
    assert len(told) == 1
    assert "with 5 seeds, " in told[0]
    assert "with 20 seeds." in told[0]
    assert "8 seeds" not in told[0]


def test_power_at_twice_is_promised_for_ten_seeds_only() -> None:
    assert found(cell(5, twice=replace(TWICE, shown=Rate(500, TRIALS)))) == []


def test_cells_of_too_few_seeds_promise_nothing_and_are_told_apart() -> None:
    few = cell(FEWEST_SEEDS - 1, again=BAD)
    assert found(few, cell()) == []
    assert "with 4 seeds" in too_few(Calibration([few, cell(again=BAD)], {}, {}))[0]
    assert too_few(Calibration([cell(again=BAD)], {}, {})) == []


def test_broken_families_and_bootstraps_are_listed() -> None:
    told = found(cell(), families={"both": BAD}, bootstrap={"ids": Rate(900, TRIALS)})
    assert [line.split(",")[0].split(":")[0] for line in told] == [
        "Seeds and ids differ", "Ids differ most"
    ]  # fmt: skip


# --- What is written ---


def test_the_page_lists_the_broken_cell_or_says_that_there_is_none() -> None:
    kept = page(Calibration([cell()], {"both": GOOD}, {}))
    assert "Nothing does." in kept
    assert "**" not in kept
    broken = page(Calibration([cell(again=BAD)], {"both": GOOD}, {}))
    assert "Nothing does." not in broken
    assert "- Seeds and ids differ: a difference is claimed where there is none, in 9.0 %" in broken
    assert "| **9.0** (7.3–10.9) |" in broken


def test_the_same_trials_give_the_same_bytes(counted: Calibration, tmp_path: Path) -> None:
    write_calibration(counted, tmp_path / "one")
    write_calibration(counting.calibrate(3, lambda _: None), tmp_path / "two")
    for name in ("calibration.json", "calibration.md", "calibration.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_page_and_json_hold_every_cell(counted: Calibration, tmp_path: Path) -> None:
    write_calibration(counted, tmp_path)
    cells = json.loads((tmp_path / "calibration.json").read_text("utf-8"))["cells"]
    assert [(each["regime"], each["seeds"]) for each in cells] == [
        (regime.name, seeds) for regime in REGIMES for seeds in SEEDS
    ]
    text = (tmp_path / "calibration.md").read_text("utf-8")
    for regime in REGIMES:
        assert text.count(f"| {regime.title} |") == 1 + len(SEEDS)
    assert "](calibration.png)" in text
    assert set(counted.families) == set(FAMILIES)


def test_the_picture_fits_a_page(counted: Calibration, tmp_path: Path) -> None:
    write_calibration(counted, tmp_path)
    with Image.open(tmp_path / "calibration.png") as picture:
        assert picture.width <= 1000
        assert picture.height < picture.width


def test_the_script_writes_three_files_and_reports_each_regime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "SEEDS", (3, 5))
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--trials", "2", "--folder", str(tmp_path)])
    script.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "calibration.json", "calibration.md", "calibration.png"
    ]  # fmt: skip
    shown = capsys.readouterr().out
    assert not [regime.name for regime in REGIMES if f"{regime.name}: " not in shown]


def test_the_script_refuses_no_trials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--trials", "0"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "1 or more" in capsys.readouterr().err
