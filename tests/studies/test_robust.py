"""The study of training on corrupted samples: changes are paired, and words follow from numbers."""

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import ttest_rel
from tests.project import ROOT
from tests.studies.made_up_checkout import (
    WITH_SAMPLES,
    change_samples,
    commits,
    git,
    make_checkout,
)
from tests.studies.made_up_robust import (
    SENSORS,
    Side,
    files,
    reading,
    recipe,
    robustness,
    side,
)

from fusebench.config import parse
from fusebench.errors import ArtifactError
from fusebench.inputs.corruption import CORRUPTIONS, corruption_of
from fusebench.report.declared import read_origin
from fusebench.report.drawing import save
from fusebench.report.looks import looks, title
from fusebench.report.robust import (
    BY_CORRUPTION,
    SUMMARY,
    CorruptionRow,
    RobustRow,
    read_by_corruption,
    read_robust,
    write_robust,
)
from studies import robust_training as script
from studies.common.errors import StudyError
from studies.common.experiments import Experiment, Read
from studies.common.kept import Unit, read_all
from studies.common.study import Study
from studies.robust import found as finding
from studies.robust import run as running
from studies.robust.page import PAGE, parts
from studies.robust.picture import robust_picture
from studies.robust.plan import DROPOUT, MOVED, PROBABILITY, recipes, units
from studies.robust.sentences import paragraph
from studies.robust.tables import ALL, FOLDER, Results, values

MARKS = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in PAGE.marks)
NAMES = list(SENSORS)


def around(mean: float, seeds: int = 5, spread: float = 0.3) -> list[float]:
    """Return seeds around a mean."""
    return [mean + spread * (seed - (seeds - 1) / 2) for seed in range(seeds)]


PLAIN = side(around(98), around(80), rgb_off=around(50))
BETTER = side(around(97.9), around(88), rgb_off=around(70))
MODELS = {"concat": (PLAIN, BETTER), "add": (PLAIN, PLAIN)}


def _results(models: Mapping[str, tuple[Side, Side]] = MODELS, **more: Any) -> Results:
    return Results.of([recipe(models, **more)])


# --- What is run ---


def test_recipes_are_dropout_and_that_with_all_that_is_no_movement() -> None:
    dropout, noise, camera = recipes()
    assert (camera.corruptions, camera.override) == ((), "lidar.align=camera")
    assert list(dropout.corruptions) == ["rgb_off", "lidar_off"]
    assert set(noise.corruptions) == set(CORRUPTIONS.names()) - set(MOVED)
    assert set(DROPOUT) | set(MOVED) <= set(CORRUPTIONS.names())
    assert {"rgb_noise", "range_noise", "missing_returns"} <= set(noise.corruptions)
    assert {corruption_of(name).sensor for name in noise.corruptions} == {"rgb", "lidar"}


def test_an_override_is_a_list_that_yaml_reads() -> None:
    key, _, text = recipes()[0].override.partition("=")
    assert key == "train.augment"
    spaced = text.replace(":", ": ")
    assert parse(f"augment: {spaced}".encode(), "x")["augment"] == [
        {"corruption": "rgb_off", "probability": PROBABILITY},
        {"corruption": "lidar_off", "probability": PROBABILITY},
    ]


def test_params_that_train_on_corrupted_samples_are_refused() -> None:
    augment = [{"corruption": "rgb_off", "probability": 0.1}]
    with pytest.raises(StudyError, match=r"^params\.yaml: train\.augment = .*: must be \[\]"):
        units({"train": {"augment": augment}})
    plain: list[dict[str, Any]] = [{}, {"augment": []}]
    for train in plain:
        first = units({"train": train})[0]
        assert first.experiment.targets == ("robustness",)
        assert first.experiment.name == "robust-dropout"
        assert first.about["corruptions"] == ["rgb_off", "lidar_off"]


def test_what_a_moved_lidar_costs_is_said_of_the_recipe_that_aligns_maps() -> None:
    plain = side(around(98), around(80), lidar_shifted=around(88))
    aligned = side(around(98), around(80), lidar_shifted=around(95))
    models = {"concat": (plain, aligned)}
    made = recipe(models)
    named = "LiDAR shifted against the image"
    for setting, corruptions in (("", ["rgb_off"]), ("lidar.align=camera", [])):
        results = Results.of(
            [{**made, "recipe": "camera", "corruptions": corruptions, "setting": setting}]
        )
        text = paragraph(results)
        told = (
            f"Points lost under {named}, mean over these, as stored and with lidar.align=camera: "
            "concat 10.0 and 3.0."
        )
        assert (told in text) == bool(setting)
    assert "*camera* (lidar.align=camera):" in text
    assert "Befell test samples only" not in text


