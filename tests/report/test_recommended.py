"""metrics/recommendation.json never says more than the verdict."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.made_up import BEST, PAIR, best_table, told
from tests.report.made_up_evidence import evidence_of

from fusebench.report.best import Best
from fusebench.report.probabilities import PROBABILITY_KINDS
from fusebench.report.recommendation import recommendation
from fusebench.report.recommended import recommendation_content, recommended
from fusebench.report.robustness_files import Kept

SIZES = {"late": 300, "concat": 20, "add": 10, "hadamard": 10}


def _rows(*more: dict[str, Any]) -> list[Best]:
    names = list(SIZES)
    return [BEST._replace(fusion=name, **row) for name, row in zip(names, more, strict=False)]


GOOD = {"below": 1.0, "candidate": "yes"}
NEAR = {"below": 1.5, "candidate": "yes"}
FAR = {"below": 9.0, "candidate": "no"}
OPEN = {"below": 9.0, "candidate": "yes"}


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        ((GOOD, FAR), None, ""),
        ((GOOD, OPEN), "late", "late is shown to be as good as the best, to within 2 points of "
         "balanced accuracy (at most 1.00 below it)."),
        ((GOOD, NEAR, FAR), "concat", ", and has the fewest parameters of the 2 of which that is"),
        ((FAR, NEAR, GOOD, NEAR), "add", ", and has no more parameters than any other of the 3"),
        ((OPEN, OPEN), None, ""),
    ],
)  # fmt: skip
def test_of_those_as_good_as_the_best_the_smallest_is_recommended(
    rows: tuple[dict[str, Any], ...], name: str | None, said: str
) -> None:
    made = _rows(*rows)
    if rows == (GOOD, FAR):
        made = [row._replace(margin=math.nan, irregular="yes") for row in made]
    chosen, reason = recommended(made, SIZES)
    assert (chosen.fusion if chosen else None) == name
    assert said in reason
    assert bool(reason) == bool(name)


def test_the_one_that_is_shown_to_be_the_best_is_recommended_without_a_margin() -> None:
    rows = [row._replace(margin=math.nan) for row in _rows({"below": 0.0}, FAR)]
    chosen, reason = recommended(rows, SIZES)
    assert (chosen and chosen.fusion, reason) == ("late", "late is shown to be the best.")


@pytest.mark.parametrize("rows", [_rows(GOOD), [r._replace(seeds=4) for r in _rows(GOOD, NEAR)]])
def test_one_fusion_and_few_seeds_give_none(rows: list[Best]) -> None:
    assert recommended(rows, SIZES) == (None, "")


MADE = st.fixed_dictionaries(
    {"below": st.floats(0, 5), "candidate": st.sampled_from(["yes", "no"]),
     "irregular": st.sampled_from(["yes", "no"])}
)  # fmt: skip


@given(st.lists(MADE, min_size=2, max_size=4), st.sampled_from([2.0, math.nan]))
def test_what_is_recommended_the_verdict_names_as_best_or_as_good(
    made: list[dict[str, Any]], margin: float
) -> None:
    rows = [row._replace(margin=margin) for row in _rows(*made)]
    chosen, _ = recommended(rows, SIZES)
    if chosen is None:
        return
    pairs = evidence_of(pairs=[PAIR._replace(role="unplanned")]).findings.pairs
    answer = recommendation(pairs, best_table(*rows))
    named = [f"Shown to be the best: {chosen.fusion}.", f"{chosen.fusion} (at most "]
    assert any(words in answer for words in named)


def test_the_file_says_what_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = evidence_of()
    row = dict.fromkeys(PROBABILITY_KINDS, 0.0) | {"fusion": "late"}
    table = [row | {"seed": seed} for seed in (3, 1)]
    rows = _rows(OPEN, GOOD)
    findings = replace(
        evidence.findings, best=best_table(*rows), interaction=told(0.97, 0, 0, 0),
        probabilities=type(evidence.findings.table)(table),
    )  # fmt: skip
    monkeypatch.setattr(type(findings), "remarks", ["a remark"])
    robust = {"concat": Kept("concat", 0.8, "lidar_turned", math.nan, 14, 10)}
    found = recommendation_content(replace(evidence, findings=findings, robustness=robust))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found == {
        "fusion": "concat",
        "reason": "concat is shown to be as good as the best, to within 2 points of balanced "
        "accuracy (at most 1.00 below it).",
        "answer": findings.answer,
        "remarks": ["a remark"],
        "metric": "balanced_accuracy",
        "bound_to_best": 1.0,
        "margin": 2.0,
        "parameters": 191_042,
        "robustness": {"robustness": 0.8, "worst": "lidar_turned", "worst_robustness": None},
        "cost": {"mflops_per_sample": 14.3, "latency_ms": 1.0, "step_mb": 54.0},
        "data": {
            "samples": "synthetic", "task": "shape", "classes": ["cubes", "spheres"],
            "counts": {"cubes": 900, "spheres": 70}, "looks_like": "redundant",
            "fingerprint": "1dd7573",
        },
        "seeds": [1, 3],
    }  # fmt: skip


def test_without_a_recommendation_the_file_gives_the_verdicts_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evidence = evidence_of()
    rows = [row._replace(seeds=3) for row in _rows(OPEN, GOOD)]
    findings = replace(evidence.findings, best=best_table(*rows))
    monkeypatch.setattr(type(findings), "remarks", [])
    found = recommendation_content(replace(evidence, findings=findings))
    assert found["reason"] == found["answer"]
    assert found["reason"].startswith("No recommendation: 3 seed(s) are too few")
    for key in ("fusion", "bound_to_best", "parameters", "robustness", "cost"):
        assert found[key] is None
