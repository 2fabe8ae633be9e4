"""What was measured on the demonstration tasks: read with clear errors, and never more said."""

import math
from pathlib import Path

import pytest
from tests.project import ROOT

from fusebench.errors import ArtifactError
from fusebench.report.suite import (
    SUITE_KINDS,
    SUMMARY,
    SuiteRow,
    advice,
    parse_suite,
    read_suite,
    write_suite,
)

ROW = SuiteRow(
    task="shape", align="none", fusion="concat", seeds=10, solved=10, solved_low=0.6915,
    solved_high=1.0, median_epoch=4.0, accuracy=99.1, budget_epochs=60, train_samples=500,
    image_size=32, cell="shape", probe="",
)  # fmt: skip
NEVER = ROW._replace(
    fusion="late", solved=0, solved_low=0.0, solved_high=0.3085, median_epoch=math.nan,
    accuracy=math.nan,
)  # fmt: skip
OFTEN = ROW._replace(
    fusion="add", solved=7, solved_low=0.3475, solved_high=0.9333, median_epoch=9.5
)
HEADER = (ROOT / SUMMARY).read_text("utf-8").splitlines()[0]


def test_the_kept_file_is_one_that_can_be_read() -> None:
    rows = read_suite(ROOT / SUMMARY)
    assert HEADER.split(",") == list(SUITE_KINDS)
    assert all(isinstance(row, SuiteRow) for row in rows)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "deep/summary.csv"
    write_suite(path, [ROW, NEVER])
    first, second = read_suite(path)
    assert first == ROW
    assert [type(value) for value in first] == list(SUITE_KINDS.values())
    assert str(second) == str(NEVER)
    write_suite(path, [])
    assert path.read_text("utf-8") == f"{','.join(SUITE_KINDS)}\n"
    assert read_suite(path) == []


def test_further_columns_are_left_out() -> None:
    cells = ",".join(map(str, ROW))
    assert parse_suite(f"{','.join(SUITE_KINDS)},note\n{cells},x\n") == [ROW]


def _line(row: SuiteRow) -> str:
    return ",".join("" if value != value else str(value) for value in row)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("task,fusion\n", "column 'align' is missing"),
        (f"{HEADER}\nshape,none\n", "line 2 has 2 cells, the header has 14"),
        (f"{HEADER}\n{_line(ROW).replace(',10,', ',ten,', 1)}\n",
         "line 2: seeds = 'ten': must be int"),
        (f"{HEADER}\n{_line(ROW._replace(task=''))}\n", "line 2: task is empty"),
        (f"{HEADER}\n{_line(ROW)}\n{_line(ROW)}\n",
         "line 3: a second row of "),
        (f"{HEADER}\n{_line(ROW._replace(seeds=0))}\n", "line 2: seeds = 0: must be 1 or more"),
        (f"{HEADER}\n{_line(ROW._replace(solved=11))}\n",
         "line 2: solved = 11: must be between 0 and seeds, 10"),
        (f"{HEADER}\n{_line(OFTEN._replace(solved_low=0.8))}\n",
         "line 2: solved_low, solved_high = 0.8, 0.9333: must be between 0 and 1, with 0.7 "
         "between them"),
        (f"{HEADER}\n{_line(NEVER._replace(solved_low=math.nan))}\n",
         "line 2: solved_low, solved_high = nan, 0.3085: must be between 0 and 1"),
        (f"{HEADER}\n{_line(ROW._replace(median_epoch=61.0))}\n",
         "line 2: median_epoch = 61.0: must be between 0 and 60"),
        (f"{HEADER}\n{_line(ROW._replace(accuracy=math.nan))}\n",
         "line 2: accuracy = nan: must be between 0 and 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        parse_suite(text)
    said = str(caught.value)
    assert said.startswith(f"{SUMMARY}: {reason}")
    assert said.endswith(f"; 'git restore {SUMMARY}' mends it")


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    with pytest.raises(ArtifactError, match=r"summary\.csv: no such file; 'git restore"):
        read_suite(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ArtifactError, match=r"summary\.csv: broken \("):
        read_suite(path)


# --- Advice ---

HEAD = (
    "On task shape (lidar.align none, 32 × 32 pixels, 500 training samples, up to 60 epochs), of "
    "the {} tried, "
)
TAIL = " That was measured on the task, not on your data."


def test_fusions_that_solve_it_always_stand_in_the_order_of_their_epochs() -> None:
    later = [ROW._replace(fusion=name, median_epoch=e) for name, e in (("b", 8.5), ("c", 12.0))]
    rows = [*later, NEVER, OFTEN, ROW]
    assert advice(["shape"], rows) == HEAD.format("5 fusions that were") + (
        "3 solved the task in all 10 seeds (95 % interval of that share: 69 to 100 %), by the "
        "epoch in which half of the seeds had: concat (4); b (8.5); c (12); that order was not "
        "tested." + TAIL
    )
    untimed = [*rows, ROW._replace(fusion="d", median_epoch=math.nan)]
    assert "c (12); d (not timed); that" in advice(["shape"], untimed)


def test_unlike_numbers_of_seeds_are_not_called_equal() -> None:
    few = ROW._replace(fusion="few", seeds=3, solved=3, solved_low=0.2924)
    assert advice(["shape"], [ROW, few]) == HEAD.format("2 fusions that were") + (
        "2 solved the task in all their seeds (95 % interval of that share: 29 to 100 %), by the "
        "epoch in which half of the seeds had: concat, few (4)." + TAIL
    )


def test_where_none_always_solves_it_the_most_frequent_is_named_with_its_interval() -> None:
    assert advice(["shape"], [NEVER, OFTEN]) == HEAD.format("2 fusions that were") + (
        "none solved the task in all its seeds; most often add (7 of 10 seeds; 95 % interval of "
        "that share: 35 to 93 %)." + TAIL
    )


def test_where_none_ever_solves_it_that_is_said() -> None:
    assert advice(["shape"], [NEVER]) == HEAD.format("one fusion that was") + (
        "none solved the task in any seed (0 of 10 seeds; 95 % interval of that share: 0 to 31 %)."
        + TAIL
    )


def test_what_was_trained_otherwise_is_apart() -> None:
    camera = ROW._replace(task="match", align="camera", cell="match-camera")
    none = NEVER._replace(task="match", cell="match")
    said = advice(["match"], [camera, none])
    assert "lidar.align camera" in said.partition("none solved")[0]
    assert said.count("of the one fusion that was tried") == 2
    assert said.count(TAIL) == 1


def test_a_probe_is_no_advice_and_a_median_may_be_missing() -> None:
    half = OFTEN._replace(median_epoch=math.nan)
    probe = NEVER._replace(fusion="gated", cell="shape-long", probe="shape", budget_epochs=90)
    said = advice(["shape"], [half, probe])
    assert said == advice(["shape"], [half])
    assert "most often add (7 of 10 seeds" in said


def test_without_results_or_without_a_task_no_fusion_is_named() -> None:
    assert advice(["shape"], []) == (
        "Of fusions on task shape there are no kept results (make interactions)."
    )
    said = advice(["xor", "nearest", "match"], [ROW, ROW._replace(task="xor", cell="xor")])
    assert said.startswith("On task xor (lidar.align none, ")
    assert said.endswith(
        " Of fusions on task nearest and match there are no kept results (make interactions)."
    )
    assert advice([], [ROW]) == "So what fusions did on these tasks is no advice for such data."