# --- What is found ---

UNIT = Unit(
    Experiment("robust-dropout"), "dropout",
    {"fusions": ["concat", "add"], "train": {"seeds": [0, 1, 2, 3, 4]}}, {},
)  # fmt: skip


def _found(trained: Mapping[str, str], plain: Mapping[str, str] | None = None) -> dict[str, Any]:
    before = files({name: MODELS[name][0] for name in MODELS}) if plain is None else plain
    return finding.found(UNIT, reading(trained), reading(before))


def test_what_is_found_are_means_over_severities_of_each_seed_on_both_sides() -> None:
    found = _found(files({name: MODELS[name][1] for name in MODELS}))
    assert found["sensors"] == SENSORS
    assert found["chance"] == 50
    assert found["trained"]["concat"]["clean"] == pytest.approx(
        {str(seed): value for seed, value in enumerate(BETTER[0])}
    )
    assert found["trained"]["concat"]["corrupted"]["rgb_off"]["4"] == pytest.approx(70.6)
    assert found["plain"]["concat"]["corrupted"]["rgb_off"]["4"] == pytest.approx(50.6)
    assert found["trained"]["concat"]["robustness"] == pytest.approx(robustness(BETTER))
    assert found["processor"] == "p"


def test_a_fusion_at_chance_has_no_robustness() -> None:
    low = side(around(50), around(50))
    assert _found(files({"concat": low, "add": PLAIN}))["trained"]["concat"]["robustness"] is None


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("checked/classes.json", "{}", r"checked/classes\.json: broken"),
        ("metrics/robustness.csv", "corruption,sensor\nclean,\n", "no corruption; stress.corrupt"),
        ("metrics/robustness_summary.csv", "fusion,robustness\nadd,1\n", "'concat' is missing"),
        ("metrics/stress/add.csv", "corruption,severity,seed,balanced_accuracy\nclean,0,7,1\n",
         r"add\.csv: seeds \[7\], of params\.yaml \[0, 1, 2, 3, 4\]"),
    ],
)  # fmt: skip
def test_files_that_are_not_of_the_study_are_refused(path: str, content: str, words: str) -> None:
    trained = files({name: MODELS[name][1] for name in MODELS})
    with pytest.raises(ArtifactError, match=words):
        _found({**trained, path: content})


def test_plain_models_of_other_corruptions_are_refused() -> None:
    plain = files({name: MODELS[name][0] for name in MODELS})
    path = "metrics/stress/concat.csv"
    lines = [line for line in plain[path].splitlines() if not line.startswith("rgb_off")]
    plain[path] = "\n".join(lines) + "\n"
    with pytest.raises(ArtifactError, match=r"concat\.csv: other corruptions than lidar_off"):
        _found(files({name: MODELS[name][1] for name in MODELS}), plain)


# --- What is summed up ---


def test_each_sensor_counts_the_same() -> None:
    one = recipe({"add": (side([90.0], [60.0], rgb_off=[80.0]), PLAIN)})
    assert values(one, "plain", "add", ALL) == pytest.approx([70.0])


def test_changes_are_paired_by_seed() -> None:
    noise = [0.0, 5.0, -3.0, 8.0, 1.0]
    plain = side([90 + one for one in noise], [70 + one for one in noise])
    trained = side([90 + one for one in noise], [75 + one + seed / 10 for seed, one in
                                                  enumerate(noise)])  # fmt: skip
    (row,) = _results({"add": (plain, trained)}).rows(recipe({"add": (plain, trained)}))
    expected = ttest_rel(trained[1]["rgb_off"], plain[1]["rgb_off"])
    low, high = expected.confidence_interval(0.95)
    assert (row.corrupted_low, row.corrupted_high) == pytest.approx((low, high))
    assert row.corrupted_p == pytest.approx(expected.pvalue)
    assert row.corrupted_change == pytest.approx(5.2)
    assert (row.clean_change, row.clean_p) == (0, 1)


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(70, 100)] * 2, *[st.floats(50, 70)] * 2),
             min_size=2, max_size=8)
)  # fmt: skip
def test_the_change_of_robustness_is_that_of_the_ratios(
    seeds: list[tuple[float, float, float, float]],
) -> None:
    clean, clean_now, under, under_now = (list(of) for of in zip(*seeds, strict=True))
    plain, trained = side(clean, under), side(clean_now, under_now)
    one = recipe({"add": (plain, trained)})
    (row,) = Results.of([one]).rows(one)
    assert row.robustness == pytest.approx(robustness(trained))
    assert row.robustness_change == pytest.approx(robustness(trained) - robustness(plain))
    assert row.low <= row.robustness_change + 1e-9
    assert row.high >= row.robustness_change - 1e-9


