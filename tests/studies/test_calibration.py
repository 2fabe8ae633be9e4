"""Counting wrong claims: the counts are right, and what falls short is said."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scipy.stats import binomtest

from fusebench.report import pairs, study
from fusebench.statistics import failures
from fusebench.statistics.estimates import FEWEST_SEEDS, Claim, fixed_models, retrained
from studies import calibrate as script
from studies.calibration import calibration as counting
from studies.calibration import cells, families
from studies.calibration.calibration import Calibration, calibrate
from studies.calibration.cells import SEEDS, Cell, cell_of, outcomes
from studies.calibration.counts import Family
from studies.calibration.page import page, write_calibration
from studies.calibration.plans import PILOTS, PLANS, Planned
from studies.calibration.rates import Rate
from studies.calibration.scenarios import SCENARIOS, Scenario
from studies.calibration.shortfalls import bought, shortfalls, too_few
from studies.calibration.simulation import MARGIN, seeds_of, simulate
from studies.calibration.work import Job, spread
from studies.calibration.worlds import WORLDS

TRIALS = 1000
GOOD, BAD = Rate(50, TRIALS), Rate(90, TRIALS)
COVERED, UNCOVERED = Rate(950, TRIALS), Rate(900, TRIALS)
SHOWN, NOT_SHOWN = Rate(810, TRIALS), Rate(700, TRIALS)
FILES = ("calibration.json", "calibration.md", "calibration.png")
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}

CELL = Cell("both", 10, GOOD, GOOD, GOOD, COVERED, SHOWN, GOOD, COVERED, COVERED)
SAID = {
    "false": GOOD, "coverage": COVERED, "bounds": COVERED, "candidate": COVERED, "good": GOOD,
    "false_good": GOOD,
}  # fmt: skip
FAMILY = Family(
    "alike, collapsing", 10, SAID, SAID, SAID, SAID, SAID, SAID, GOOD, 60.0, 60.0,
    Rate(350, TRIALS), COVERED,
)  # fmt: skip
PLANNED = Planned(PLANS[0], 10, GOOD, 12.0, 40.0, SHOWN, SHOWN)
KEPT = Calibration([FAMILY], [CELL], [PLANNED], {"ids": COVERED})


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Draw few resamples, and look at few seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "RESAMPLES", 50)
        patch.setattr(families, "SEEDS", (5, 6))
        yield


@pytest.fixture(scope="module")
def counted() -> Calibration:
    """All that two trials per scenario come to."""
    return calibrate(2, lambda _: None)


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


def test_a_rate_of_nothing_breaks_no_promise() -> None:
    nothing = Rate(0, 0)
    assert not any((nothing.often, nothing.seldom, nothing.weak))
    assert str(nothing) == "–"
    assert nothing.as_json()["percent"] is None


def test_a_promise_is_broken_beyond_chance_only() -> None:
    assert not Rate(6, 100).often
    assert Rate(600, 10_000).often
    assert not Rate(94, 100).seldom
    assert Rate(9400, 10_000).seldom
    assert Rate(7000, 10_000).weak


# --- Two fusions ---


def _cells(scenario: Scenario, trials: int, seeds: tuple[int, ...] = (5,)) -> list[Cell]:
    found = outcomes(scenario, seeds, trials, 0)
    return [cell_of(scenario, count, one) for count, one in zip(seeds, found, strict=True)]


def test_a_cell_counts_what_the_statistics_say_of_its_trials() -> None:
    scenario = BY_NAME["one collapsed"]
    (cell,) = _cells(scenario, 12)
    trials = [study.trial(scenario, 5) for study in simulate(scenario, 5, 12, "pair")]
    claims = [retrained(trial.paired) for trial in trials]
    assert cell.by_means == Rate.of(claim.p <= 0.05 for claim in claims)
    intervals = [fixed_models(trial.paired).interval() for trial in trials]
    assert cell.fixed_noncoverage == Rate.of(
        not low <= trial.truth <= high for trial, (low, high) in zip(trials, intervals, strict=True)
    )


@pytest.mark.parametrize("name", ["both", "one collapsed", "collapsed 0.3"])
def test_what_a_cell_calls_wrong_is_what_the_product_would_say_of_one_contrast(name: str) -> None:
    scenario = BY_NAME[name]
    for simulated in simulate(scenario, 10, 8, "pair"):
        rights = dict(zip(("a", "b"), simulated.rights(scenario, 10), strict=True))
        values = seeds_of(rights)
        paired = simulated.trial(scenario, 10).paired
        row = {
            "metric": "balanced_accuracy", "role": "planned", "first": "a", "second": "b",
            "difference": paired.difference, **study.by_components(paired, None),
            **study.by_seeds(values["a"], values["b"], MARGIN, higher_is_better=True),
        }  # fmt: skip
        (pair,) = pairs.pair_rows(pairs.correct(pairs.frame_of([row])))
        outcome = cells.examine(simulated, scenario, 10)
        assert outcome.irregular is (pair.compares == "successes")
        if not outcome.irregular:
            # Means are equal in truth, so any claim is wrong.
            assert outcome.false is outcome.claimed is (pair.holm <= 0.05)
        elif name != "one collapsed":
            assert outcome.false is (pair.holm <= 0.05)


def test_the_bound_of_a_collapse_rate_is_held_against_the_true_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _cells(BY_NAME["collapsed 0.3"], 10)[0].bounded == Rate(20, 20)
    assert _cells(BY_NAME["one collapsed"], 10)[0].bounded == Rate(10, 10)
    assert _cells(BY_NAME["both"], 2)[0].bounded == Rate(0, 0)
    monkeypatch.setattr(failures, "rate_at_most", lambda *_: 0.2)
    assert _cells(BY_NAME["collapsed 0.3"], 10)[0].bounded == Rate(0, 20)


def test_statistics_that_claim_everything_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "retrained", lambda paired: Claim(paired.difference, 1e-9, 10.0))
    monkeypatch.setattr(failures, "irregular", lambda *_: False)
    (cell,) = _cells(BY_NAME["both"], 5)
    assert cell.type_1_error == cell.by_means == Rate(5, 5)
    assert cell.coverage.hits == 0
    assert (
        "a single contrast is wrongly shown in 100.0 %"
        in shortfalls(replace(KEPT, cells=[cell]))[0]
    )


def test_a_claim_in_the_wrong_direction_is_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "retrained", lambda _: Claim(-1.0, 1e-9, 4.0))
    (cell,) = _cells(SCENARIOS[0], 2)
    assert cell.power.hits == 0


# --- All of it ---


def test_numbers_do_not_depend_on_others_nor_on_pieces(counted: Calibration) -> None:
    scenario = SCENARIOS[3]
    expected = [cell for cell in counted.cells if cell.scenario == scenario.name]
    assert _cells(scenario, 2, SEEDS) == expected
    jobs = [Job(outcomes, (scenario, (5, 6)), 3)]
    (whole,) = spread(jobs, 1)
    assert whole == [
        [*first, *second]
        for first, second in zip(
            outcomes(scenario, (5, 6), 2, 0), outcomes(scenario, (5, 6), 1, 2), strict=True
        )
    ]


def test_processes_count_the_same() -> None:
    jobs = [Job(outcomes, (scenario, (5,)), 60) for scenario in (SCENARIOS[0],)]
    assert len(jobs[0].pieces) == 2
    assert list(spread(jobs, 2)) == list(spread(jobs, 1))


# --- What falls short ---


def test_promises_that_are_kept_are_not_listed() -> None:
    assert shortfalls(KEPT) == []
    assert "Nothing does." in page(KEPT)
    assert "**" not in page(KEPT)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"said": SAID | {"false": BAD}}, "a claim among the planned contrasts is false in 9.0 %"),
        ({"said": SAID | {"coverage": UNCOVERED}}, "all simultaneous intervals of means hold in"),
        ({"said": SAID | {"bounds": UNCOVERED}}, "all bounds to the best hold in 90.0 %"),
        ({"said": SAID | {"candidate": UNCOVERED}}, "the best in truth is not shown to be worse"),
        ({"said": SAID | {"false_good": BAD}}, "a fusion is wrongly called as good as the best in"),
        ({"unseen": SAID | {"false": BAD}}, "shows no such seed, a claim among the planned contr"),
        ({"unseen": SAID | {"false_good": BAD}}, "shows no such seed, a fusion is wrongly called"),
        ({"unseen": SAID | {"candidate": UNCOVERED}}, "shows no such seed, the best in truth is"),
        ({"bounded": UNCOVERED}, "the bound of the collapse rate holds in 90.0 % (88.0–91.8)"),
    ],
)
def test_a_broken_promise_of_seven_is_listed(broken: dict[str, Any], words: str) -> None:
    changed = replace(KEPT, families=[FAMILY, replace(FAMILY, seeds=20, **broken)])
    (sentence,) = shortfalls(changed)
    assert sentence.startswith("Seven alike, 1 seed in 10 of each collapsed: ")
    assert words in sentence
    assert "20 seeds" in sentence
    assert "10 seeds" not in sentence
    assert f"- {sentence}\n" in page(changed)
    assert "Nothing does." not in page(changed)
    assert "| **9" in page(changed)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"type_1_error": BAD}, "a single contrast is wrongly shown in 9.0 % (7.3–10.9)"),
        ({"coverage": UNCOVERED}, "with a difference of 5 points, the interval of means holds in"),
        ({"fixed_noncoverage": BAD}, "fixed models misses its truth in 9.0 %"),
        ({"fixed_coverage": UNCOVERED}, "the interval for fixed models holds in 90.0 %"),
        ({"bounded": UNCOVERED}, "the bound of the collapse rate holds in 90.0 %"),
    ],
)
def test_a_broken_promise_of_two_is_listed(broken: dict[str, Any], words: str) -> None:
    changed = replace(KEPT, cells=[replace(CELL, seeds=5, **broken), CELL])
    (sentence,) = shortfalls(changed)
    assert sentence.startswith("Two fusions, seeds and ids differ: ")
    assert words in sentence
    assert sentence.endswith("with 5 seeds.")
    assert "| **9" in page(changed)


def test_a_plan_that_shows_too_little_is_listed() -> None:
    changed = replace(KEPT, plans=[replace(PLANNED, as_printed=NOT_SHOWN)])
    (sentence,) = shortfalls(changed)
    assert "5 points" in sentence
    assert sentence.endswith("in 70.0 % (67.1–72.8) with pilots of 10 seeds.")
    # What is not printed decides nothing, nor do pilots that the product refuses.
    for kept in (
        replace(PLANNED, power=NOT_SHOWN),
        replace(PLANNED, as_printed=NOT_SHOWN, pilot=5),
    ):
        assert shortfalls(replace(KEPT, plans=[kept])) == []


def test_one_sentence_names_every_number_of_seeds_that_breaks_a_promise() -> None:
    bad = [replace(CELL, seeds=seeds, type_1_error=BAD) for seeds in (5, 20)]
    (sentence,) = shortfalls(replace(KEPT, cells=[bad[0], CELL, bad[1]]))
    assert "with 5 seeds, " in sentence
    assert "with 20 seeds." in sentence


def test_what_irregular_seeds_buy_and_cost_is_said_of_the_worlds_where_it_is_most() -> None:
    assert bought([FAMILY]) == ""
    other = replace(FAMILY, world="alike", by_means=SAID | {"false": BAD}, power_by_means=75.0)
    sentences = bought([FAMILY, other])
    assert "false claims in 5.0 % in place of 9.0 % (seven alike; 10 seeds)" in sentences
    assert "power of 60.0 % in place of 75.0 % (seven alike; 10 seeds)" in sentences
    assert sentences in page(replace(KEPT, families=[FAMILY, other]))


def test_cells_of_too_few_seeds_promise_nothing_and_are_told_apart() -> None:
    few = replace(CELL, seeds=FEWEST_SEEDS - 1, type_1_error=BAD)
    changed = replace(KEPT, cells=[few, replace(CELL, type_1_error=BAD)])
    assert shortfalls(replace(KEPT, cells=[few, CELL])) == []
    (sentence,) = too_few(changed)
    assert "with 4 seeds" in sentence
    assert f"- {sentence}\n" in page(changed)


def test_a_bootstrap_that_falls_short_is_listed() -> None:
    (sentence,) = shortfalls(replace(KEPT, bootstrap={"ids": UNCOVERED}))
    assert sentence.startswith("Two fusions, ids differ most: the two-way bootstrap's interval")


# --- What is written ---


def test_page_and_json_hold_all_and_the_picture_fits_a_page(
    counted: Calibration, tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        write_calibration(counted, tmp_path / folder)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    numbers = json.loads((tmp_path / "one/calibration.json").read_text("utf-8"))
    assert numbers["shortfalls"] == shortfalls(counted)
    assert [(cell["scenario"], cell["seeds"]) for cell in numbers["cells"]] == [
        (scenario.name, seeds) for scenario in SCENARIOS for seeds in SEEDS
    ]
    assert [(family["world"], family["seeds"]) for family in numbers["families"]] == [
        (world.name, seeds) for world in WORLDS for seeds in (5, 6)
    ]
    assert len(numbers["plans"]) == len(PILOTS) * len(PLANS)
    lines = (tmp_path / "one/calibration.md").read_text("utf-8").splitlines()
    for scenario in SCENARIOS:
        rows = [line for line in lines if line.split("|")[1:2] and
                line.split("|")[1].strip() == scenario.title]  # fmt: skip
        plans = sum(plan.name == scenario.name for plan in PLANS)
        assert len(rows) == 1 + len(SEEDS) + len(PILOTS) * plans, scenario.name
    with Image.open(tmp_path / "one/calibration.png") as picture:
        assert picture.width <= 2000
        assert picture.height < picture.width


def test_the_script_writes_three_files_and_reports_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cells, "SEEDS", (3, 5))
    folder = str(tmp_path)
    arguments = ["calibrate.py", "--trials", "1", "--workers", "1", "--folder", folder]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    shown = capsys.readouterr().out
    names = [scenario.name for scenario in SCENARIOS] + [world.name for world in WORLDS]
    assert not [name for name in names if f"{name}: 1 studies of" not in shown]


@pytest.mark.parametrize("option", ["--trials", "--workers"])
def test_the_script_refuses_none(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["calibrate.py", option, "0"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "1 or more" in capsys.readouterr().err


def test_the_library_knows_nothing_of_the_studies() -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    assert not [
        path
        for path in source.rglob("*.py")
        if re.search(r"^\s*(from|import) studies\b", _imports(path), re.MULTILINE)
    ]


def _imports(path: Path) -> str:
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if line.lstrip().startswith(("import ", "from ")))
