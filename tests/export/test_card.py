"""The card of an exported model: all that is known is in it, and what is not, with the reason."""

import copy
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.export.made_up import SPHERICAL, answers, graph_of, subject_of
from tests.project import ROOT
from tests.report.made_up import BEST, WORSE

from fusebench.errors import one_line
from fusebench.evaluation.metrics import METRICS
from fusebench.export.about import about
from fusebench.export.card import card
from fusebench.export.check import Check, Difference, check
from fusebench.export.format import FORMATS, load_format
from fusebench.export.markdown import at_most, plain
from fusebench.export.results import Results
from fusebench.export.subject import Subject
from fusebench.report.best import Best
from fusebench.report.probabilities import Probability
from fusebench.report.robustness_files import Kept

METRIC_VALUES: dict[str, dict[str, float | None]] = {
    name: {"mean": 10 + 0.125 * number, "deviation": 0.5 + number}
    for number, name in enumerate(METRICS)
}
RESULTS = Results(
    METRIC_VALUES, 7, "1dd7573", "", [], WORSE,
    Kept("concat", 0.6772, "rgb_darkness", 0.4222, 14, 7),
    [Probability("concat", seed, 1.25 + seed, 0.4 + seed, 0.1, 12.5 + seed, 0.3 + seed, 0.1,
                 3.25 + seed) for seed in (0, 1)],
    {"device": "cpu", "torch": "2.15.0"},
)  # fmt: skip
NO_RESULTS = Results(
    unknown=dict.fromkeys(("metrics", "best", "robustness", "calibration", "training"), "gone")
)
KEPT = Difference(0.0123, 3), ""
FILES = {"model.onnx": "0123456789abcdef"}

