"""What is judged, by which limit."""

from collections.abc import Mapping

import pytest
from tests.benchmarks.made_up import AMX, NONE, result

from benchmarks.limits import limits


def row(text: str, label: str) -> list[str]:
    """Return the cells behind a label."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {label}"))
    return line.strip("| ").split(" | ")[1:]


@pytest.mark.parametrize(
    ("sets", "ratio", "least", "met"),
    [(NONE, 2.6, "2.6", "yes"), (NONE, 2.59, "2.6", "no"),
     (AMX, 4.5, "4.5", "yes"), (AMX, 4.4, "4.5", "no"),
     ({**AMX, "amx_bf16": False}, 2.6, "2.6", "yes")],
)  # fmt: skip
def test_more_is_asked_of_training_where_the_processor_has_amx(
    sets: Mapping[str, bool], ratio: float, least: str, met: str
) -> None:
    cells = row(limits(result(sets=sets, ratio=ratio)), "`notebook` ÷ `project`")
    assert cells[1:] == [f"at least {least} ×", met]


@pytest.mark.parametrize(("share", "met"), [(65.0, "yes"), (64.9, "no")])
def test_the_share_of_peak_is_judged_in_fp32_whatever_is_shipped(share: float, met: str) -> None:
    measured = result(share=share)
    training = measured["training"]["cpu"]
    shipped = {**training["implementations"]["project-fp32"], "share_of_peak": 10.0}
    training["reference"] = "project-bf16"
    training["implementations"] = {"project-bf16": shipped, **training["implementations"]}
    assert row(limits(measured), "share of peak, fp32")[1:] == ["at least 65 %", met]


def test_seeds_side_by_side_have_a_row_where_they_were_measured() -> None:
    measured = result()
    cells = row(limits(measured), "2 seeds at once, 1 thread each ÷ 1 with 2, epochs per second")
    assert cells[0] == "1.25 (1.25–1.25) ×"
    measured["side_by_side"] = {"not_measured": "one thread"}
    alone = limits(measured)
    del measured["side_by_side"]
    assert "at once" not in alone
    assert limits(measured) == alone


def test_what_was_not_measured_says_why_and_is_not_judged() -> None:
    text = limits(result())
    assert row(text, "`dvc repro`") == ["not measured: no DVC", "2 s"]
    assert row(text, "`--help`, slowest: split")[1:] == ["0.5 s", "no"]
    assert row(text, "start without torch")[1:] == ["1.5 s", "yes"]
