"""Table, JSON, headline, curves and pictures from kept predictions."""

import csv
import io
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.metrics import precision_recall_curve
from tests.project import ROOT

import compare as stage
from fusebench.device import present_environment as present
from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import fusion_metrics
from fusebench.files import write_json
from fusebench.models import registry
from fusebench.prediction.predictions import (
    FusionPredictions,
    PartPredictions,
    read_predictions,
    write_seed,
)
from fusebench.report import curves, style
from fusebench.report import figures as pictures
from fusebench.report.draw import write_plots
from fusebench.report.headline import headline, headline_lines
from fusebench.report.pairs import pairs_of
from fusebench.report.results import MAJORITY, THRESHOLD, Comparison, read_comparison
from fusebench.report.table import SCREEN_WIDTH, comparison_json, csv_rows, screen_table

NOTEBOOK_COLUMNS = [
    "Model", "Strategy", "Validation Loss", "F1 Score", "Parameters", "Time (s/epoch)",
    "Memory (MB)", "Accuracy",
]  # fmt: skip
NAMES = ("late", "hadamard")
CLASSES = ["cubes", "spheres"]


def _part(seed: int, part: str, quality: float, size: int) -> PartPredictions:
    # The labels of a part are the same for every fusion; only the logits differ.
    labels = np.arange(size) % 5 == 0
    noise = np.random.default_rng([seed, len(part), int(10 * quality)]).normal(size=(size, 2))
    logits = noise + quality * np.stack((~labels, labels), axis=1)
    return PartPredictions(
        np.array([f"{row:04d}" for row in range(size)]),
        np.array(CLASSES)[labels.astype(int)],
        np.array([f"{part}{row}" for row in range(size)]),
        labels.astype(np.int64),
        logits.astype(np.float32),
    )


def _write_predictions(
    root: Path, name: str, quality: float, seeds: tuple[int, ...], **info: Any
) -> None:
    folder = root / "predictions" / name
    folder.mkdir(parents=True)
    for seed in seeds:
        write_seed(
            folder, seed,
            {part: _part(seed, part, quality, size) for part, size in (("val", 30), ("test", 60))},
        )  # fmt: skip
    content = {
        "fusion": name, "strategy": "late" if name == "late" else "intermediate",
        "inputs": ["rgb", "lidar"], "parameters": 3_336_662, "classes": CLASSES,
        "positive": "spheres", "rendered": True, "seeds": list(seeds),
        "train_counts": {str(seed): {"cubes": 80, "spheres": 20} for seed in seeds},
    }  # fmt: skip
    write_json(folder / "info.json", content | info)
    write_json(root / f"metrics/fusions/{name}.json", fusion_metrics(read_predictions(folder)))


def _write_fusion(root: Path, name: str, quality: float, seeds: tuple[int, ...]) -> None:
    _write_predictions(root, name, quality, seeds)
    measured = {"seconds_per_epoch": {"median": 1.5}, "memory": {"peak_mb": 900.0}}
    write_json(root / f"metrics/training/{name}.json", measured)
    curve = root / f"plots/training/{name}.csv"
    curve.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{seed},{epoch},{1 / epoch + seed / 10}" for seed in seeds for epoch in (1, 2, 3)]
    curve.write_text("\n".join(["seed,epoch,val_loss", *lines, ""]), "utf-8")


def _write_threshold(root: Path, seeds: tuple[int, ...]) -> None:
    info = {"strategy": "none", "inputs": ["lidar"], "parameters": 1}
    _write_predictions(root, THRESHOLD, 1.0, seeds, **info)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write_fusion(tmp_path, "late", 3.0, (0, 1))
    _write_fusion(tmp_path, "hadamard", 0.5, (0, 1))
    _write_threshold(tmp_path, (0, 1))
    return tmp_path


@pytest.fixture
def comparison(root: Path) -> Comparison:
    return read_comparison(root, NAMES)


def _csv(comparison: Comparison) -> list[dict[str, str]]:
    header, rows = csv_rows(comparison)
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return list(csv.DictReader(io.StringIO(stream.getvalue())))


def test_the_notebooks_columns_come_first(comparison: Comparison) -> None:
    assert csv_rows(comparison)[0][:8] == NOTEBOOK_COLUMNS