def test_the_interval_of_a_ratio_is_about_as_wide_as_the_ratio_scatters() -> None:
    source = np.random.default_rng(0)
    changes, widths = [], []
    for _ in range(400):
        clean = 90 + 4 * source.standard_normal(10)
        under = 50 + 0.5 * (clean - 50) + 3 * source.standard_normal(10)
        one = recipe({"add": (side([95.0] * 10, [72.5] * 10), side(list(clean), list(under)))})
        (row,) = Results.of([one]).rows(one)
        changes.append(row.robustness_change)
        widths.append((row.high - row.low) / 2)
    inside = np.abs(np.array(changes) - 0.0) <= np.array(widths)
    assert 0.92 < inside.mean() < 0.98


def test_at_chance_there_is_no_change_of_robustness() -> None:
    low = side(around(50), around(50))
    (row,) = _results({"add": (low, PLAIN)}).rows(recipe({"add": (low, PLAIN)}))
    assert math.isnan(row.robustness_change)
    assert math.isnan(row.low)
    assert row.robustness == pytest.approx(robustness(PLAIN))


def test_by_corruption_says_what_befell_training_samples() -> None:
    rows = {row.corruption: row for row in _results().by_corruption(recipe(MODELS))[:4]}
    assert [rows[name].in_training for name in NAMES] == [1, 0, 0, 1]
    assert rows["rgb_off"].change == pytest.approx(20)
    assert rows["range_noise"].change == pytest.approx(8)
    assert rows["rgb_off"].sensor == "rgb"


def test_recipes_stand_in_the_plans_order_and_unknown_ones_are_not_shown() -> None:
    kept = [recipe(MODELS, name) for name in ("dropout-noise", "other", "dropout")]
    assert [of["recipe"] for of in Results.of(kept).kept] == ["dropout", "dropout-noise"]


# --- What is said ---


def test_with_enough_seeds_shown_changes_are_said_with_intervals() -> None:
    plain = side(around(98), around(80))
    trained = side(
        [value - one for value, one in zip(around(98), (3, 2, 3, 2, 3), strict=True)],
        [value + one for value, one in zip(around(80), (9, 8, 7, 8, 8), strict=True)],
    )
    said = paragraph(_results({"concat": (plain, trained), "add": (plain, plain)}))
    assert said.startswith(
        "*dropout* (camera off and LiDAR off; each befalls a training sample with probability 0.1):"
    )
    assert (
        "Shown under corruptions, after Holm over 4 tests: concat +8.0 points (95 % inter" in said
    )
    assert "For add no change under corruptions is shown." in said
    assert "Shown on clean samples, after Holm over 4 tests: concat -2.6 points" in said
    assert "left under corruptions: concat 62 to 84 % and add 62 to 62 %." in said
    assert "intervals tell the scatter of other seeds" in said


def test_what_is_not_shown_is_not_said() -> None:
    plain = side(around(98), around(80))
    noisy = side(around(98), [70, 95, 79, 85, 80])
    said = paragraph(_results({"concat": (plain, noisy)}))
    assert "No change under corruptions is shown, after Holm over 2 tests." in said
    assert "No change on clean samples is shown, after Holm over 2 tests." in said
    assert "Shown" not in said


def test_of_few_seeds_changes_are_described_and_nothing_is_claimed() -> None:
    few = {"concat": (side(around(98, 3), around(80, 3)), side(around(97, 3), around(88, 3)))}
    said = paragraph(_results(few))
    assert (
        "In 3 seeds, points of balanced accuracy under corruptions and on clean samples: " in said
    )
    assert "concat +8.0 and -1.0." in said
    assert "hown" not in said
    assert "Below 5 seeds this describes these trainings, and claims nothing" in said


