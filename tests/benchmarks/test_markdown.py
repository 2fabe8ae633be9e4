"""Which results a document shows, and how old they are."""

import pytest
from tests.benchmarks.made_up import AMX, result

from benchmarks.markdown import newest_first, summary, tables

OLD = result("old", "2029-01-01", AMX)
NEW = result("new", "2030-01-01")


def test_the_newest_result_is_first_and_one_without_a_time_is_last() -> None:
    undated = result("undated")
    del undated["environment"]["measured"]
    assert newest_first([undated, OLD, NEW]) == [NEW, OLD, undated]


def test_all_tables_are_shown_and_those_of_another_commit_are_marked() -> None:
    line = "As of commit old; the library has moved on since."
    both = tables([OLD, NEW])
    assert both == f"{tables([NEW])}\n\n{line}\n\n{tables([OLD])}"
    assert "As of commit" not in tables([OLD]) + tables([NEW])
    # Another processor, the same commit.
    assert "As of commit" not in tables([NEW, result("new", "2029-01-01", AMX)])


def test_the_readme_shows_the_newest_table_and_a_line_of_each_other() -> None:
    newest, _, last = summary([OLD, NEW]).rpartition("\n")
    assert newest == summary([NEW])
    assert last == (
        "As of commit old: P of old, amx_bf16, avx512_bf16, avx512_f, fp32: 2.00 (2.00–2.00) s per "
        "epoch, `notebook` ÷ `project` 3.00 (3.00–3.00)."
    )


def test_the_gap_to_the_floor_stands_beside_the_share_of_peak() -> None:
    lines = tables([NEW]).splitlines()
    assert [line.split(" | ")[6] for line in lines if line.startswith("| project, ")] == [
        "1.3", "1.5",
    ]  # fmt: skip
    (notes,) = (line for line in lines if line.startswith("80 train"))
    assert (
        "Copy in the same rounds: 10.0 GB/s (best 10.0). Floor, the larger of two times: fp32 "
        "1.50 s for operations, 0.40 s for 4.0 GB. Memory:"
    ) in notes


@pytest.mark.parametrize(
    ("of", "said"),
    [({"of": "matmul"}, "of matrix products."), ({"of": "convolution"}, "of convolutions."),
     ({}, "of matrix products, convolutions not timed.")],
)  # fmt: skip
def test_a_peak_says_what_gave_it(of: dict[str, str], said: str) -> None:
    measured = result()
    peaks = measured["training"]["cpu"]["peak_gigaflops"]
    peaks["fp32"] = {**peaks["fp32"], **of}
    said = f"Peak in the same rounds, GFLOP/s: fp32 200 (best 200) {said} Copy"
    assert said in tables([measured])


def test_a_result_from_before_copies_were_timed_has_no_floor() -> None:
    old = result()
    training = old["training"]["cpu"]
    del training["copy_gigabytes"]
    for figures in training["implementations"].values():
        del figures["over_floor"], figures["floor_seconds"], figures["bytes"]
    text = tables([old])
    assert "| 70 % | – | 10.0 (5) |" in text
    assert "Floor" not in text
