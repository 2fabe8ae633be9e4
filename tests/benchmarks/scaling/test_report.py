"""What is judged of time per sample and memory."""

from typing import Any

import pytest

from benchmarks.scaling.plan import EXTRACT, HELD, PREDICT, STREAMED
from benchmarks.scaling.report import scale_tables
from benchmarks.timing import spread


def row(kind: str, size: int, milliseconds: list[float], **others: Any) -> dict[str, Any]:
    memory = spread(others.pop("memory", [500.0]))
    return {
        "kind": kind, "samples": size, "milliseconds": spread(milliseconds),
        "anonymous_mb": memory, **others,
    }  # fmt: skip


def tables(*rows: dict[str, Any]) -> str:
    facts = {"processor": "P", "threads": 2, "precision": "fp32", "commit": "abc"}
    plan = {"sizes": [1000, 200_000], "batches": 60, "repeats": 3}
    return scale_tables([{"environment": facts, "plan": plan, "rows": list(rows)}])


def cells(text: str, label: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {label}"))
    return [cell.strip() for cell in line.strip("| ").split("|")[1:]]


@pytest.mark.parametrize(("last", "ratio", "met"), [(2.3, "1.15", "yes"), (2.32, "1.16", "no")])
def test_time_per_sample_at_the_largest_is_held_to_that_at_the_smallest(
    last: float, ratio: str, met: str
) -> None:
    text = tables(row(EXTRACT, 1000, [2.0]), row(EXTRACT, 200_000, [last]))
    label = "extract: time per sample, 200,000 ÷ 1,000 samples"
    assert cells(text, label) == [f"{ratio} ×", "1.15 ×", met]


@pytest.mark.parametrize(("slower", "met"), [(1.11, "yes"), (1.12, "no")])
def test_the_streamed_rate_is_held_to_that_in_memory_of_the_same_round(
    slower: float, met: str
) -> None:
    # The machine became four times as slow between rounds.
    held, streamed = [1.0, 4.0, 4.0], [slower, 4 * slower, 4 * slower]
    text = tables(
        row(HELD, 1000, held, loading=spread([1.2])), row(STREAMED, 1000, streamed),
    )  # fmt: skip
    label = "rate of training, streamed ÷ in memory, 1,000 samples"
    assert cells(text, label)[1:] == ["at least 0.9 ×", met]


@pytest.mark.parametrize(("added", "met"), [(1.3, "yes"), (1.31, "no")])
def test_what_loading_adds_is_held_to_the_maps(added: float, met: str) -> None:
    text = tables(row(HELD, 1000, [1.0], loading=spread([added])))
    assert cells(text, "loading 1,000 samples")[1:] == ["1.3 ×", met]


@pytest.mark.parametrize(("largest", "met"), [(2147.0, "yes"), (2148.0, "no")])
def test_the_largest_memory_of_all_runs_of_the_largest_size_is_judged(
    largest: float, met: str
) -> None:
    text = tables(
        row(PREDICT, 1000, [1.0], memory=[5000.0]),
        row(PREDICT, 200_000, [1.0], memory=[600.0, 600.0, largest]),
    )
    label = "predict, streamed: anonymous memory"
    assert cells(text, label) == [f"{largest:,.0f} MB", "2,147 MB", met]


def test_what_was_not_measured_says_why_and_is_not_judged() -> None:
    text = tables({"kind": STREAMED, "samples": 1000, "not_measured": "ended by signal 9"})
    assert cells(text, "train, streamed | –") == ["–", "–"]
    assert cells(text, "train, streamed, 1,000 samples")[0] == "not measured: ended by signal 9"
    assert "÷" not in text.rpartition("| measured")[2]


def test_without_a_result_a_line_says_so() -> None:
    assert scale_tables([]) == "Not measured yet."