def test_words_name_what_no_recipe_trained_on_and_who_is_at_chance() -> None:
    low = side(around(50), around(50))
    said = paragraph(_results({"concat": (PLAIN, BETTER), "add": (low, low)}))
    unseen = "LiDAR shifted against the image and noise on ranges"
    assert f"Befell test samples only, in all that was run: {unseen}." in said
    lacking = "not shown to be above chance on clean samples in one of the two"
    assert f"No such figure for add: {lacking}." in said
    assert paragraph(Results.of([])) == "Nothing was run yet: `make robust` does."


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (["dropout", "dropout-noise", "camera"], ""),
        (["dropout", "camera"], "Of 3 planned recipes dropout-noise was not run."),
        (["dropout-noise"], "Of 3 planned recipes dropout and camera were not run."),
    ],
)
def test_planned_recipes_that_were_not_run_are_named(done: Sequence[str], words: str) -> None:
    kept = [recipe(MODELS, name, NAMES[:1]) for name in done]
    said = paragraph(Results.of(kept, [one.name for one in recipes()]))
    assert words in said
    assert ("planned" in said) is bool(words)


def test_tables_of_the_page_show_changes_with_bands() -> None:
    shown = parts(_results())
    row = shown["robust-changes"].splitlines()[2]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["dropout", "concat", "97.9", "-0.1 (-0.1 to -0.1)"]
    assert cells[5].startswith("+14.0 (+14.0 to")
    corruptions = shown["robust-corruptions"].splitlines()[2:]
    assert ["camera off *" in line for line in corruptions] == [False, False, False, True]
    assert "| rgb_off, lidar_off |" in shown["robust-run"]


# --- The picture ---


def test_recipes_are_told_apart_by_marker_and_filling() -> None:
    found = Results.of([recipe(MODELS, one.name, NAMES[:1]) for one in recipes()])
    points = [line for line in robust_picture(found).axes[0].lines if line.get_marker() != "None"]
    looks_of = {(str(line.get_marker()), str(line.get_markerfacecolor())) for line in points}
    assert len(points) == len(looks_of) + 2 == len(MODELS) * len(recipes())


