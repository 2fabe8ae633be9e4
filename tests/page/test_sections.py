"""Each section: what it shows of what was run, and one line where it was not."""

import dataclasses
import json
import math
from typing import Any

import pandas as pd
import pytest
from tests.page.made_up import NAMES
from tests.page.reader import Read, read, rows_of

from fusebench.page.page import SECTIONS
from fusebench.page.sources import Sources
from fusebench.page.stored import TABLES
from fusebench.page.studies import robust_training
from fusebench.report.suite import SuiteRow

BY_NAME = {section.name: section for section in SECTIONS}
# The command of each section that need not have been run.
ABSENT = {
    "tasks": "make interactions",
    "robustness": "dvc repro robustness",
    "cost": "dvc repro compare",
    "reliability": "dvc repro compare",
    "learning": "make learning-curve",
    "tuned": "make tune",
    "robust": "make robust",
}


def _read(name: str, sources: Sources) -> Read:
    return read(BY_NAME[name].content(sources))


def _specs(page: Read) -> dict[str, dict[str, Any]]:
    specs = {}
    for script in page.all("script"):
        content = json.loads(script.text)
        rows = rows_of(content["columns"])
        specs[str(script.attributes["data-chart"])] = content["spec"] | {"data": {"values": rows}}
    return specs


def test_sections_stand_in_the_order_of_the_question() -> None:
    assert [section.name for section in SECTIONS] == [
        "answer", "tasks", "comparison", "distance", "training-curves", "curves", "confusion",
        "robustness", "cost", "reliability", "learning", "tuned", "robust", "missed", "made-of",
    ]  # fmt: skip
    assert len({section.heading for section in SECTIONS}) == len(SECTIONS)


@pytest.mark.parametrize("name", ABSENT)
def test_what_was_not_run_is_one_line_with_its_command(name: str, sources: Sources) -> None:
    page = _read(name, sources)
    assert [element.name for element in page.elements] == ["p", "code"]
    assert page.elements[0].attributes["class"] == "absent"
    assert page.elements[1].text == ABSENT[name]


@pytest.mark.parametrize("name", BY_NAME)
def test_what_was_run_is_shown(name: str, all_sources: Sources) -> None:
    page = _read(name, all_sources)
    assert not [part for part in page.elements if part.attributes.get("class") == "absent"]
    assert page.all("table", "script", "ul")


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in ABSENT])
def test_no_study_is_needed_for_the_rest(name: str, sources: Sources) -> None:
    assert _read(name, sources).elements


def test_the_answer_is_that_of_the_findings_and_says_that_samples_are_synthetic(
    sources: Sources,
) -> None:
    lead, origin, *_ = _read("answer", sources).all("p")
    assert lead.text == sources.findings.answer
    assert origin.text == "These are figures of synthetic samples, rendered for demonstration."
    recorded = dataclasses.replace(sources, predictions={
        name: dataclasses.replace(of, info=of.info | {"synthetic": False})
        for name, of in sources.predictions.items()
    })  # fmt: skip
    assert _read("answer", recorded).all("p")[1].text == "These are figures of recorded samples."


def test_the_task_of_synthetic_samples_is_named(sources: Sources) -> None:
    tasked = dataclasses.replace(sources, predictions={
        name: dataclasses.replace(of, info=of.info | {"task": "xor"})
        for name, of in sources.predictions.items()
    })  # fmt: skip
    assert "synthetic samples of task xor" in _read("answer", tasked).all("p")[1].text


def test_all_remarks_and_every_pair_are_said(sources: Sources) -> None:
    said = [item.text for item in _read("answer", sources).all("li")]
    remarks = [remark.replace("`", "") for remark in sources.findings.remarks]
    assert said == [*remarks, *sources.findings.sentences]


def test_tasks_show_how_many_seeds_solved_them(all_sources: Sources) -> None:
    page = _read("tasks", all_sources)
    shown = [span.text for span in page.all("span")]
    assert shown == ["0/2", "1/2", "2/2"]
    assert [span.attributes["class"] for span in page.all("span")] == [
        "level-0", "level-2", "level-4",
    ]  # fmt: skip
    assert "xor 8" in page.all("p")[0].text