def test_the_notebooks_columns_are_means_on_val(comparison: Comparison, root: Path) -> None:
    row = _csv(comparison)[0]
    metrics = json.loads((root / "metrics/fusions/late.json").read_text("utf-8"))
    seeds = metrics["val"]["seeds"].values()
    for column, metric in (
        ("Validation Loss", "nll"),
        ("F1 Score", "f1"),
        ("Accuracy", "accuracy"),
    ):
        assert float(row[column]) == pytest.approx(np.mean([seed[metric] for seed in seeds]))
    assert row["Model"] == "late"
    assert row["Parameters"] == "3336662"
    assert float(row["Time (s/epoch)"]) == 1.5
    assert float(row["Memory (MB)"]) == 900


def test_test_figures_are_mean_and_deviation_over_seeds(comparison: Comparison) -> None:
    result, row = comparison.results[1], _csv(comparison)[1]
    for column, metric in (("Test NLL", "nll"), ("Test AUROC", "auroc"), ("Test F1 Score", "f1")):
        values = [seed[metric] for seed in result.metrics["test"]["seeds"].values()]
        assert float(row[column]) == pytest.approx(np.mean(values), abs=1e-5)
        assert float(row[f"{column} Deviation"]) == pytest.approx(np.std(values, ddof=1), abs=1e-5)


def test_the_majority_class_has_a_row_of_its_own(comparison: Comparison) -> None:
    row = _csv(comparison)[-2]
    assert row["Model"] == MAJORITY
    assert float(row["Test Accuracy"]) == 80
    assert float(row["Test Balanced Accuracy"]) == 50
    assert float(row["Test AUROC"]) == 50
    expected = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert float(row["Test NLL"]) == pytest.approx(expected, abs=1e-5)
    assert row["Time (s/epoch)"] == row["Memory (MB)"] == row["Stuck Seeds"] == ""


def test_the_threshold_has_the_last_row_and_was_not_trained(comparison: Comparison) -> None:
    result, row = comparison.results[-1], _csv(comparison)[-1]
    assert (row["Model"], row["Strategy"], row["Parameters"]) == (THRESHOLD, "none", "1")
    assert result.measured is None
    assert row["Time (s/epoch)"] == row["Memory (MB)"] == ""
    assert row["Seeds"] == "2"
    assert row["Stuck Seeds"] == str(result.metrics["stuck_seeds"])
    assert float(row["Test NLL"]) == result.metrics["test"]["nll"]["mean"]


def test_the_threshold_is_compared_like_a_fusion_but_not_counted_as_one(
    comparison: Comparison,
) -> None:
    assert list(comparison.predictions) == [*NAMES, THRESHOLD]
    assert comparison.trained == list(NAMES)


def test_a_missing_threshold_is_one_line_with_what_to_do(root: Path) -> None:
    shutil.rmtree(root / "predictions/threshold")
    with pytest.raises(ArtifactError) as caught:
        read_comparison(root, NAMES)
    message = str(caught.value)
    assert "predictions/threshold/info.json: no such file; 'dvc repro' makes it" in message
    assert len(message.splitlines()) == 1


def test_a_threshold_of_other_seeds_is_not_compared(tmp_path: Path) -> None:
    _write_fusion(tmp_path, "late", 1.0, (0, 1))
    _write_threshold(tmp_path, (0,))
    with pytest.raises(ArtifactError, match=r"predictions/threshold: seeds \[0\]"):
        read_comparison(tmp_path, ("late",))


def test_the_json_holds_no_measured_time_or_memory(comparison: Comparison) -> None:
    content = comparison_json(comparison)
    assert list(content) == [*NAMES, MAJORITY, THRESHOLD]
    text = json.dumps(content)
    assert "second" not in text
    assert "memory" not in text
    assert (
        content["late"]["test"]["nll"]["mean"]
        == comparison.results[0].metrics["test"]["nll"]["mean"]
    )


def test_the_screen_table_fits_and_tells_where_its_numbers_come_from(
    comparison: Comparison,
) -> None:
    shown = screen_table(_csv(comparison))
    assert max(map(len, shown.splitlines())) <= SCREEN_WIDTH
    assert "…" not in shown
    assert "Rendered samples; 2 seed(s)" in shown
    assert "selected on val" in shown.replace("\n", " ")
    rows = ["late", "hadamard", "majority", "threshold"]
    assert [line.split()[0] for line in shown.splitlines()[2:6]] == rows


def test_the_screen_table_fits_with_every_fusion_there_is(tmp_path: Path) -> None:
    names = registry.names()
    for name in names:
        _write_fusion(tmp_path, name, 1.0, (0, 1))
    _write_threshold(tmp_path, (0, 1))
    shown = screen_table(_csv(read_comparison(tmp_path, names)))
    assert max(map(len, shown.splitlines())) <= SCREEN_WIDTH
    assert "…" not in shown
    for name in (*names, *registry.BASELINES):
        assert any(line.startswith(name.replace("_", " ") + " ") for line in shown.splitlines())