pytestmark = pytest.mark.usefixtures("cpu")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params_text: str) -> Path:
    """A project's root, the working directory, in no repository."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")
    (tmp_path / "CITATION.cff").symlink_to(ROOT / "CITATION.cff")
    return tmp_path


def checked(subject: Subject) -> Check:
    return check(lambda inputs: answers(subject.graph, dict(inputs)), subject)


def content_of(
    subject: Subject | None = None, results: Results = RESULTS, behind: str = "",
    kept: tuple[Difference | None, str] = KEPT, name: str = "onnx",
) -> dict[str, Any]:  # fmt: skip
    """Return export.json, but for its files, of made-up models."""
    subject = subject or subject_of(9, others=4)
    requires = {"onnx": {"opset": 20}, "torch": {}}[name]
    return about(
        subject, name, load_format(name), checked(subject), kept, results, behind, requires
    )


def card_of(content: dict[str, Any]) -> str:
    return card(content, load_format(content["format"]), FILES)


def section(text: str, heading: str) -> str:
    (found,) = re.findall(rf"\n## {heading}\n\n(.*?)(?=\n## |\Z)", text, re.DOTALL)
    return str(found)


# --- What is known ---


@pytest.mark.usefixtures("place")
def test_every_figure_is_shown() -> None:
    """Each changes the card where it changes."""
    content = content_of()
    shown: list[Sequence[str | int]] = [
        *(("exported", name) for name in METRICS),
        *(("metrics", name, key) for name in METRICS for key in ("mean", "deviation")),
        ("metrics_seeds",), ("results",), ("best", "below"),
        ("robustness", "robustness"), ("robustness", "worst_robustness"),
        ("robustness", "corruptions"), ("robustness", "seeds"),
        *(("calibration", row, key) for row in (0, 1) for key in (
            "temperature", "nll", "scaled_nll", "calibration_error", "scaled_calibration_error")),
        *(("check", key) for key in ("samples", "batch", "last_batch", "tolerance")),
        *(("check", of, key) for of in ("from_torch_fp32", "from_kept_predictions")
          for key in ("largest", "other_class")),
        ("parameters",), ("best_epochs", "1"), ("settings", "lr"),
        ("requires", "opset"), ("data", "counts", "cubes"),
        ("data", "groups"), ("parts", "test", "spheres"),
        ("parts", "train", "1", "cubes"), ("parts", "val", "0", "cubes"),
        ("parts", "split", "train"), ("weights", "1"), ("versions", "torch"), ("licence",),
        ("training", "torch"), ("sensors", "lidar", "max_range"), ("azimuth", 0), ("zenith", -1),
    ]  # fmt: skip
    before = card_of(content)
    for path in shown:
        changed = copy.deepcopy(content)
        *parents, last = path
        holder: Any = changed
        for key in parents:
            holder = holder[key]
        holder[last] = "other" if isinstance(holder[last], str) else holder[last] * 1.5 + 1
        assert card_of(changed) != before, path
    for digest in FILES.values():
        assert digest in before


@pytest.mark.usefixtures("place")
def test_metrics_of_this_file_stand_beside_those_over_seeds() -> None:
    content = content_of()
    shown = section(card_of(content), "Metrics")
    for number, (name, metric) in enumerate(METRICS.items()):
        own = metric.text(content["exported"][name])
        over = f"{10 + 0.125 * number:.{metric.digits}f} ± {metric.text(0.5 + number)}"
        assert f"| {metric.label} | {own} | {over} |" in shown
    assert "each of 7 seed(s), mean ± standard deviation" in shown


@pytest.mark.usefixtures("place")
def test_metrics_of_this_file_are_those_of_its_answers() -> None:
    subject = subject_of(9)
    content = content_of(subject)
    found = checked(subject).probabilities
    correct = found.argmax(axis=1) == subject.rows["label"]
    assert content["exported"]["accuracy"] == pytest.approx(100 * correct.mean())
    of_true = np.take_along_axis(found, subject.rows["label"].to_numpy()[:, None], axis=1)
    assert content["exported"]["nll"] == pytest.approx(-np.log(of_true).mean(), abs=1e-6)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("best", "said"),
    [
        (WORSE, "it is shown not to be the best of the compared fusions, and is below it by at "
                "most 10.70 points (95 % confidence"),
        (BEST._replace(below=1.234), "it may be the best of the compared fusions, or is below it "
                                     "by at most 1.24 points"),
        (BEST._replace(below=float("nan"), seeds=3), "3 seed(s) do not tell (from 5 on)"),
        (BEST._replace(irregular="yes"), "That bound is not calibrated"),
        (BEST._replace(metric="nll", below=0.1), "or is above it by at most 0.1000 nats"),
    ],
)  # fmt: skip
def test_the_distance_to_the_best_is_said_as_far_as_it_is_known(best: Best, said: str) -> None:
    text = card_of(content_of(results=replace(RESULTS, best=best)))
    assert said in section(text, "Metrics")


@pytest.mark.usefixtures("place")
def test_robustness_that_there_is_none_of_is_no_figure() -> None:
    none = Kept("concat", float("nan"), "", float("nan"), 0, 7)
    text = card_of(content_of(results=replace(RESULTS, robustness=none)))
    assert section(text, "Robustness").startswith("There is no such figure")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", FORMATS.names())
def test_machines_can_read_the_front(name: str) -> None:
    content = content_of(name=name)
    front = yaml.safe_load(card_of(content).split("---\n")[1])
    # Whose models these are, and what may be done with them, is not fusebench's to say.
    assert "license" not in front
    assert front["library_name"] == {"onnx": "onnx", "torch": "pytorch"}[name]
    assert front["tags"] == ["fusebench", name, "concat", "rgb", "lidar"]
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == content["exported"]
    assert load_format(name).file in card_of(content)


@pytest.mark.usefixtures("place")
def test_the_commit_and_whether_files_differ_from_it_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fusebench.export import about as module
    from fusebench.page.checkout import Commit

    for commit, told in (
        (Commit("ab" * 20), "ab" * 20), (Commit("ab" * 20, changed=True), f"{'ab' * 20}-dirty"),
        (Commit(), None),
    ):  # fmt: skip
        monkeypatch.setattr(module, "commit_of", lambda _root, commit=commit: commit)
        content = content_of()
        assert content["commit"] == told
        shown = section(card_of(content), "Where it comes from")
        assert f"fusebench: {told or 'not in a git repository with a commit'}.\n" in shown


# --- What is not known ---


@pytest.mark.usefixtures("place")
def test_what_is_not_known_is_said_with_the_reason_and_without_a_figure() -> None:
    subject = subject_of(9, others=4)
    graph = graph_of(subject.description, (1.0, 1.0))
    subject = replace(subject, graph=graph, temperatures={}, uncalibrated="other predictions")
    content = content_of(subject, NO_RESULTS, "split made anew", (None, "no predictions"))
    for key in ("exported", "metrics", "best", "robustness", "calibration", "training",
                "temperatures"):  # fmt: skip
        assert content[key] is None, key
    text = card_of(content)
    for line in (
        "Metrics of this file are not shown: split made anew.",
        "Metrics over seeds are not shown: gone.",
        "How far it is from the best is not shown: gone.",
        "Not shown: gone.",
        "Not calibrated: other predictions.",
        "What it was trained on is not known: gone.",
        "How many there were is not shown: split made anew.",
        "How parts were drawn is not shown: split made anew.",
        "These are the samples of today, which need not be those that the models were kept from: "
        "split made anew.",
        "How it differs from kept predictions is not known: no predictions.",
        "Mind: not calibrated: other predictions.",
    ):
        assert line in text
    assert "%" not in section(text, "Metrics") + section(text, "Robustness")
    assert content["data"]["counts"] is content["data"]["groups"] is None
    assert [key for key, value in content["parts"].items() if value is not None] == ["train"]
    for row in ("| val, seed", "| test |", "| all |"):
        assert row not in text
    assert "| train, seed 0 |" in text
    assert "model-index" not in text


# --- What users named ---


@pytest.mark.usefixtures("place")
def test_names_of_classes_cannot_break_the_card() -> None:
    classes = ("a|b", "<i>*c*</i> `d`", "[e](f)_g_")
    text = card_of(content_of(subject_of(9, classes=classes)))
    shown = MarkdownIt().enable("table").render(text.split("---\n", 2)[2])
    plainly = html.unescape(re.sub(r"<[^>]+>", "\n", shown))
    for name in classes:
        assert name in plainly
    head = next(line for line in shown.split("<tr>") if ">part<" in line)
    assert head.count("<th") == 1 + len(classes)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_plain_text_is_shown_letter_by_letter(text: str) -> None:
    shown = MarkdownIt().renderInline(f"x{plain(text)}x")
    assert "<" not in shown
    assert html.unescape(shown) == f"x{one_line(text)}x"


@pytest.mark.usefixtures("place")
def test_figures_that_are_stale_leave_temperatures_that_are_used() -> None:
    results = replace(RESULTS, probabilities=[], unknown={"calibration": "made with others"})
    text = card_of(content_of(results=results))
    assert "Each model's logits are divided by a temperature" in text
    assert "their mean was not calibrated itself" in text
    assert section(text, "Calibration") == (
        "Figures with and without temperatures are not shown: made with others.\n"
    )


# --- What went wrong ---


@pytest.mark.usefixtures("place")
def test_models_that_collapsed_or_are_at_chance_are_told() -> None:
    # The untrained models of this test may answer one class, too.
    text = card_of(content_of() | {"exported_collapsed": None})
    for words in ("Collapsed", "At chance", "for every test sample", "at least"):
        assert words not in section(text, "Metrics")
    bad = replace(RESULTS, collapsed="2 × a_b", at_chance=["balanced_accuracy", "nll"])
    shown = section(card_of(content_of(results=bad)), "Metrics")
    assert r"one class for every test sample: 2 × a\_b." in shown
    assert "look at the sample: balanced accuracy and NLL." in shown


def answering(row: list[float]) -> dict[str, Any]:
    """Return export.json of a file that answers the same for every sample."""
    subject = subject_of(9, others=4)
    found = replace(checked(subject), probabilities=np.array([row] * 9))
    return about(subject, "onnx", load_format("onnx"), found, KEPT, RESULTS, "", {"opset": 20})


@pytest.mark.usefixtures("place")
def test_a_file_that_answers_one_class_is_told() -> None:
    content = answering([0.25, 0.75])
    assert content["exported_collapsed"] == "spheres"
    assert "This file answers spheres for every test sample." in card_of(content)


@pytest.mark.usefixtures("place")
def test_a_loss_beyond_what_fp32_holds_is_a_bound() -> None:
    content = answering([1.0, 0.0])
    # Samples of both classes stand in turn.
    assert content["exported_zeros"] == 4
    text = card_of(content)
    loss = METRICS["nll"].text(content["exported"]["nll"])
    assert f"| NLL | at least {loss} |" in section(text, "Metrics")
    (model,) = yaml.safe_load(text.split("---\n")[1])["model-index"]
    named = {metric["type"] for metric in model["results"][0]["metrics"]}
    assert {*METRICS} - named == {"nll"}
    # What fp32 holds, below its smallest normal number too, is no bound.
    small = answering([1.0, 1e-40])
    assert small["exported_zeros"] == 0
    assert small["exported"]["nll"] == pytest.approx(4 / 9 * 40 * np.log(10), rel=1e-6)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({}, "are those of samples as frequent in their classes as in the data below"),
        ({"class_weights": "balanced"},
         "are as if all classes were equally frequent (`class_weights: balanced`)"),
    ],
)  # fmt: skip
def test_how_frequent_classes_are_taken_to_be_is_told(weights: dict[str, Any], said: str) -> None:
    content = content_of()
    content["settings"] |= weights
    assert f"Its probabilities {said}" in " ".join(card_of(content).split())


@pytest.mark.usefixtures("place")
def test_sizes_are_products_and_other_lists_are_not() -> None:
    content = content_of()
    content["sensors"]["lidar"]["no_return"] = ["nan", "zero"]
    shown = section(card_of(content), "Data")
    assert "image\\_size 16 × 16" in shown
    assert " size 16 × 16" in shown
    assert "no\\_return nan, zero" in shown
    content["sensors"]["lidar"] |= {
        "format": "points", "axes": ["-y", "x", "z"], "no_return": [],
    }  # fmt: skip
    assert "axes -y, x, z" in section(card_of(content), "Data")


@given(st.floats(1e-12, 1.0))
def test_a_largest_difference_is_rounded_up(value: float) -> None:
    assert value <= float(at_most(value)) * (1 + 1e-12)
    assert float(at_most(value)) <= 1.11 * value


def test_no_difference_is_none_at_all_and_a_tiny_one_a_bound() -> None:
    assert at_most(0.0) == "0"
    for value in (5e-324, 1e-310, 9e-13):
        assert at_most(value) == "below 1e-12"


# --- How inputs are made ---

Inputs = Callable[..., str]


@pytest.fixture
def inputs(place: Path) -> Inputs:
    """Return the section on inputs, for other sensors and settings."""
    assert place.is_dir()

    def said(
        fusion: str = "concat", sensors: dict[str, Any] | None = None, **described: Any
    ) -> str:
        content = content_of(subject_of(5, fusion, **described))
        for key, value in (sensors or {}).items():
            content["sensors"]["lidar"][key] = value
        return section(card_of(content), "Inputs")

    return said


def test_a_fusion_of_one_sensor_says_nothing_of_the_other(inputs: Inputs) -> None:
    of_image, of_lidar = inputs("rgb_only"), inputs("lidar_only")
    assert "`lidar`" not in of_image
    assert "zimuth" not in of_image
    assert "`rgb`" not in of_lidar
    assert "Colours" not in of_lidar


def test_how_files_are_read_is_said_for_the_sensors_at_hand(inputs: Inputs) -> None:
    assert "the `.npy` file of 16 × 16 ranges in metres" in inputs()
    assert "the grey 16-bit PNG of 16 × 16, times 0.25 m" in inputs(
        sensors={"format": "depth", "step": 0.25}
    )
    points = inputs(sensors={"format": "points", "axes": ["-y", "x", "z"]})
    assert "forward and up are the stored -y, x, z" in points
    assert "50 where there is none" in points
    assert "numpy.rot90" in inputs(sensors={"rows": "zenith"})
    assert "numpy.rot90" not in inputs()
    nothing = inputs(sensors={"no_return": ["zero", "nan"]})
    assert "0 means the same: write 50; NaN means the same: write 50" in nothing
    assert "image.resize((16, 16), Image.Resampling.BILINEAR)" in inputs()


@pytest.mark.parametrize(
    ("changes", "maps", "said"),
    [
        ({}, (16, 16), ["x, y and z are divided by 50, and are 0 where the mask is"]),
        ({"normalize": False}, (16, 16), ["x, y and z are metres; where the mask is 0, at a"]),
        ({"align": "rotate"}, (20, 24),
         ["turned clockwise by 1 quarter(s)", "brought to 16 × 16: each pixel has the cell"]),
        ({}, (20, 24), ["It is brought to 16 × 16"]),
        ({"align": "camera"}, (20, 24), ["focal length is 18 pixels"]),
        ({"projection": "notebook"}, (16, 16),
         ["| `ids` | int64 | batch |", "at the position of the sample's id",
          "`ids`: the sample's id, a number"]),
    ],
)  # fmt: skip
def test_what_the_model_makes_of_ranges_is_said(
    inputs: Inputs, changes: dict[str, Any], maps: tuple[int, int], said: list[str]
) -> None:
    shown = inputs(lidar=SPHERICAL.model_copy(update=changes), maps=maps)
    for words in said:
        assert words in shown
    assert "20 angles, 22.92° to -22.92°" in shown or maps == (16, 16)


def test_an_encoder_normalises_colours(inputs: Inputs) -> None:
    assert "normalised by the mean and deviation of ImageNet" in inputs(stem="resnet18")
    assert "ImageNet" not in inputs()