def test_tasks_leave_out_probes_and_put_other_fusions_last(all_sources: Sources) -> None:
    row = all_sources.suite[0]
    suite: list[SuiteRow] = [
        row._replace(fusion="early"), *all_sources.suite, row._replace(cell="long", probe="xor"),
    ]  # fmt: skip
    page = _read("tasks", dataclasses.replace(all_sources, suite=suite))
    headings = [cell.text for cell in page.all("th")]
    assert headings == ["fusion", "xor", "late", "hadamard", "late matched", "early"]


def test_the_comparison_has_every_row_and_metric(sources: Sources) -> None:
    page = _read("comparison", sources)
    headings = [cell.text for cell in page.all("th") if cell.attributes["scope"] == "col"]
    for heading in (
        "model",
        "val loss",
        "test balanced accuracy",
        "test expected calibration error",
    ):
        assert heading in headings
    rows = page.all("tr")[1:]
    assert [row.attributes.get("data-fusion") for row in rows] == [*NAMES, None, None]
    assert "Results" in page.all("p")[-1].text


def test_distances_know_the_fusions_by_their_names(sources: Sources) -> None:
    specs = _specs(_read("distance", sources))
    rows = specs["distances"]["data"]["values"]
    assert [row["fusion"] for row in rows] == ["late", "late_matched", "hadamard"]
    assert [row["model"] for row in rows] == ["late", "late matched", "hadamard"]
    (planned,) = specs["intervals-0"]["data"]["values"]
    assert {planned["first"], planned["second"]} == {"late", "hadamard"}
    (other,) = specs["intervals-1"]["data"]["values"]
    assert {other["first"], other["second"]} == {"late", "late_matched"}


def test_all_intervals_have_one_scale(sources: Sources) -> None:
    specs = _specs(_read("distance", sources))
    domains = [
        layer["encoding"]["x"]["scale"]["domain"]
        for name in ("intervals-0", "intervals-1")
        for layer in specs[name]["layer"][1:]
    ]
    assert len(set(map(tuple, domains))) == 1


def test_curves_of_training_and_ranking_hold_all_rows(sources: Sources) -> None:
    (training,) = _specs(_read("training-curves", sources)).values()
    assert len(training["data"]["values"]) == len(sources.tables["training"])
    specs = _specs(_read("curves", sources))
    assert list(specs) == [
        "roc-whole", "roc-corner", "precision-recall-whole", "precision-recall-corner",
    ]  # fmt: skip
    assert sum(len(spec["data"]["values"]) for spec in specs.values()) == sum(
        len(sources.tables[kind]) for kind in ("roc", "precision_recall")
    )


def test_curves_name_the_class_that_they_speak_of(sources: Sources) -> None:
    assert "a line per seed: spheres against the rest." in _read("curves", sources).all("p")[0].text


def test_confusion_has_a_table_per_fusion_with_shares_of_the_rows(sources: Sources) -> None:
    page = _read("confusion", sources)
    assert [figure.attributes["data-fusion"] for figure in page.all("figure")] == list(NAMES)
    shares = [float(span.text) for span in page.all("span")]
    assert len(shares) == 4 * len(NAMES)
    assert all(
        math.isclose(one + other, 100, abs_tol=0.11)
        for one, other in zip(shares[::2], shares[1::2], strict=True)
    )


def test_robustness_begins_with_the_clean_samples_in_every_chart(all_sources: Sources) -> None:
    page = _read("robustness", all_sources)
    specs = _specs(page)
    headings = [heading.text for heading in page.all("h3")]
    assert [heading.partition(" (")[0] for heading in headings] == ["Noise on ranges", "Camera off"]
    assert all(heading.endswith(")") for heading in headings)
    for spec in specs.values():
        rows = spec["data"]["values"]
        assert [row["severity"] for row in rows if row["fusion"] == "late"] == [0, 1, 2, 3, 4]
    row = next(row for row in page.all("tr") if row.attributes.get("data-fusion") == "hadamard")
    assert row.text == "hadamard0.800camera off0.250"


