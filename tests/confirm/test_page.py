"""What is said before and after the holdout is opened."""

from dataclasses import replace

import pytest
from tests.confirm.test_holdout import manifest
from tests.confirm.test_record import ELSEWHERE, FIRST, SECOND
from tests.parts import study

from fusebench.confirm.holdout import Holdout
from fusebench.confirm.judged import Judged, metrics_table
from fusebench.confirm.page import Confirmation, before, ordinal
from fusebench.confirm.record import Opening
from fusebench.evaluation.metrics import METRICS
from fusebench.report.findings import compare_fusions
from fusebench.report.recommendation import recommendation, remarks
from fusebench.report.settings import CompareParams
from fusebench.report.verdict import sentences

PRIMARY = "balanced_accuracy"
DECLARED = CompareParams(
    temperature=True, primary=PRIMARY, margin={PRIMARY: 2.0}, contrasts=("any/any",)
)


def said_before(
    seeds: int = 5,
    earlier: tuple[Opening, ...] = (),
    others: tuple[Opening, ...] = (),
    shallow: bool = False,
) -> str:
    holdout = Holdout.of(manifest("hhhh"), [0])
    text = before(holdout, METRICS[PRIMARY], seeds, "It shows much.", earlier, others, shallow)
    assert max(map(len, text.splitlines())) <= 100
    return " ".join(text.split())


def test_samples_seeds_and_no_opening_are_said_before() -> None:
    assert said_before() == (
        "Holdout: 3 cubes, 1 spheres; one of spheres is worth 50.00 points of balanced accuracy, "
        "one of cubes 16.67. 5 seed(s). It shows much. It was "
        "not opened before, as far as git knows."
    )


def test_few_seeds_are_said_before() -> None:
    assert "4 seed(s) are too few to say anything of the fusions, trained again" in said_before(4)


def test_earlier_openings_are_a_warning() -> None:
    said = said_before(earlier=(FIRST, SECOND))
    assert (
        "Warning: this is the 3rd time (before: 2031-05-17T09:30:00Z on aaaaaaa and "
        "2031-06-01T00:00:00Z on bbbbbbb); a result chosen after an earlier look is no "
        "confirmation." in said
    )
    assert "not opened before" not in said


def test_openings_of_other_samples_and_a_shallow_clone_are_said() -> None:
    said = said_before(others=(ELSEWHERE,), shallow=True)
    assert "It was not opened before" in said
    assert "Opened with other samples, some of which may be the same: 2031-01-01T00:00:00Z" in said
    assert "Warning: this clone is shallow" in said


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (112, "112th")],
)  # fmt: skip
def test_a_number_of_times_is_in_words(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.fixture(scope="module")
def confirmation() -> Confirmation:
    test, holdout = (
        Judged.of(study(seeds), DECLARED, study(seeds)["late"], "anew") for seeds in (6, 5)
    )
    return Confirmation(replace(FIRST, counts="66 cubes; 26 spheres"), (), PRIMARY, test, holdout)


def test_statistics_are_those_of_test(confirmation: Confirmation) -> None:
    pairs, best = compare_fusions(study(5), DECLARED, study(5)["late"], draws="anew")
    assert confirmation.holdout.pairs.equals(pairs)
    assert confirmation.holdout.best.equals(best)
    assert confirmation.holdout.sentences == sentences(pairs)
    said = [recommendation(pairs, best), *remarks(pairs, best)]
    assert confirmation.holdout.answer == " ".join(said)
    assert "on other draws of this archive" in confirmation.holdout.answer


def test_a_threshold_that_no_fusion_beats_is_remarked_of_both_parts() -> None:
    judged = [Judged.of(study(seeds), DECLARED, study(seeds)["add"], "anew") for seeds in (6, 5)]
    page = Confirmation(FIRST, (), PRIMARY, *judged).markdown()
    assert page.count("A threshold on LiDAR hits × smallest range², fitted on train, has") == 2
    assert "threshold" not in judged[0].metrics


def test_the_page_says_when_on_what_and_what_came_out(confirmation: Confirmation) -> None:
    page = confirmation.markdown()
    assert page.startswith("# The holdout\n\n")
    assert (
        f"Opened at 2031-05-17T09:30:00Z on commit {'a' * 40}, for the 1st time: 66 cubes, "
        "26 spheres; seeds 0, 1.\n\nOn test: " in page
    )
    assert f"\nOn test: {confirmation.test.answer}\n" in page
    assert f"\nOn the holdout: {confirmation.holdout.answer}\n" in page
    assert all(f"\n- {sentence}\n" in page for sentence in confirmation.holdout.sentences)
    assert "Warning" not in page
    figures = confirmation.holdout.metrics["add"][PRIMARY]
    row = next(line for line in page.splitlines() if line.startswith("| add "))
    assert f" {figures['mean']:.2f} ± {figures['deviation']:.2f} |" in row


def test_the_screen_says_the_same_within_100_columns(confirmation: Confirmation) -> None:
    again = replace(confirmation, earlier=(FIRST,))
    text = again.screen()
    assert max(map(len, text.splitlines())) <= 100
    said = " ".join(text.split())
    assert "for the 2nd time" in said
    assert "Warning: this is the 2nd time" in said
    assert "Warning: this is the 2nd time" in again.markdown()
    assert all(sentence in said for sentence in again.holdout.sentences)
    assert all(name in text.splitlines()[-1 - n] for n, name in enumerate(("add", "concat")))


def test_all_metrics_stand_beside_those_of_test(confirmation: Confirmation) -> None:
    table = metrics_table(confirmation.test, confirmation.holdout)
    assert list(table.columns) == [
        "fusion", "metric", "test_mean", "test_deviation", "holdout_mean", "holdout_deviation",
    ]  # fmt: skip
    assert set(table["metric"]) == set(METRICS)
    row = table[(table["fusion"] == "late") & (table["metric"] == "nll")].iloc[0]
    assert row["test_mean"] == confirmation.test.metrics["late"]["nll"]["mean"]
    assert row["holdout_deviation"] == confirmation.holdout.metrics["late"]["nll"]["deviation"]


def test_one_seed_has_no_deviation() -> None:
    judged = Judged.of(study(1), DECLARED, study(1)["late"], "anew")
    confirmation = Confirmation(FIRST, (), PRIMARY, judged, judged)
    assert "±" not in confirmation.screen()
    assert metrics_table(judged, judged)["test_deviation"].isna().all()
