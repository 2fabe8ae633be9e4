"""The study of training sizes: sizes are nested and equally long; words follow from numbers."""

import csv
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.datasets import table_of
from tests.project import ROOT
from tests.studies.made_up_checkout import (
    SAMPLES,
    WITH_SAMPLES,
    change_samples,
    commits,
    git,
    make_checkout,
)
from tests.studies.made_up_learning import SIZES, Accuracies, files, flat, results

from fusebench.errors import ArtifactError
from fusebench.params import Params
from fusebench.report.declared import read_origin
from fusebench.report.drawing import save
from fusebench.report.learning import SUMMARY, LearningRow, read_learning, write_learning
from fusebench.report.looks import looks, title
from fusebench.split.draw import draw
from studies import learn as script
from studies.common.errors import StudyError
from studies.common.experiments import Experiment, Read
from studies.common.kept import deciding_here, read_all
from studies.common.study import Study
from studies.learning_curve import run as running
from studies.learning_curve.page import PAGE, accuracies_table, parts, sizes_table
from studies.learning_curve.picture import learning_picture
from studies.learning_curve.plan import Size, sizes, units
from studies.learning_curve.sentences import paragraph
from studies.learning_curve.tables import FOLDER, Results

MARKS = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in PAGE.marks)


@pytest.fixture(scope="module")
def params() -> Params:
    """The tests' own params."""
    content = yaml.safe_load((ROOT / "tests/default_params.yaml").read_text("utf-8"))
    return Params.model_validate(content)


def _changed(params: Params, **sections: Mapping[str, Any]) -> Params:
    return params.model_copy(
        update={
            name: getattr(params, name).model_copy(update=dict(changes))
            for name, changes in sections.items()
        }
    )


def _table(cubes: int, spheres: int) -> pd.DataFrame:
    """Return samples.csv of so many samples of two classes, the spheres twins of some cubes."""
    ids = [f"{number:05d}" for number in (*range(cubes), *range(spheres))]
    return table_of(ids, [0] * cubes + [1] * spheres)


TABLE = _table(9999, 752)


# --- Sizes ---


def test_sizes_have_about_as_many_steps_as_the_params_ask_for(params: Params) -> None:
    found = sizes(params, TABLE)
    assert [size.share for size in found] == [0.01, 0.02, 0.04, 0.08, 0.16]
    assert [size.train_samples for size in found] == [108, 215, 430, 860, 1720]
    usual = found[3]
    assert (usual.epochs, usual.steps) == (params.train.epochs, 405)
    for size in found:
        assert size.steps_per_epoch == math.ceil(size.train_samples / params.train.batch_size)
        assert abs(size.steps - usual.steps) <= size.steps_per_epoch / 2
    assert found[0].overrides == ("split.train=0.01", "train.epochs=101")


@settings(max_examples=20, deadline=None)
@given(cubes=st.integers(60, 400), spheres=st.integers(60, 400), epochs=st.integers(1, 50))
def test_no_other_number_of_epochs_comes_nearer(
    params: Params, cubes: int, spheres: int, epochs: int
) -> None:
    shares = {"train": 0.16, "val": 0.1, "test": 0.1, "holdout": 0.1}
    changed = _changed(params, split=shares, train={"epochs": epochs, "batch_size": 8})
    found = sizes(changed, _table(cubes, spheres))
    usual = next(size for size in found if size.share == 0.16)
    assert usual.epochs == epochs
    for size in found:
        off = abs(size.steps - usual.steps)
        for other in (size.epochs - 1, size.epochs + 1):
            assert not other or off <= abs(other * size.steps_per_epoch - usual.steps)


def test_smaller_training_parts_are_nested_and_all_else_is_the_same(params: Params) -> None:
    seeds = params.train.seeds
    drawn = [
        draw(TABLE, params.split.model_copy(update={"train": size.share}), seeds)
        for size in sizes(params, TABLE)
    ]
    for seed in seeds:
        for small, large in itertools.pairwise(drawn):
            before, after = small[f"seed_{seed}"], large[f"seed_{seed}"]
            assert set(np.flatnonzero(before == "train")) < set(np.flatnonzero(after == "train"))
            for part in ("val", "test", "holdout"):
                assert ((before == part) == (after == part)).all()


def test_a_size_that_leaves_no_room_is_left_out(params: Params) -> None:
    changed = _changed(params, split={"train": 0.4, "val": 0.1, "test": 0.2, "holdout": 0.1})
    assert [size.share for size in sizes(changed, TABLE)] == [0.05, 0.1, 0.2, 0.4]