def test_cost_marks_the_front_of_each_kind(all_sources: Sources) -> None:
    specs = _specs(_read("cost", all_sources))
    assert list(specs) == ["pareto-latency", "pareto-parameters"]
    fronts = {
        name: [row["fusion"] for row in spec["data"]["values"]
               if row[f"on_front_{name.partition('-')[2]}"]]
        for name, spec in specs.items()
    }  # fmt: skip
    assert fronts == {"pareto-latency": ["late"], "pareto-parameters": ["late", "hadamard"]}


@pytest.mark.parametrize("factor", [1, 100])
def test_reliability_is_in_percent_however_it_is_stored(all_sources: Sources, factor: int) -> None:
    table = all_sources.tables["reliability"]
    stored = table.assign(
        confidence=factor * table["confidence"], accuracy=factor * table["accuracy"]
    )
    tables = {**all_sources.tables, "reliability": stored}
    specs = _specs(_read("reliability", dataclasses.replace(all_sources, tables=tables)))
    assert list(specs) == ["reliability-0", "reliability-1"]
    rows = specs["reliability-0"]["data"]["values"]
    assert max(row["confidence"] for row in rows) == pytest.approx(100 * 14.5 / 15, abs=0.01)


def test_reliability_leaves_out_what_was_not_fitted(all_sources: Sources) -> None:
    figures = all_sources.tables["probabilities"]
    scaled = [name for name in figures if name == "temperature" or name.startswith("scaled_")]
    tables = {
        **all_sources.tables,
        "probabilities": figures.assign(**dict.fromkeys(scaled, math.nan)),
    }
    page = _read("reliability", dataclasses.replace(all_sources, tables=tables))
    headings = [cell.text for cell in page.all("th") if cell.attributes["scope"] == "col"]
    assert headings == ["fusion", "NLL", "Brier score", "calibration error (%)"]


def test_studies_show_their_tables(all_sources: Sources) -> None:
    (spec,) = _specs(_read("learning", all_sources)).values()
    assert len(spec["data"]["values"]) == len(all_sources.tables["learning_curve"])
    tuned = _read("tuned", all_sources).all("tr")[1].text
    assert tuned == "late0.0003cosine20120.012390.094.521"
    robust = _read("robust", all_sources).all("tr")
    assert robust[0].text == "fusionrecipeclean balanced accuracyrobustness change"
    assert robust[1].text == "latesensor dropout97.250.12"


def test_columns_of_the_robust_study_are_those_that_it_has(all_sources: Sources) -> None:
    rows = pd.DataFrame({"fusion": ["late"], "seeds": ["10"], "some_figure": ["-0.5"]})
    sources = dataclasses.replace(all_sources, tables={"robust": rows})
    page = read(robust_training(sources))
    assert [row.text for row in page.all("tr")] == ["fusionseedssome figure", "late10-0.50"]


def test_made_of_names_params_data_machine_and_commit(sources: Sources) -> None:
    text = "".join(row.text + "\n" for row in _read("made-of", sources).all("tr"))
    assert "primarybalanced_accuracy" in text
    assert "pairs · cubes48" in text
    assert "images8 × 8" in text
    assert "train samples, seed 080 cubes, 20 spheres" in text
    assert f"torch{sources.trainings['late']['environment']['torch']}" in text
    assert f"commit{sources.commit.words}" in text
    assert f"results{sources.compared['fingerprint']}" in text


def test_made_of_tells_fusions_apart_that_were_trained_otherwise(sources: Sources) -> None:
    trainings = dict(sources.trainings)
    late = trainings["late"]
    trainings["late"] = late | {"environment": late["environment"] | {"threads": 7}}
    other = late["environment"]["threads"]
    page = _read("made-of", dataclasses.replace(sources, trainings=trainings))
    (row,) = [row.text for row in page.all("tr") if row.text.startswith("threads")]
    assert row == f"threads7 (late); {other} (hadamard, late matched)"


def test_every_table_that_can_be_missing_has_a_section_that_says_so() -> None:
    assert {stored.command for stored in TABLES.values()} - {""} < set(ABSENT.values())