def _compared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params |= {"strategies": list(NAMES), "fusion": "late"}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    stage.main()


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_the_stage_tells_of_trainings_that_were_not_alike(
    rate: float, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, lr in (("late", 0.001), ("hadamard", rate)):
        path = root / "predictions" / name / "info.json"
        environment = {"device": "cpu", **present("auto")}
        trained = {"settings": {"lr": lr}, "environment": environment}
        write_json(path, json.loads(path.read_text("utf-8")) | trained)
    _compared(root, monkeypatch)
    shown = capsys.readouterr().out
    assert "majority class" in shown
    told = "late was trained with lr 0.001, hadamard with 0.1"
    assert [line for line in shown.splitlines() if "trained" in line] == [told] * (rate == 0.1)


def test_folders_of_other_fusions_are_ignored(root: Path) -> None:
    (root / "predictions/stale").mkdir()
    (root / "predictions/stale/info.json").write_text("broken", "utf-8")
    assert list(read_comparison(root, ("late",)).predictions) == ["late", THRESHOLD]


def test_fusions_of_other_seeds_are_not_compared(tmp_path: Path) -> None:
    _write_fusion(tmp_path, "late", 1.0, (0, 1))
    _write_fusion(tmp_path, "add", 1.0, (0, 2))
    _write_threshold(tmp_path, (0, 1))
    with pytest.raises(ArtifactError, match=r"predictions/add: seeds \[0, 2\]"):
        read_comparison(tmp_path, ("late", "add"))


def test_fusions_of_other_samples_are_not_compared(root: Path) -> None:
    parts = {"val": _part(0, "val", 1.0, 30), "test": _part(0, "other", 1.0, 60)}
    write_seed(root / "predictions/hadamard", 0, parts)
    with pytest.raises(ArtifactError, match="predictions/hadamard: test samples of seed 0"):
        read_comparison(root, NAMES)


def test_the_headline_gives_val_before_test(root: Path) -> None:
    metrics = json.loads((root / "metrics/fusions/late.json").read_text("utf-8"))
    figures = headline(metrics)
    assert [key.partition("_")[0] for key in figures] == ["val"] * 10 + ["test"] * 10 + [
        "headline"
    ] * 2
    assert figures["test_nll"] == metrics["test"]["nll"]["mean"]
    assert figures["test_nll_deviation"] == metrics["test"]["nll"]["deviation"]
    assert figures["headline_parameters_m"] == pytest.approx(3.336662)
    lines = headline_lines("late", figures)
    assert "choose by these" in lines[1]
    assert "quote these" in lines[2]


def test_training_rows_are_mean_and_range_over_seeds(root: Path) -> None:
    rows = curves.training_rows(root / "plots/training", ["late"])
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [rows[1][key] for key in ("low", "val_loss", "high")] == [0.5, 0.55, 0.6]


def test_ranking_curves_end_where_they_must(comparison: Comparison) -> None:
    roc, precision_recall = curves.ranking_rows(comparison)
    for name in NAMES:
        for seed in (0, 1):
            held = [row for row in roc if row["fusion"] == name and row["seed"] == seed]
            ends = [tuple(row[key] for key in curves.ROC) for row in (held[0], held[-1])]
            assert ends == [(0.0, 0.0), (100.0, 100.0)]
            assert len(held) <= 102
    assert {row["recall"] for row in precision_recall} >= {0.0, 100.0}


def test_what_was_not_trained_has_no_curves(comparison: Comparison) -> None:
    for rows in curves.ranking_rows(comparison):
        assert {row["fusion"] for row in rows} == set(NAMES)
    assert {row["fusion"] for row in curves.accuracy_rows(comparison)} >= {MAJORITY, THRESHOLD}


def test_every_fusion_has_a_colour_and_a_marker_of_its_own() -> None:
    names = [f"fusion{place}" for place in range(7)]
    chosen = style.colours(names)
    assert len({chosen[name] for name in names}) == 7
    assert chosen[MAJORITY] not in {chosen[name] for name in names}
    assert style.colours([*names, THRESHOLD])[THRESHOLD] == chosen[MAJORITY] == chosen[THRESHOLD]
    assert len(set(style.markers(names).values())) == 7


def test_a_fusion_keeps_its_colour_when_another_is_appended() -> None:
    assert style.colours(["late", "add"])["add"] == style.colours(["late", "add", "film"])["add"]


def test_the_templates_of_dvc_plots_have_the_same_colours() -> None:
    folder = Path(__file__).parents[2] / ".dvc/plots"
    for name in ("band", "bars", "curves", "simple_bars"):
        ranges: list[Any] = []

        def look(value: Any, ranges: list[Any] = ranges) -> None:
            if isinstance(value, dict):
                scale = value.get("scale", {})
                if value.get("field") in ("fusion", "Model") and "range" in scale:
                    ranges.append(scale["range"])
                for each in value.values():
                    look(each)
            elif isinstance(value, list):
                for each in value:
                    look(each)

        look(json.loads((folder / f"{name}.json").read_text("utf-8")))
        assert ranges, name
        assert all(found == list(style.PALETTE) for found in ranges), name


def test_the_page_of_dvc_plots_loads_nothing_from_the_web() -> None:
    page = (Path(__file__).parents[2] / ".dvc/plots/page.html").read_text("utf-8")
    assert "{plot_divs}" in page
    assert "{scripts}" not in page
    assert "<script src" not in page
    assert "<link" not in page


def test_pictures_repeat_to_the_bit_and_show_something(root: Path, comparison: Comparison) -> None:
    first: dict[str, bytes] = {}
    for _ in range(2):
        write_plots(comparison, pairs_of(comparison, "balanced_accuracy"), root / "plots")
        found = {path.name: path.read_bytes() for path in (root / "plots").glob("*.png")}
        first = first or found
        assert found == first
    expected = {"accuracy", "confusion", "pairs", "precision_recall", "roc", "training"}
    assert set(first) == {f"{name}.png" for name in expected}
    for content in first.values():
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).reshape(-1, 3)
        assert min(pixels.shape) > 0
        assert len(np.unique(pixels, axis=0)) > 20