@pytest.mark.parametrize("key", ["epochs", "batch_size"])
def test_steps_of_a_fusion_s_own_are_refused(key: str, params: Params) -> None:
    changed = params.model_copy(update={"override": {"add": {key: 7}, "late": None}})
    with pytest.raises(StudyError, match=rf"params\.yaml: override\.add\.{key} = 7: must be empty"):
        sizes(changed, TABLE)
    sizes(params.model_copy(update={"override": {"add": {key: None, "lr": 0.1}}}), TABLE)


def test_a_unit_names_its_share_and_goes_as_far_as_it_must(params: Params) -> None:
    first = units(params, {"train": {}}, TABLE)[0]
    assert first.name == "0.01"
    assert first.experiment == Experiment(
        "learning-curve-0.01", ("split.train=0.01", "train.epochs=101"), ("evaluate",)
    )
    # What is as good as the best may be another when it is shown.
    assert first.about == {
        "share": 0.01, "train_samples": 108, "epochs": 101, "steps_per_epoch": 4, "steps": 404,
    }  # fmt: skip


# --- The study ---


class FakeRunner:
    """Runs nothing; some experiments fail."""

    def __init__(self, content: Mapping[str, Any], *failing: str, train: int = 0) -> None:
        self.content, self.failing, self.train = content, failing, train
        self.ran: list[str] = []

    def __call__(self, asked: Sequence[Experiment]) -> Mapping[str, Read]:
        self.ran += [one.name for one in asked]
        params = Params.model_validate(self.content)
        counts = {f"learning-curve-{size.name}": size.train_samples
                  for size in sizes(params, TABLE)}  # fmt: skip
        return {
            one.name: files(one, self.content, self.train or counts[one.name])
            for one in asked
            if one.name not in self.failing
        }


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The params of a checkout that is the working directory."""
    text = (ROOT / "tests/default_params.yaml").read_text("utf-8")
    documents = {str(PAGE.path): f"# Page\n\n{MARKS}", "params.yaml": text}
    make_checkout(tmp_path, {**documents, **WITH_SAMPLES}, monkeypatch)
    monkeypatch.setattr(running, "read_samples_table", lambda _: TABLE)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _study(runner: FakeRunner, **more: Any) -> Study:
    return running.study(runner=runner, say=lambda _: None, **more)


def test_all_sizes_are_run_kept_and_committed_and_none_twice(content: dict[str, Any]) -> None:
    runner = FakeRunner(content)
    _study(runner).run(running.planned())
    assert runner.ran == [f"learning-curve-{share}" for share in (0.01, 0.02, 0.04, 0.08, 0.16)]
    assert commits()[-1] == "Learning curve: 0.01, 0.02, 0.04, 0.08, 0.16"
    assert not git("status", "--porcelain")
    rows = read_learning(FOLDER / "summary.csv")
    assert [row.fusion for row in rows[::5]] == content["fusions"]
    assert [row.train_samples for row in rows[:5]] == [108, 215, 430, 860, 1720]
    assert rows[0].balanced_accuracy == pytest.approx(61 + 1)
    assert rows[0].nll == pytest.approx(0.49)
    assert [row.best_within_margin for row in rows[:5]] == [0, 0, 0, 0, 1]
    assert (FOLDER / "learning_curve.png").is_file()
    assert "1,720 samples" in PAGE.path.read_text("utf-8")
    again = FakeRunner(content)
    _study(again).run(running.planned())
    assert again.ran == []


def test_after_other_params_all_sizes_are_run_again(content: dict[str, Any]) -> None:
    _study(FakeRunner(content)).run(running.planned())
    path = Path("params.yaml")
    path.write_text(path.read_text("utf-8").replace("  lr: 0.001", "  lr: 0.002"), "utf-8")
    git("commit", "--quiet", "--all", "--message", "another rate")
    runner = FakeRunner(yaml.safe_load(path.read_text("utf-8")), "learning-curve-0.02")
    with pytest.raises(StudyError, match=r"^0\.02: failed"):
        _study(runner).run(running.planned())
    assert len(runner.ran) == 5
    assert list(read_all(FOLDER, deciding_here())) == ["0.01", "0.04", "0.08", "0.16"]
    assert len(read_learning(FOLDER / "summary.csv")) == 4 * len(content["fusions"])
    assert "Of 5 planned sizes 0.02 was not run." in PAGE.path.read_text("utf-8")
    assert read_origin(FOLDER).left == ["0.02"]


def _replace_param(line: str, other: str) -> None:
    path = Path("params.yaml")
    text = path.read_text("utf-8")
    assert line in text
    path.write_text(text.replace(line, other), "utf-8")
    git("commit", "--quiet", "--all", "--message", "another param")


def test_the_fusion_under_study_runs_nothing_again(content: dict[str, Any]) -> None:
    _study(FakeRunner(content)).run(running.planned())
    _replace_param("fusion: concat", "fusion: add")
    runner = FakeRunner(content)
    _study(runner).run(running.planned())
    assert runner.ran == []


def test_another_margin_is_that_of_the_words_and_runs_nothing_again(
    content: dict[str, Any],
) -> None:
    # Of 62, 63, 65, 69 and 77 %.
    _study(FakeRunner(content)).run(running.planned())
    assert "Within 2 points of its own best mean" in PAGE.path.read_text("utf-8")
    assert [row.best_within_margin for row in read_learning(SUMMARY)[:5]] == [0, 0, 0, 0, 1]
    _replace_param("    balanced_accuracy: 2.0", "    balanced_accuracy: 9.0")
    runner = FakeRunner(content)
    _study(runner).run(running.planned())
    assert runner.ran == []
    assert "Within 9 points of its own best mean" in PAGE.path.read_text("utf-8")
    assert [row.best_within_margin for row in read_learning(SUMMARY)[:5]] == [0, 0, 0, 1, 0]


def test_an_experiment_with_other_samples_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(StudyError, match=r"0\.01: .*: data/split\.csv: 9 samples in train, 108"):
        _study(FakeRunner(content, train=9)).run(running.planned()[:1])


def test_what_is_kept_is_shown_without_a_run(content: dict[str, Any]) -> None:
    _study(FakeRunner(content)).run(running.planned())
    text = PAGE.path.read_text("utf-8")
    PAGE.path.write_text(text.replace("Mean balanced", "Other"), "utf-8")
    runner = FakeRunner(content)
    _study(runner).show()
    assert runner.ran == []
    assert PAGE.path.read_text("utf-8") == text


def test_sizes_of_other_samples_are_not_shown_and_are_run_again(content: dict[str, Any]) -> None:
    _study(FakeRunner(content)).run(running.planned())
    change_samples()
    _study(FakeRunner(content)).show()
    assert read_learning(SUMMARY) == []
    assert "Nothing was run yet: `make learning-curve` does." in PAGE.path.read_text("utf-8")
    runner = FakeRunner(content)
    _study(runner).run(running.planned()[:1])
    assert runner.ran == ["learning-curve-0.01"]


@pytest.mark.usefixtures("content")
def test_without_samples_there_is_no_study() -> None:
    SAMPLES.unlink()
    with pytest.raises(ArtifactError, match=r"dataset\.json: no such file; 'dvc repro extract' m"):
        running.study()


def test_the_script_takes_shares_and_options(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def note(self: Study, found: Sequence[Any], *, again: bool) -> None:
        asked.append((self.commits, [unit.name for unit in found], again))

    monkeypatch.setattr(Study, "run", note)
    monkeypatch.setattr(Study, "show", lambda _: asked.append("show"))
    for arguments in (["0.01", "--again"], ["--no-commit"], ["--show"]):
        monkeypatch.setattr(sys, "argv", ["learn.py", *arguments])
        script.main()
    every = ["0.01", "0.02", "0.04", "0.08", "0.16"]
    assert asked == [(True, ["0.01"], True), (False, every, False), "show"]
    monkeypatch.setattr(sys, "argv", ["learn.py", "0.5"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "0.5: no such share; must be of 0.01, 0.02" in capsys.readouterr().err
    assert content


# --- What is summed up and said ---

RISING = flat(60, 80, 97, 98.5, 99)


def test_enough_is_the_smallest_size_from_which_on_a_fusion_is_near_its_best() -> None:
    found = results({"add": RISING, "late": flat(60, 99, 80, 98.5, 99)})
    assert [row.best_within_margin for row in found.rows("add")] == [0, 0, 1, 0, 0]
    assert [row.best_within_margin for row in found.rows("late")] == [0, 0, 0, 1, 0]


def test_a_fusion_whose_largest_size_is_worse_has_enough_nowhere() -> None:
    found = results({"add": flat(60, 99, 98, 97, 90)})
    assert found.enough("add") is None
    assert "Not even at the largest: add, whose best mean is at a smaller one." in paragraph(found)


def test_with_enough_seeds_the_interval_of_the_paired_difference_decides() -> None:
    # By means within 2 points, but seeds differ too much in what they lose.
    lost = [0.0, 0.0, 0.0, 0.0, 6.0]
    last = [98.0] * 5
    noisy = [last, last, last, [98 - one for one in lost], last]
    found = results({"add": noisy})
    assert found.enough("add") is found.kept[4]
    few = results({"add": [[of[0], of[4] + 3, of[2]] for of in noisy]})
    assert not few.by_interval
    assert few.enough("add") is not few.kept[4]


def test_the_best_size_itself_is_within_any_margin() -> None:
    noisy: Accuracies = {"add": [[50, 50, 50, 50, 50]] * 4 + [[50, 60, 99, 99, 99]]}
    found = results(noisy)
    assert found.enough("add") is found.kept[4]


def test_without_a_margin_nothing_is_enough_and_no_word_of_it() -> None:
    found = results({"add": RISING}, margin=None)
    assert not any(row.best_within_margin for row in found.rows("add"))
    assert "ithin" not in paragraph(found)


def test_intervals_are_over_seeds_and_bands_of_few_seeds_their_range() -> None:
    many, few = results({"add": RISING}), results({"add": flat(60, 80, 97, 98.5, 99, seeds=3)})
    row = many.rows("add")[0]
    assert (row.low, row.high) == pytest.approx((59.607, 60.393), abs=1e-3)
    assert many.band(many.kept[0], "add") == (row.low, row.high)
    assert few.band(few.kept[0], "add") == pytest.approx((59.8, 60.2))
    assert few.rows("add")[0].low == pytest.approx(59.503, abs=1e-3)
    (one,) = results({"add": [[60.0]]}, [107]).rows("add")
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_words_say_what_was_run_and_by_what_it_is_decided() -> None:
    said = paragraph(results({"add": RISING, "late": flat(60, 61, 62, 63, 70)}))
    assert said.startswith(
        "2 fusions, each with 5 seeds, trained on 107 to 1,720 samples (1 to 16 % of all pairs) "
        "with 404 to 432 optimiser steps, tested on the same 2,150 samples."
    )
    assert "with 107 and with 1,720 samples, in %: add 60.0 and 99.0 and late 60.0 and 70.0" in said
    assert (
        "Within 2 points of its own best mean of these sizes, by the upper end of the 95 % "
        "interval of the difference, paired by seed: add from 430 samples on." in said
    )
    assert "At no smaller size than the largest: late; whether still more samples help was" in said
    assert "Intervals tell the scatter of other seeds" in said
    assert "of the fusions trained again" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (SIZES, ""),
        (SIZES[1:], "Of 5 planned sizes 0.01 was not run."),
        ((107, 430, 860), "Of 5 planned sizes 0.02 and 0.16 were not run."),
    ],
)
def test_planned_sizes_that_were_not_run_are_named(sizes: Sequence[int], words: str) -> None:
    planned = ["0.01", "0.02", "0.04", "0.08", "0.16"]
    said = paragraph(results({"add": RISING}, sizes, planned=planned))
    assert words in said
    assert ("planned" in said) is bool(words)


def test_of_few_seeds_nothing_is_claimed() -> None:
    said = paragraph(results({"add": flat(60, 80, 97, 98.5, 99, seeds=3)}))
    assert "by means alone (below 5 seeds no interval over them is relied on): add from 430" in said
    assert "3 seeds: this describes these trainings, and claims nothing of the fusions" in said
    assert "Intervals tell" not in said


def test_nothing_that_was_run_is_said_so() -> None:
    assert paragraph(results({}, [])) == "Nothing was run yet: `make learning-curve` does."
    assert accuracies_table(results({}, [])) == "Nothing was run yet."


def test_one_size_alone_is_no_curve() -> None:
    said = paragraph(results({"add": [[60.0] * 5]}, [107]))
    assert "Mean balanced" not in said
    assert "ithin" not in said


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=25, max_size=25))
def test_at_most_one_size_is_marked_and_all_beyond_it_are_within(values: list[float]) -> None:
    found = results({"add": [values[place : place + 5] for place in range(0, 25, 5)]})
    marked = [row.best_within_margin for row in found.rows("add")]
    assert sum(marked) <= 1
    best = max(row.balanced_accuracy for row in found.rows("add"))
    if any(marked):
        beyond = found.rows("add")[marked.index(1) :]
        assert all(row.balanced_accuracy >= best - 2.0 - 1e-9 for row in beyond)


def test_tables_show_means_bands_and_steps() -> None:
    found = results({"add": RISING})
    cells = [cell.strip() for cell in accuracies_table(found).splitlines()[2].strip("|").split("|")]
    assert cells[0] == "add"
    assert cells[1] == "60.0 (59.6 to 60.4)"
    assert cells[3].endswith(" *")
    row = sizes_table(found).splitlines()[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "0.01", "107 / 215 / 2,150", "4", "101", "404", "0123abc", "a processor, fp32",
    ]  # fmt: skip


# --- The picture ---


def test_each_fusion_has_a_panel_with_the_others_behind_it() -> None:
    names = ["late", "concat", "add", "hadamard", "rgb_only"]
    found = results(dict.fromkeys(names, RISING))
    figure = learning_picture(found)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == list(map(title, names))
    for name, axes in zip(names, panels, strict=True):
        behind, own, circle = axes.lines[:4], axes.lines[4], axes.lines[5]
        assert {line.get_color() for line in behind} == {"#D0D0D0"}
        assert own.get_color() == looks(names)[name].colour
        assert list(np.asarray(own.get_xdata())) == list(SIZES)
        assert list(np.asarray(circle.get_xdata())) == [430]
        assert axes.get_xscale() == "log"
        assert len(axes.collections) == 1


def test_the_picture_is_the_same_each_time(tmp_path: Path) -> None:
    found = results({"add": RISING, "late": flat(60, 61, 62, 63, 70)})
    for name in ("one", "two"):
        save(learning_picture(found), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > picture.height


# --- The table for others ---

ROW = LearningRow("add", 107, 0.01, 101, 404, 5, 60.0, 59.0, 61.0, 0.5, 1)


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new/summary.csv"
    rows = [ROW, ROW._replace(train_samples=215, low=math.nan, high=math.nan, best_within_margin=0)]
    write_learning(path, rows)
    assert read_learning(path)[0] == ROW
    assert math.isnan(read_learning(path)[1].low)
    write_learning(path, [])
    assert read_learning(path) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fusion": ""}, "fusion is empty"),
        ({"seeds": 0}, "seeds = 0: must be 1 or more"),
        ({"share": 1.5}, "share = 1.5"),
        ({"balanced_accuracy": 101.0}, "balanced_accuracy = 101.0: must be between 0 and 100"),
        ({"low": 60.5}, "low, high = 60.5, 61.0: must be around 60.0"),
        ({"nll": math.nan}, "nll = nan"),
        ({"best_within_margin": 2}, "best_within_margin = 2: must be 0 or 1"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "summary.csv"
    write_learning(path, [ROW._replace(train_samples=1), ROW._replace(**changes)])
    with pytest.raises(ArtifactError) as caught:
        read_learning(path)
    assert f"line 3: {words}" in str(caught.value)
    assert str(caught.value).endswith(f"'git restore {path}' mends it")


def test_a_table_that_is_missing_or_doubled_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    with pytest.raises(ArtifactError, match="no such file; 'git restore"):
        read_learning(path)
    write_learning(path, [ROW, ROW])
    with pytest.raises(ArtifactError, match=r"line 3: a second row of add, 107; 'git restore"):
        read_learning(path)


# --- What the project keeps ---


def test_the_projects_table_has_these_columns() -> None:
    with (ROOT / SUMMARY).open(encoding="utf-8") as lines:
        assert next(csv.reader(lines)) == list(LearningRow._fields)
    read_learning(ROOT / SUMMARY)


def test_the_projects_page_shows_what_is_kept(params: Params) -> None:
    text = (ROOT / PAGE.path).read_text("utf-8")
    origin = read_origin(ROOT / FOLDER)
    kept = read_all(ROOT / FOLDER, origin.declared)
    found = Results.of(
        [kept[name] for name in origin.done],
        origin.planned,
        params.compare.margin.balanced_accuracy,
    )
    assert text == PAGE.filled(text, parts(found)), "studies/learn.py --show"


def test_a_size_is_called_by_its_share() -> None:
    assert Size(0.16, 1720, 8, 54).name == "0.16"
