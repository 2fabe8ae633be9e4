"""Each section: what it shows of what was run, and one line where it was not."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.page.made_up import COMMIT, NAMES, PLANNED
from tests.page.reader import Read, read, rows_of
from tests.report.made_up import write_results

from fusebench.config import PARAMS_FILE
from fusebench.page.page import SECTIONS
from fusebench.page.sources import Sources, read_sources
from fusebench.page.stored import STUDIES, TABLES
from fusebench.report.declared import SAMPLES, deciding_in, write_origin
from fusebench.report.pareto import pareto_table
from fusebench.report.results import read_comparison
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
# Of each study: its section, and what it consists of.
STUDIED = {
    "learning_curve": ("learning", "sizes"), "tuning": ("tuned", "fusions"),
    "robust": ("robust", "recipes"),
}  # fmt: skip


def _read(name: str, sources: Sources) -> Read:
    return read(BY_NAME[name].content(sources))


def _specs(page: Read) -> dict[str, dict[str, Any]]:
    specs = {}
    for script in page.all("script"):
        content = json.loads(script.text)
        rows = rows_of(content["columns"])
        specs[str(script.attributes["data-chart"])] = content["spec"] | {"data": {"values": rows}}
    return specs


def _with(sources: Sources, **tables: pd.DataFrame) -> Sources:
    """Return the sources with other tables."""
    return dataclasses.replace(sources, tables={**sources.tables, **tables})


def _notes(page: Read) -> list[str]:
    return [part.text for part in page.all("p") if part.attributes.get("class") == "note"]


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


@pytest.mark.parametrize(("metric", "side"), [("balanced_accuracy", "below"), ("nll", "above")])
def test_distances_say_on_which_side_of_the_best_the_others_are(
    metric: str, side: str, sources: Sources
) -> None:
    best = sources.findings.best.assign(metric=metric)
    findings = dataclasses.replace(sources.findings, best=best)
    page = _read("distance", dataclasses.replace(sources, findings=findings))
    assert f"Bar: at most so far {side} the best, " in _notes(page)[0]
    (told,) = [
        told["title"]
        for layer in _specs(page)["distances"]["layer"]
        for told in layer["encoding"].get("tooltip", [])
        if told["field"] == "below"
    ]
    assert told == f"at most {side}"


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


def test_clean_answers_alone_are_no_robustness(all_sources: Sources) -> None:
    rows = all_sources.tables["robustness"]
    page = _read("robustness", _with(all_sources, robustness=rows[rows["severity"] == 0]))
    assert [element.name for element in page.elements] == ["p", "code"]
    assert page.elements[0].text == (
        "Not run: the fusions on corrupted test samples (stress.corruptions in params.yaml). dvc "
        "repro robustness runs it."
    )


def test_cost_marks_the_front_of_each_kind(all_sources: Sources) -> None:
    specs = _specs(_read("cost", all_sources))
    assert list(specs) == ["pareto-latency", "pareto-parameters"]
    fronts = {
        name: [row["fusion"] for row in spec["data"]["values"]
               if row[f"on_front_{name.partition('-')[2]}"]]
        for name, spec in specs.items()
    }  # fmt: skip
    assert fronts == {"pareto-latency": ["late"], "pareto-parameters": ["late", "hadamard"]}


def _losses(spec: dict[str, Any]) -> list[list[float | None]]:
    """Return what each layer of a chart of costs draws along the axis of NLL."""
    return [
        [row[encoded["field"]] for row in spec["data"]["values"]]
        for layer in spec["layer"]
        for end in ("y", "y2")
        if (encoded := layer["encoding"].get(end))
    ]


def test_the_cost_of_one_seed_is_drawn_without_intervals(
    all_sources: Sources, tmp_path: Path
) -> None:
    table = pareto_table(read_comparison(write_results(tmp_path, NAMES, (0,)), NAMES))
    assert table["nll_low"].isna().all()
    for spec in _specs(_read("cost", _with(all_sources, pareto=table))).values():
        means = pytest.approx(table["nll"].tolist(), rel=1e-5)
        marks, low, high = (
            [row[name] for row in spec["data"]["values"]]
            for name in ("nll", "shown_low", "shown_high")
        )
        assert marks == means
        assert low == high == [None] * len(NAMES)
        assert _losses(spec).count(marks) == len(spec["layer"]) - 1
        figures = spec["layer"][0]["encoding"]["y"]["axis"]["values"]
        assert len(figures) > 1
        assert table["nll"].min() <= figures[0] < figures[-1] <= table["nll"].max()


@pytest.mark.parametrize("ends", [(0.0, 0.0), (0.0, 0.2), (math.nan, math.nan)])
def test_a_loss_of_0_has_a_mark_on_the_axis_of_logarithms(
    all_sources: Sources, ends: tuple[float, float]
) -> None:
    table = all_sources.tables["pareto"].copy()
    table.loc[0, ["nll", "nll_low", "nll_high"]] = [0.0, *ends]
    for spec in _specs(_read("cost", _with(all_sources, pareto=table))).values():
        drawn = [loss for losses in _losses(spec) for loss in losses]
        assert all(loss is None or loss > 0 for loss in drawn)
        # It is told as it is.
        assert spec["data"]["values"][0]["nll"] == 0
        figures = spec["layer"][0]["encoding"]["y"]["axis"]["values"]
        assert figures[0] < 1e-6 < 1 < figures[-1]


def test_reliability_shows_the_figures_as_they_are_stored(all_sources: Sources) -> None:
    stored = all_sources.tables["reliability"]
    # As of many classes, where all may be sure of little.
    low = stored.assign(confidence=stored["confidence"] / 200, accuracy=stored["accuracy"] / 200)
    for table in (stored, low):
        specs = _specs(_read("reliability", _with(all_sources, reliability=table)))
        assert list(specs) == ["reliability-0", "reliability-1"]
        for scaled in (0, 1):
            rows = specs[f"reliability-{scaled}"]["data"]["values"]
            own = table[table["scaled"] == scaled].sort_values(["fusion", "bin"])
            for name in ("confidence", "accuracy"):
                shown = [row[name] for row in rows]
                assert shown == pytest.approx(own[name].tolist(), rel=1e-5)
            assert [row["expected"] for row in rows] == [row["confidence"] for row in rows]


def test_reliability_leaves_out_what_was_not_fitted(all_sources: Sources) -> None:
    figures = all_sources.tables["probabilities"]
    scaled = [name for name in figures if name == "temperature" or name.startswith("scaled_")]
    stored = figures.assign(**dict.fromkeys(scaled, math.nan))
    page = _read("reliability", _with(all_sources, probabilities=stored))
    headings = [cell.text for cell in page.all("th") if cell.attributes["scope"] == "col"]
    assert headings == ["fusion", "NLL", "Brier score", "calibration error (%)"]


def test_studies_show_their_tables(all_sources: Sources) -> None:
    (spec,) = _specs(_read("learning", all_sources)).values()
    assert len(spec["data"]["values"]) == len(all_sources.tables["learning_curve"])
    tuned = _read("tuned", all_sources).all("tr")[1].text
    assert tuned == "late0.0003cosine20120.012390.094.521"
    robust = _read("robust", all_sources).all("tr")[1]
    assert robust.text == "latedropout97.5-0.5 (-1.5 to +0.5)80.0+12.5 (+10.0 to +15.0)0.625+0.125"


def test_the_columns_of_robust_training_are_declared_and_hold_no_test(
    all_sources: Sources,
) -> None:
    page = _read("robust", all_sources)
    assert [cell.text for cell in page.all("th") if cell.attributes["scope"] == "col"] == [
        "fusion", "recipe", "clean (%)", "change (points)", "corrupted (%)",
        "change, corrupted (points)", "robustness", "its change",
    ]  # fmt: skip
    assert "0.001" not in page.all("table")[0].text
    assert "0.321" not in page.all("table")[0].text


@pytest.mark.parametrize(
    ("seeds", "said", "change"),
    [
        (1, "over 1 seed, which describes these trainings alone (from 5 on with ", "+12.5"),
        (4, "over 4 seeds, which describes these trainings alone (from 5 on with ", "+12.5"),
        (5, "over 5 seeds, changes with their 95 % interval.", "+12.5 (+10.0 to +15.0)"),
    ],
)
def test_changes_by_robust_training_have_intervals_only_from_five_seeds_on(
    seeds: int, said: str, change: str, all_sources: Sources
) -> None:
    table = all_sources.tables["robust"].assign(seeds=seeds)
    page = _read("robust", _with(all_sources, robust=table))
    assert said in _notes(page)[-1]
    assert page.all("td")[4].text == change


def test_a_recipe_has_rows_of_its_own_and_what_is_not_known_is_empty(
    all_sources: Sources,
) -> None:
    table = all_sources.tables["robust"]
    other = table.assign(recipe="dropout-noise", robustness=math.nan, robustness_change=math.nan)
    page = _read("robust", _with(all_sources, robust=pd.concat([table, other])))
    cells = [cell.text for cell in page.all("td")]
    assert cells[::7] == ["dropout"] * len(NAMES) + ["dropout-noise"] * len(NAMES)
    assert cells[5:7] == ["0.625", "+0.125"]
    assert cells[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("seeds", "said", "band"),
    [
        (1, "mean over 1 seed.", False),
        (4, "mean over 4 seeds.", False),
        (5, "mean over 5 seeds, band: its 95 % interval.", True),
    ],
)
def test_a_learning_curve_has_a_band_only_from_five_seeds_on(
    seeds: int, said: str, band: bool, all_sources: Sources
) -> None:
    table = all_sources.tables["learning_curve"].assign(seeds=seeds)
    page = _read("learning", _with(all_sources, learning_curve=table))
    assert _notes(page)[-1] == f"Test, after 40 steps of training. Line: {said}"
    (spec,) = _specs(page).values()
    for row in spec["data"]["values"]:
        assert [row["low"] is not None, row["high"] is not None] == [band, band]


def test_the_steps_of_a_learning_curve_are_those_of_its_rows(all_sources: Sources) -> None:
    table = all_sources.tables["learning_curve"]
    steps = table["steps"].where(table["train_samples"] > 50, 1200)
    page = _read("learning", _with(all_sources, learning_curve=table.assign(steps=steps)))
    assert _notes(page)[-1].startswith("Test, after 40 to 1,200 steps of training.")


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (5, "default, mean over 5 seeds; tuned, over 5 seeds."),
        (
            10,
            "default, mean over 10 seeds; tuned, over 5 seeds. So not all that differs is due to "
            "tuning.",
        ),
    ],
)
def test_tuning_names_the_seeds_of_both_sides(
    default: int, said: str, all_sources: Sources
) -> None:
    table = all_sources.tables["tuning"].assign(default_seeds=default)
    (note,) = _notes(_read("tuned", _with(all_sources, tuning=table)))
    assert note == f"Chosen by val NLL of one seed. Balanced accuracy on test: {said}"


# --- What studies belong to ---


def test_every_study_has_a_section() -> None:
    assert set(STUDIED) == set(STUDIES) == set(PLANNED)


@pytest.mark.parametrize("study", STUDIED)
def test_of_a_whole_study_of_these_params_and_samples_nothing_more_is_said(
    study: str, all_sources: Sources
) -> None:
    assert len(_notes(_read(STUDIED[study][0], all_sources))) == 1


@pytest.mark.parametrize("study", STUDIED)
def test_what_of_a_study_was_not_run_and_what_it_does_not_belong_to_is_said(
    study: str, all_sources: Sources
) -> None:
    section, what = STUDIED[study]
    command = ABSENT[section]
    origin, now = all_sources.origins[study], all_sources.declared
    assert origin.declared == now
    other = now | {"train": now["train"] | {"lr": 0.5}, SAMPLES: "of others"}
    origin = origin.model_copy(
        update={"planned": ("0.01", "0.02", "0.04", "0.08", "0.16"),
                "done": ("0.08", "0.04", "0.01"), "declared": other}
    )  # fmt: skip
    sources = dataclasses.replace(all_sources, origins={**all_sources.origins, study: origin})
    left, differing, *rest = _notes(_read(section, sources))
    assert left == f"Of 5 planned {what} not run: 0.02 and 0.16; {command} goes on."
    assert differing == (
        "Not of the params and samples of this page, but of other train.lr and data (the samples): "
        f"run on commit abc1234; {command} runs it anew."
    )
    assert len(rest) == 1


def test_what_a_study_belongs_to_is_read_beside_its_table(complete: Path, tmp_path: Path) -> None:
    root = shutil.copytree(complete, tmp_path / "root")
    folder = (root / TABLES["robust"].path).parent
    write_origin(folder, deciding_in(root), [COMMIT, "9" * 40], ["dropout", "both"], ["both"])
    params = root / PARAMS_FILE
    text = params.read_text("utf-8")
    params.write_text(text.replace("epochs: 15", "epochs: 16"), "utf-8")
    sources = read_sources(root, NAMES)
    left, differing, _ = _notes(_read("robust", sources))
    assert left.startswith("Of 2 planned recipes not run: dropout; ")
    assert "but of other train.epochs: run on commit abc1234 and 9999999; " in differing
    for study in ("learning_curve", "tuning"):
        (differing, _) = _notes(_read(STUDIED[study][0], sources))
        assert "but of other train.epochs: run on commit abc1234; " in differing


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