def test_bars_stand_at_the_means_with_a_mark_per_seed(comparison: Comparison) -> None:
    rows = curves.accuracy_rows(comparison)
    axes = pictures.accuracy_picture(comparison, rows).axes[0]
    heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert heights == [row["balanced_accuracy"] for row in rows]
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(np.asarray(line.get_ydata())) for line in marks] == [2, 2, 2, 2]
    assert "%" in axes.get_ylabel()


def test_five_fusions_and_the_threshold_have_a_confusion_each(tmp_path: Path) -> None:
    names = ("late", "concat", "add", "hadamard", "rgb_only")
    for name in names:
        _write_fusion(tmp_path, name, 1.0, (0,))
    _write_threshold(tmp_path, (0,))
    figure = pictures.confusion_picture(read_comparison(tmp_path, names))
    titles = [*names[:-1], "rgb only", THRESHOLD]
    assert [axes.get_title() for axes in figure.axes if axes.axison] == titles


def test_names_below_the_bars_do_not_run_into_each_other(tmp_path: Path) -> None:
    names = registry.names()
    for name in names:
        _write_fusion(tmp_path, name, 1.0, (0,))
    _write_threshold(tmp_path, (0,))
    comparison = read_comparison(tmp_path, names)
    figure = pictures.accuracy_picture(comparison, curves.accuracy_rows(comparison))
    with mpl.style.context(style.STYLE_SHEET):
        figure.draw_without_rendering()
        boxes = [each.get_window_extent() for each in figure.axes[0].get_xticklabels()]
    assert len(boxes) == len(names) + 2
    assert not [left for left, right in pairwise(boxes) if left.x1 + 2 >= right.x0]


def test_a_precision_recall_curve_keeps_its_shape_when_positives_are_rare(tmp_path: Path) -> None:
    _write_fusion(tmp_path, "late", 2.0, (0,))
    labels = np.arange(2000) % 14 == 0
    logits = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    logits[:, 1] += 2 * labels
    names = np.array([str(row) for row in range(2000)])
    part = PartPredictions(names, names, names, labels.astype(np.int64), logits)
    held = read_predictions(tmp_path / "predictions/late")
    thin = FusionPredictions(held.info, {0: {"test": part}})
    rows = curves.ranking_rows(Comparison((), {"late": thin}))[1]
    drawn = np.array([[row["recall"], row["precision"]] for row in rows], float)
    precision, recall, _ = precision_recall_curve(labels, logits[:, 1] - logits[:, 0])
    for place in np.linspace(5, 95, 10):
        expected = 100 * precision[np.abs(100 * recall - place).argmin()]
        assert drawn[np.abs(drawn[:, 0] - place).argmin(), 1] == pytest.approx(expected, abs=4)
