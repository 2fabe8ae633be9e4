"""The comparison as CSV, JSON, Markdown and on the screen."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tests.report.made_up import MAJORITY, NAMES, PAIR, THRESHOLD, pairs_table, write_results

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import METRICS
from fusebench.files import write_table
from fusebench.models.registry import FUSIONS
from fusebench.prediction.predictions import BASELINES
from fusebench.report import columns
from fusebench.report import table as tables
from fusebench.report.columns import Column
from fusebench.report.results import Comparison, read_comparison
from fusebench.report.table import (
    SCREEN_WIDTH,
    comparison_table,
    markdown_table,
    parse_comparison_table,
    screen_table,
)

NOTEBOOK_COLUMNS = [
    "Model", "Strategy", "Validation Loss", "F1 Score", "Parameters", "Time (s/epoch)",
    "Memory (MB)", "Accuracy",
]  # fmt: skip
PAIRS = pairs_table(PAIR)
NO_PAIRS = pairs_table()


@pytest.fixture
def table(comparison: Comparison) -> pd.DataFrame:
    return comparison_table(comparison)


def test_the_notebooks_columns_come_first_and_are_means_on_val(
    table: pd.DataFrame, results: Path
) -> None:
    assert list(table)[:8] == NOTEBOOK_COLUMNS
    row = table.iloc[0]
    metrics = json.loads((results / "metrics/fusions/late.json").read_text("utf-8"))
    seeds = metrics["val"]["seeds"].values()
    for column, metric in (
        ("Validation Loss", "nll"),
        ("F1 Score", "f1"),
        ("Accuracy", "accuracy"),
    ):
        assert row[column] == pytest.approx(np.mean([seed[metric] for seed in seeds]), abs=1e-6)
    accuracies = [seed["accuracy"] for seed in seeds]
    assert row["Accuracy Deviation"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-5)
    expected = ["late", "late", 3_336_662, 1.5, 120.5]
    assert row[["Model", "Strategy", "Parameters", "Time (s/epoch)", "Memory (MB)"]].tolist() == (
        expected
    )


@pytest.mark.parametrize("metric", METRICS)
def test_test_columns_are_mean_and_deviation_over_seeds(
    metric: str, table: pd.DataFrame, comparison: Comparison
) -> None:
    column = f"Test {METRICS[metric].heading}"
    for number, result in enumerate(comparison.results):
        values = result.metric_of_seeds(metric)
        assert len(values) == 2
        assert table[column][number] == pytest.approx(np.mean(values), abs=1e-5)
        deviation = table[f"{column} Deviation"][number]
        assert deviation == pytest.approx(np.std(values, ddof=1), abs=1e-5)


def test_baselines_have_the_last_rows_without_time_and_memory(table: pd.DataFrame) -> None:
    majority, threshold = table.iloc[-2], table.iloc[-1]
    assert (majority["Model"], threshold["Model"]) == (MAJORITY, THRESHOLD)
    assert (majority["Test Accuracy"], majority["Test Balanced Accuracy"]) == (80, 50)
    expected = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert majority["Test NLL"] == pytest.approx(expected, abs=1e-5)
    assert (majority["Collapsed Seeds"], threshold["Collapsed Seeds"]) == (2, 0)
    assert (majority["Seeds"], majority["Samples"]) == (2, "synthetic")
    assert table[["Time (s/epoch)", "Memory (MB)"]].iloc[-2:].isna().all(axis=None)


COSTS = {
    "MFLOPs per Sample": 101.5, "Latency (ms)": 1.0, "Latency p95 (ms)": 2.0,
    "Samples per Second": 640.0, "Train Seconds": 22.5,
}  # fmt: skip


def test_what_a_fusion_costs_is_in_the_file_alone(table: pd.DataFrame) -> None:
    assert table[list(COSTS)].iloc[0].to_dict() == COSTS
    assert table[list(COSTS)].iloc[-2:].isna().all(axis=None)
    shown = screen_table(table, PAIRS, width=300)
    assert "640" not in shown
    assert "22.5" not in shown


def test_note_says_what_memory_is_but_not_of_an_earlier_table(table: pd.DataFrame) -> None:
    said = "MB: held at most in a training step."
    earlier = table.drop(columns=list(COSTS))
    for shown in (screen_table, markdown_table):
        assert said in " ".join(shown(table, PAIRS).split())
        assert "MB" not in shown(earlier, PAIRS), "of the whole process, it is another figure"


def test_csv_comes_back_as_it_was(table: pd.DataFrame, tmp_path: Path) -> None:
    write_table(tmp_path / "comparison.csv", table)
    text = (tmp_path / "comparison.csv").read_text("utf-8")
    assert_frame_equal(parse_comparison_table(text), table, check_exact=True)


@pytest.mark.parametrize("column", ["Model", "Seeds", "Samples"])
def test_csv_without_a_column_is_refused(column: str, table: pd.DataFrame) -> None:
    with pytest.raises(ArtifactError, match=rf"comparison\.csv: column '{column}' is missing"):
        parse_comparison_table(table.drop(columns=column).to_csv(index=False))


def test_csv_of_one_seed_has_no_deviation(tmp_path: Path) -> None:
    table = comparison_table(read_comparison(write_results(tmp_path, seeds=(0,)), NAMES))
    assert_frame_equal(parse_comparison_table(table.to_csv(index=False)), table)
    shown = screen_table(table, NO_PAIRS).partition("Synthetic samples")
    assert "1 seed(s)" in shown[2]
    assert "±" not in shown[0]


def test_screen_shows_the_primary_metric_then_those_that_fit(
    table: pd.DataFrame, comparison: Comparison
) -> None:
    shown = screen_table(table, PAIRS)
    head, note = shown.split("Synthetic samples, 2 seed(s)")
    assert max(map(len, shown.splitlines())) <= SCREEN_WIDTH
    assert "…" not in shown
    rows = head.splitlines()[-4:]
    assert [row.split()[0] for row in rows] == ["late", "hadamard", "majority", "threshold"]
    first = table.iloc[0]
    cells = [
        f"{first[column]:.{digits}f} ± {first[f'{column} Deviation']:.{digits}f}"
        for column, digits in (("Test Balanced Accuracy", 1), ("Test NLL", 3))
    ]
    assert " ".join([*cells, "0"]) in " ".join(rows[0].split())
    note = " ".join(note.split())
    assert "in %: val accuracy, balanced accuracy; in nats: val loss, NLL." in note
    assert "selected on val" in note
    others = [
        metric.label for name, metric in METRICS.items() if name not in ("balanced_accuracy", "nll")
    ]
    name = comparison_table(comparison)["Results"].iloc[0]
    assert note.endswith(f"Only in comparison.csv: {', '.join(others)}. Results {name}.")


@pytest.mark.parametrize("width", [70, 85, 100, 300])
def test_screen_names_what_it_has_no_room_for(width: int, table: pd.DataFrame) -> None:
    shown = screen_table(table, PAIRS, width)
    assert max(map(len, shown.splitlines())) <= width
    text = " ".join(shown.split())
    left_out = text.partition("comparison.csv: ")[2].partition(". ")[0].split(", ")
    count = sum(metric.label in left_out for metric in METRICS.values())
    assert count == (0 if width == 300 else len(left_out))
    late = next(line for line in shown.splitlines() if line.startswith("late"))
    assert late.count("±") == len(METRICS) - count >= 1


def test_screen_shows_first_what_decides(table: pd.DataFrame) -> None:
    pairs = pairs_table(PAIR._replace(metric="auroc"), PAIR._replace(role="descriptive"))
    first = table.iloc[0]
    shown = screen_table(table, pairs)
    late = next(line for line in shown.splitlines() if line.startswith("late"))
    mean = f"{first['Test AUROC']:.1f}"
    assert late.index(f"{mean} ± {first['Test AUROC Deviation']:.1f}") == (
        late.index("±") - len(mean) - 1
    )


def test_screen_has_room_for_every_fusion_there_is(tmp_path: Path) -> None:
    names = FUSIONS.names()
    comparison = read_comparison(write_results(tmp_path, names), names)
    shown = screen_table(comparison_table(comparison), NO_PAIRS)
    assert max(map(len, shown.splitlines())) <= SCREEN_WIDTH
    for name in (*names, *BASELINES):
        assert any(line.startswith(name.replace("_", " ") + " ") for line in shown.splitlines())


def test_column_that_an_earlier_file_lacks_is_not_shown(table: pd.DataFrame) -> None:
    earlier = table.drop(columns=["Test F1", "Test F1 Deviation", "Memory (MB)"])
    earlier["Test Something"] = 1.5
    parsed = parse_comparison_table(earlier.to_csv(index=False))
    assert parsed["Test Something"].tolist() == [1.5] * 4
    for shown in (screen_table(parsed, PAIRS), markdown_table(parsed, PAIRS)):
        for word in ("F1", "MB", "Something"):
            assert word not in shown
        assert "NLL" in shown


def test_column_is_declared_in_one_place(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = Column("Letters", int, lambda result: len(result.name), "letters", "<{}>".format)
    monkeypatch.setattr(tables, "LAST", (*columns.LAST, column))
    parsed = parse_comparison_table(comparison_table(comparison).to_csv(index=False))
    assert parsed["Letters"].tolist() == [4, 8, 14, 9]
    for shown in (screen_table(parsed, PAIRS), markdown_table(parsed, PAIRS)):
        assert "letters" in shown
        assert "<14>" in shown


def test_markdown_has_the_cells_of_the_screen_aligned_to_the_right(table: pd.DataFrame) -> None:
    head, align, *rows = markdown_table(table, PAIRS).partition("\n\n")[0].splitlines()
    headings = [cell.strip() for cell in head.strip("|").split("|")]
    assert headings[0] == "model"
    assert headings[-4:] == [
        "test balanced accuracy", "test NLL", "robust (%)", "collapsed seeds",
    ]  # fmt: skip
    marks = [cell.strip() for cell in align.strip("|").split("|")]
    assert all(mark.endswith(":") for mark in marks[1:])
    assert not marks[0].endswith(":")
    screen = [" ".join(line.split()) for line in screen_table(table, PAIRS).splitlines()]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert " ".join(" ".join(cells).split()) in screen
