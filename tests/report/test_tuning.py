"""What tuning made of each fusion: read with clear errors."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.project import ROOT

from fusebench.errors import ArtifactError
from fusebench.report.tuning import (
    SUMMARY,
    TUNING_KINDS,
    TuningRow,
    parse_tuning,
    read_tuning,
    write_tuning,
)

ROW = TuningRow(
    fusion="concat", lr=0.00125, schedule="cosine", epochs=30, trials=8, val_nll=0.0063,
    default_balanced_accuracy=98.3, tuned_balanced_accuracy=98.9, default_rank=1.0, tuned_rank=2.0,
    default_seeds=10, tuned_seeds=5,
)  # fmt: skip
NEW = ROW._replace(
    fusion="late", default_balanced_accuracy=math.nan, default_rank=math.nan, tuned_rank=math.nan
)
HEADER = ",".join(TUNING_KINDS)


def _line(row: TuningRow) -> str:
    return ",".join("" if value != value else str(value) for value in row)


def test_the_kept_file_is_one_that_can_be_read() -> None:
    assert (ROOT / SUMMARY).read_text("utf-8").splitlines()[0] == HEADER
    assert all(isinstance(row, TuningRow) for row in read_tuning(ROOT / SUMMARY))


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "deep/summary.csv"
    write_tuning(path, [ROW, NEW])
    first, second = read_tuning(path)
    assert first == ROW
    assert [type(value) for value in first] == list(TUNING_KINDS.values())
    assert str(second) == str(NEW)
    # A rank is written whole.
    assert path.read_text("utf-8").splitlines()[1].endswith(",98.3,98.9,1,2,10,5")


def test_the_header_alone_says_that_nothing_was_run(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    write_tuning(path, [])
    assert path.read_text("utf-8") == f"{HEADER}\n"
    assert read_tuning(path) == []


@given(
    lr=st.floats(1e-6, 10), val_nll=st.floats(0, 100), accuracy=st.floats(0, 100),
    rank=st.integers(1, 99),
)  # fmt: skip
def test_what_can_be_is_read_as_it_is(
    lr: float, val_nll: float, accuracy: float, rank: int
) -> None:
    row = ROW._replace(
        lr=lr, val_nll=val_nll, tuned_balanced_accuracy=accuracy, tuned_rank=float(rank)
    )
    assert parse_tuning(f"{HEADER}\n{_line(row)}\n") == [row]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("fusion,lr\n", "column 'schedule' is missing"),
        (f"{HEADER}\nconcat,0.1\n", "line 2 has 2 cells, the header has 12"),
        (f"{HEADER}\n{_line(ROW).replace(',30,', ',many,')}\n",
         "line 2: epochs = 'many': must be int"),
        (f"{HEADER}\n{_line(ROW)}\n{_line(ROW)}\n", "line 3: a second row of concat"),
        (f"{HEADER}\n{_line(ROW._replace(fusion=''))}\n", "line 2: fusion = empty: must be a name"),
        (f"{HEADER}\n{_line(ROW._replace(lr=0.0))}\n", "line 2: lr = 0.0: must be above 0"),
        (f"{HEADER}\n{_line(ROW._replace(schedule='step'))}\n",
         "line 2: schedule = step: must be constant or cosine"),
        (f"{HEADER}\n{_line(ROW._replace(trials=0))}\n", "line 2: trials = 0: must be 1 or more"),
        (f"{HEADER}\n{_line(ROW._replace(val_nll=math.nan))}\n",
         "line 2: val_nll = nan: must be 0 or more"),
        (f"{HEADER}\n{_line(ROW._replace(tuned_balanced_accuracy=101.0))}\n",
         "line 2: tuned_balanced_accuracy = 101.0: must be between 0 and 100, or empty"),
        (f"{HEADER}\n{_line(ROW._replace(default_rank=1.5))}\n",
         "line 2: default_rank = 1.5: must be 1, 2, …, or empty"),
        (f"{HEADER}\n{_line(ROW._replace(default_seeds=0))}\n",
         "line 2: default_seeds = 0: must be 1 or more"),
        (f"{HEADER}\n{_line(ROW._replace(tuned_seeds=-1))}\n",
         "line 2: tuned_seeds = -1: must be 1 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        parse_tuning(text)
    said = str(caught.value)
    assert said.startswith(f"{SUMMARY}: {reason}")
    assert said.endswith(f"; 'git restore {SUMMARY}' mends it")


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    with pytest.raises(ArtifactError, match=r"summary\.csv: no such file; 'git restore"):
        read_tuning(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ArtifactError, match=r"summary\.csv: broken \("):
        read_tuning(path)