def test_a_point_per_fusion_and_recipe_in_both_panels(tmp_path: Path) -> None:
    found = Results.of([recipe(MODELS), recipe(MODELS, "dropout-noise", NAMES)])
    figure = robust_picture(found)
    corrupted, clean = figure.axes
    assert [label.get_text() for label in corrupted.get_yticklabels()] == list(map(title, MODELS))
    for axes, change in ((corrupted, 14.0), (clean, -0.1)):
        points = [line for line in axes.lines if line.get_marker() == "o"]
        assert len(points) == 4
        assert float(np.asarray(points[0].get_xdata())[0]) == pytest.approx(change)
        assert points[0].get_color() == looks(list(MODELS))["concat"].colour
        assert points[0].get_markerfacecolor() != points[2].get_markerfacecolor() == "white"
    for name in ("one", "two"):
        save(robust_picture(found), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > picture.height


# --- The study ---


class FakeRunner:
    """Runs nothing; trained models are better."""

    def __init__(self, models: Mapping[str, Side]) -> None:
        self.models = models
        self.ran: list[str] = []

    def __call__(self, asked: Sequence[Experiment]) -> Mapping[str, Read]:
        self.ran += [one.name for one in asked]
        return {one.name: reading(files(self.models)) for one in asked}


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """A checkout with plain models, and what makes those of recipes."""
    text = (ROOT / "tests/default_params.yaml").read_text("utf-8")
    params = yaml.safe_load(text)
    seeds, fusions = len(params["train"]["seeds"]), params["fusions"]
    plain = dict.fromkeys(fusions, side(around(98, seeds), around(80, seeds)))
    documents = {str(PAGE.path): f"# Page\n\n{MARKS}", "params.yaml": text}
    make_checkout(tmp_path, {**documents, **files(plain), **WITH_SAMPLES}, monkeypatch)
    monkeypatch.setattr(finding, "reader", lambda _: lambda path: Path(path).read_bytes())
    return FakeRunner(dict.fromkeys(fusions, side(around(98, seeds), around(85, seeds))))


def test_recipes_are_run_kept_and_committed_and_none_twice(runner: FakeRunner) -> None:
    running.study(runner=runner, say=lambda _: None).run(running.planned())
    assert runner.ran == ["robust-dropout", "robust-dropout-noise", "robust-camera"]
    assert commits()[-1] == "Robust training: dropout, dropout-noise, camera"
    assert not git("status", "--porcelain")
    rows = read_robust(SUMMARY)
    assert {row.recipe for row in rows} == {"dropout", "dropout-noise", "camera"}
    assert all(row.corrupted_change == pytest.approx(5) for row in rows)
    assert len(read_by_corruption(BY_CORRUPTION)) == len(rows) * len(SENSORS)
    assert (FOLDER / "robust.png").is_file()
    assert "*dropout-noise*" in PAGE.path.read_text("utf-8")
    running.study(runner=runner, say=lambda _: None).run(running.planned())
    assert len(runner.ran) == 3


def test_one_recipe_of_the_plan_is_said_to_be_one(runner: FakeRunner) -> None:
    running.study(runner=runner, say=lambda _: None).run(running.planned()[1:2])
    said = "Of 3 planned recipes dropout and camera were not run."
    assert said in PAGE.path.read_text("utf-8")
    assert read_origin(FOLDER).left == ["dropout", "camera"]


def test_recipes_of_other_samples_are_not_shown_and_are_run_again(runner: FakeRunner) -> None:
    running.study(runner=runner, say=lambda _: None).run(running.planned()[:2])
    change_samples()
    running.study(runner=runner, say=lambda _: None).run(running.planned()[:1])
    assert runner.ran == ["robust-dropout", "robust-dropout-noise", "robust-dropout"]
    assert {row.recipe for row in read_robust(SUMMARY)} == {"dropout"}


@pytest.mark.usefixtures("runner")
def test_the_script_takes_recipes_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def note(self: Study, found: Sequence[Unit], *, again: bool) -> None:
        asked.append((self.commits, [unit.name for unit in found], again))

    monkeypatch.setattr(Study, "run", note)
    monkeypatch.setattr(Study, "show", lambda _: asked.append("show"))
    for arguments in (["dropout", "--again"], ["--no-commit"], ["--show"]):
        monkeypatch.setattr(sys, "argv", ["robust_training.py", *arguments])
        script.main()
    assert asked == [
        (True, ["dropout"], True), (False, ["dropout", "dropout-noise", "camera"], False), "show",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["robust_training.py", "rain"])
    with pytest.raises(SystemExit):
        script.main()
    assert "rain: no such recipe; must be of dropout, dropout-noise" in capsys.readouterr().err


# --- The tables for others ---


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = _results()
    rows, under = found.rows(found.kept[0]), found.by_corruption(found.kept[0])
    write_robust(rows, under, tmp_path)
    assert [row.fusion for row in read_robust(tmp_path / "summary.csv")] == ["concat", "add"]
    assert read_by_corruption(tmp_path / "by_corruption.csv")[0].corruption == "lidar_off"
    write_robust([rows[0]._replace(low=math.nan, robustness=math.nan)], [], tmp_path)
    assert math.isnan(read_robust(tmp_path / "summary.csv")[0].robustness)
    assert read_by_corruption(tmp_path / "by_corruption.csv") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": ""}, "recipe is empty"),
        ({"seeds": 0}, "seeds = 0: must be 1 or more"),
        ({"clean_balanced_accuracy": 101.0}, "clean_balanced_accuracy = 101.0: must be between"),
        ({"low": 1.0, "high": 0.5}, "low, high = 1.0, 0.5: must be in this order"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    row = _results().rows(recipe(MODELS))[0]
    write_robust([row._replace(**changes)], [], tmp_path)
    with pytest.raises(ArtifactError) as caught:
        read_robust(tmp_path / "summary.csv")
    assert f"line 2: {words}" in str(caught.value)
    write_robust([row, row], [], tmp_path)
    with pytest.raises(ArtifactError, match="line 3: a second row of concat, dropout"):
        read_robust(tmp_path / "summary.csv")


# --- What the project keeps ---


@pytest.mark.parametrize(("path", "kind"), [(SUMMARY, RobustRow), (BY_CORRUPTION, CorruptionRow)])
def test_the_projects_tables_have_these_columns(path: Path, kind: Any) -> None:
    with (ROOT / path).open(encoding="utf-8") as lines:
        assert next(csv.reader(lines)) == list(kind._fields)
    read_robust(ROOT / SUMMARY)
    read_by_corruption(ROOT / BY_CORRUPTION)


def test_the_projects_page_shows_what_is_kept() -> None:
    text = (ROOT / PAGE.path).read_text("utf-8")
    origin = read_origin(ROOT / FOLDER)
    kept = read_all(ROOT / FOLDER, origin.declared)
    found = Results.of([kept[name] for name in origin.done], origin.planned)
    assert text == PAGE.filled(text, parts(found)), "studies/robust_training.py --show"
