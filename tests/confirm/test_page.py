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
from fusebench.report.pairs import pairs_of
from fusebench.report.verdict import verdict

PRIMARY = "balanced_accuracy"


def said_before(
    seeds: int = 5,
    earlier: tuple[Opening, ...] = (),
    others: tuple[Opening, ...] = (),
    shallow: bool = False,
) -> str:
    holdout = Holdout.of(manifest("hhhh"), [0])
    text = before(holdout, METRICS[PRIMARY], seeds, earlier, others, shallow)
    assert max(map(len, text.splitlines())) <= 100
    return " ".join(text.split())


def test_samples_seeds_and_no_opening_are_said_before() -> None:
    assert said_before() == (
        "Holdout: 3 cubes, 1 spheres; one of spheres is worth 50.00 points of balanced accuracy, "
        "one of cubes 16.67. 5 seed(s). It was not opened before, as far as git knows."
    )


def test_few_seeds_are_said_before() -> None:
    assert "4 seed(s) are too few to say anything of the fusions, retrained" in said_before(4)


def test_earlier_openings_are_a_warning() -> None:
    said = said_before(earlier=(FIRST, SECOND))
    assert (
        "Warning: this is the 3rd time (before: 2031-05-17T09:30:00Z on aaaaaaa, "
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
    test, holdout = (Judged.of(study(seeds), PRIMARY) for seeds in (6, 5))
    return Confirmation(replace(FIRST, counts="66 cubes; 26 spheres"), (), PRIMARY, test, holdout)


def test_statistics_are_those_of_test(confirmation: Confirmation) -> None:
    pairs = pairs_of(study(5), PRIMARY)
    assert confirmation.holdout.pairs.equals(pairs)
    assert confirmation.holdout.sentences == verdict(pairs)


def test_the_page_says_when_on_what_and_what_came_out(confirmation: Confirmation) -> None:
    page = confirmation.markdown()
    assert page.startswith("# The holdout\n\n")
    assert (
        f"Opened at 2031-05-17T09:30:00Z on commit {'a' * 40}, for the 1st time: 66 cubes, "
        "26 spheres; seeds 0, 1.\n\nOn test: " in page
    )
    first, *pairs = confirmation.holdout.sentences
    assert f"\nOn test: {confirmation.test.sentences[0]}\n" in page
    assert f"\nOn the holdout: {first}\n" in page
    assert all(f"\n- {sentence}\n" in page for sentence in pairs)
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
    judged = Judged.of(study(1), PRIMARY)
    confirmation = Confirmation(FIRST, (), PRIMARY, judged, judged)
    assert "±" not in confirmation.screen()
    assert metrics_table(judged, judged)["test_deviation"].isna().all()
