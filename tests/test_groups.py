"""Groups, such as the objects of one frame: in one part of the split, and one in the statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from tests.datasets import table_of
from tests.parts import answers, part_of
from tests.report.sensors import SHAPE, comparison_of
from tests.split.reference import drawn_parts

from fusebench.confirm.holdout import Holdout
from fusebench.confirm.page import before
from fusebench.errors import ArtifactError, SplitError
from fusebench.evaluation.metrics import METRICS
from fusebench.inputs.corruption import Condition
from fusebench.prediction.predictions import (
    FusionPredictions,
    PartPredictions,
    read_predictions,
    write_info,
    write_seed,
)
from fusebench.report.chance import LINEAR, above_chance
from fusebench.report.interaction import interaction_of
from fusebench.report.results import Comparison, Result
from fusebench.report.robustness import Stressed
from fusebench.report.study import Study
from fusebench.samples.manifest import HOLDOUT, PARTS, UNUSED, Manifest
from fusebench.split.draw import draw
from fusebench.split.params import SplitParams
from fusebench.statistics import linear, shares
from fusebench.statistics.estimates import fixed_models
from fusebench.statistics.paired import Ints, Paired, pair, strata
from fusebench.statistics.resampling import Resamples, of_means
from fusebench.stress.selection import CLEAN
from fusebench.stress.stored import StressPredictions, read_stress, write_stress

# --- The split ---


@st.composite
def frames(drawn: st.DrawFn) -> pd.DataFrame:
    """Samples of two or three classes in groups of up to five, as the frames of a street."""
    classes = drawn(st.integers(2, 3))
    source = np.random.default_rng(drawn(st.integers(0, 2**32 - 1)))
    sizes = source.integers(1, drawn(st.integers(1, 5)) + 1, drawn(st.integers(20, 120)))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.where(source.random(len(groups)) < 0.6, 0, source.integers(0, classes, len(groups)))
    if len(set(labels.tolist())) < classes:
        reject()
    ids = [f"{group:04}_{place:02}" for place, group in enumerate(groups)]
    order = np.lexsort((np.array(ids), labels))
    return table_of(
        [ids[row] for row in order], labels[order].tolist(), ("car", "person", "bike")[:classes],
        groups=[f"{groups[row]:04}" for row in order],
    )  # fmt: skip


SHARES = st.sampled_from([(0.3, 0.2, 0.2, 0.2), (0.5, 0.1, 0.2, 0.1), (0.4, 0.2, 0.4, 0.0)])


def split_of(sizes: Sequence[float], **changes: Any) -> SplitParams:
    names = dict(zip(PARTS, sizes, strict=True))
    content = {**names, "group": "id", "draws": "per_seed", "seed": 0, **changes}
    return SplitParams.model_validate(content)


@settings(
    deadline=None, max_examples=20, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
@given(
    table=frames(), sizes=SHARES, draws=st.sampled_from(["per_seed", "fixed"]),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_a_group_is_in_one_part_of_each_seed_and_parts_have_their_shares(
    table: pd.DataFrame, sizes: Sequence[float], draws: str, seed: int
) -> None:
    split = split_of(sizes, draws=draws, seed=seed)
    try:
        manifest = draw(table, split, [0, 1, 2])
    except SplitError:
        reject()
    expected = drawn_parts(table, split, [0, 1, 2])
    classes, groups = table["label"].nunique(), table["group"].nunique()
    for column in ("seed_0", "seed_1", "seed_2"):
        assert (manifest.groupby("group")[column].nunique() == 1).all()
        assert manifest[column].tolist() == expected[int(column[-1])]
        for part, share in zip(PARTS, sizes, strict=True):
            count = manifest.loc[manifest[column] == part, "group"].nunique()
            # To half a group of each class that they are drawn by; train takes what is left.
            within = classes * (2 if part == "train" else 0.5)
            assert abs(count - share * groups) <= within + 1e-9
    # Test and holdout are the same for all seeds.
    for part in ("test", HOLDOUT):
        rows = {tuple(np.flatnonzero(manifest[f"seed_{n}"] == part)) for n in range(3)}
        assert len(rows) == 1


def test_a_part_has_its_share_of_samples_though_frames_hold_many_of_one_class() -> None:
    """Frames of a street: five cars each, and a person in every tenth."""
    labels = [0] * 2000 + [1] * 40
    groups = [f"{row // 5:03}" for row in range(2000)] + [f"{10 * row:03}" for row in range(40)]
    table = table_of([f"{row:04}" for row in range(2040)], labels, groups=groups)
    manifest = draw(table, split_of((0.5, 0.1, 0.2, 0.1)), [0])
    counts = manifest.groupby(["seed_0", "label"], observed=True).size().unstack()
    assert counts.loc[list(PARTS)].to_numpy().tolist() == [[1000, 20], [200, 4], [400, 8], [200, 4]]
    assert counts.loc[UNUSED].tolist() == [200, 4]


def street(kind: str) -> pd.DataFrame:
    """Samples in groups whose sizes or classes are so many that hardly two are alike."""
    source = np.random.default_rng(1)
    sizes, odds = {
        "frames of 3 classes": (source.geometric(0.2, 1500), [0.8, 0.13, 0.07]),
        "20 samples of 5 classes": (np.full(1000, 20), [0.2] * 5),
        "groups of 20 classes": (source.geometric(0.05, 1000), [0.05] * 20),
    }[kind]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = source.choice(len(odds), len(groups), p=odds)
    order = np.lexsort((groups, labels))
    return table_of(
        [f"{row:05}" for row in order], labels[order].tolist(),
        [f"c{label}" for label in range(len(odds))],
        groups=[f"{groups[row]:04}" for row in order],
    )  # fmt: skip


STREET = dict(zip(PARTS, (0.5, 0.15, 0.25, 0.1), strict=True))
STREETS = ("frames of 3 classes", "20 samples of 5 classes", "groups of 20 classes")


def parts_of_groups(table: pd.DataFrame, seeds: Sequence[int], seed: int = 0) -> pd.DataFrame:
    """The part of each group by seed, and how many samples it has."""
    manifest = draw(table, split_of(list(STREET.values()), seed=seed), seeds)
    groups = manifest.groupby("group")
    return groups.first().assign(size=groups.size())


@pytest.mark.parametrize("kind", STREETS)
def test_chance_decides_which_groups_are_in_a_part_also_which_of_the_large(kind: str) -> None:
    table = street(kind)
    drawn, other = parts_of_groups(table, [0, 1]), parts_of_groups(table, [0], seed=1)
    for chosen in (drawn["size"] > 0, drawn["size"] >= drawn["size"].mean()):
        first, second = drawn[chosen], other[chosen]
        seen = first[first["seed_0"].isin(["train", "val"])]
        train = STREET["train"] / (STREET["train"] + STREET["val"])
        for same, expected in (
            (seen["seed_0"].astype(str) == seen["seed_1"].astype(str), train**2 + (1 - train) ** 2),
            (second["seed_0"][first["seed_0"] == "test"] == "test", STREET["test"]),
        ):
            # Four standard errors.
            doubt = 4 * (expected * (1 - expected) / len(same)) ** 0.5
            assert same.mean() == pytest.approx(expected, abs=doubt)


@pytest.mark.parametrize("kind", STREETS)
def test_groups_are_as_large_in_every_part(kind: str) -> None:
    table = street(kind)
    for seed in range(3):
        drawn = parts_of_groups(table, [0], seed)
        for _, sizes in drawn.groupby("seed_0", observed=True)["size"]:
            doubt = 4 * drawn["size"].std() / len(sizes) ** 0.5
            assert sizes.mean() == pytest.approx(drawn["size"].mean(), abs=doubt)


@pytest.mark.parametrize(
    ("kind", "within"), [("frames of 3 classes", 0.03), ("20 samples of 5 classes", 0.03)]
)
def test_of_many_groups_each_part_has_nearly_its_share_of_every_class(
    kind: str, within: float
) -> None:
    table = street(kind)
    manifest = draw(table, split_of(list(STREET.values())), [0])
    counts = manifest.groupby(["seed_0", "label"], observed=True).size().unstack()
    shares_of = counts.loc[list(PARTS)] / table["label"].value_counts()
    assert shares_of.sub(STREET, axis=0).abs().to_numpy().max() <= within


def test_a_class_in_too_few_groups_is_refused_with_their_number() -> None:
    """Not with that of its samples, of which more would not help."""
    groups = ["a"] * 20 + ["b"] * 20 + [f"{row}" for row in range(60)]
    table = table_of([f"{row:03}" for row in range(100)], [0] * 40 + [1] * 60, groups=groups)
    with pytest.raises(SplitError) as caught:
        draw(table, split_of((0.4, 0.2, 0.2, 0.2)), [0])
    said = str(caught.value)
    assert "leaves class 'cubes' (40 samples in 2 groups) without a sample in " in said
    assert said.endswith(" or add groups that have it")
    alone = table_of([f"{row:03}" for row in range(100)], [0] * 40 + [1] * 60)
    draw(alone, split_of((0.4, 0.2, 0.2, 0.2)), [0])


def test_each_sample_by_itself_tears_groups_apart() -> None:
    groups = [f"{row // 4}" for row in range(200)]
    table = table_of([f"{row:03}" for row in range(200)], [row % 2 for row in range(200)],
                     groups=groups)  # fmt: skip
    manifest = draw(table, split_of((0.3, 0.2, 0.2, 0.2), group="none"), [0])
    assert (manifest.groupby("group")["seed_0"].nunique() > 1).mean() > 0.9


# --- Predictions keep them ---


def part_with(groups: Sequence[str] | None, ids: Sequence[str]) -> PartPredictions:
    rows = table_of(ids, [row % 2 for row in range(len(ids))], groups=groups)
    return PartPredictions.of(rows, np.arange(2.0 * len(ids), dtype="f4").reshape(-1, 2))


INFO: dict[str, Any] = {
    "fusion": "add", "strategy": "intermediate", "inputs": ["rgb", "lidar"], "synthetic": False,
    "parameters": 3, "classes": ["cubes", "spheres"], "positive": "spheres", "seeds": [0],
    "train_counts": {"0": {"cubes": 5, "spheres": 2}},
}  # fmt: skip
IDS = ("7_00", "7_01", "9_00", "9_01")
FRAMES = ("7", "7", "9", "9")


def stored(path: Path) -> set[str]:
    with np.load(path, allow_pickle=False) as file:
        return set(file.files)


@pytest.mark.parametrize("grouped", ["val", "test", "both", "none"])
def test_kept_predictions_have_groups_where_they_are_not_the_ids(
    tmp_path: Path, grouped: str
) -> None:
    folder = tmp_path / "add"
    folder.mkdir()
    parts = {
        part: part_with(FRAMES if grouped in (part, "both") else None, IDS)
        for part in ("val", "test")
    }
    write_seed(folder, 0, parts)
    write_info(folder, INFO)
    assert ("group" in stored(folder / "seed_0.npz")) is (grouped != "none")
    for part, of_part in read_predictions(folder).seeds[0].items():
        expected = FRAMES if grouped in (part, "both") else IDS
        assert of_part.groups.tolist() == list(expected)
        assert of_part.take([3, 0, 0]).groups.tolist() == [expected[3], expected[0], expected[0]]


def stress_of(parts: Mapping[int, Sequence[PartPredictions]]) -> StressPredictions:
    known = [CLEAN, Condition("rgb_off", 1)]
    info = {name: value for name, value in INFO.items() if name != "train_counts"}
    return StressPredictions(info | {"seeds": list(parts)}, known, parts)


@pytest.mark.parametrize("groups", [FRAMES, None])
def test_predictions_under_stress_have_them_too(
    tmp_path: Path, groups: Sequence[str] | None
) -> None:
    folder = tmp_path / "add"
    folder.mkdir()
    part = part_with(groups, IDS)
    write_stress(folder, stress_of({0: [part, part]}))
    assert ("group" in stored(folder / "seed_0.npz")) is (groups is not None)
    for read in read_stress(folder).seeds[0]:
        assert read.groups.tolist() == list(groups or IDS)


@pytest.mark.parametrize("kind", ["predictions", "stress"])
def test_groups_of_another_number_are_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "add"
    folder.mkdir()
    whole = part_with(FRAMES, IDS)
    cut = replace(whole, grouped=np.array(["7", "9", "9"]))
    if kind == "stress":
        write_stress(folder, stress_of({0: [cut, cut]}))
    else:
        write_seed(folder, 0, {"val": cut, "test": cut})
        write_info(folder, INFO)
    read: Callable[[Path], Any] = read_stress if kind == "stress" else read_predictions
    with pytest.raises(ArtifactError, match=r"seed_0\.npz: .*not as documented"):
        read(folder)


# --- The statistics count each once ---

TIMES = 4
"""How often each sample is repeated, in its group."""


def repeated(part: PartPredictions, *, grouped: bool = True) -> PartPredictions:
    """Each sample several times, as a group, or as if each were one of its own."""
    rows = np.repeat(np.arange(len(part.labels)), TIMES)
    ids = np.array([f"{part.ids[row]} {place % TIMES}" for place, row in enumerate(rows)])
    groups = part.ids[rows] if grouped else None
    return replace(part.take(rows), ids=ids, grouped=groups)


LABELS = [0] * 40 + [1] * 24
WRONG = {"late": 0.3, "add": 0.2, "never wrong": 0.0, "nor this": 0.0}


def fusions(seeds: int = 4) -> dict[str, list[PartPredictions]]:
    parts: dict[str, list[PartPredictions]] = {}
    for place, (name, share) in enumerate(WRONG.items()):
        source = np.random.default_rng(place)
        parts[name] = []
        for _ in range(seeds):
            wrong = np.flatnonzero(source.random(len(LABELS)) < share).tolist()
            noise = source.normal(0, 0.4, (len(LABELS), 2)) if share else 0
            parts[name].append(part_of(LABELS, answers(LABELS, wrong) + noise))
    return parts


def studied(change: Callable[[PartPredictions], PartPredictions] | None = None) -> Study:
    parts = fusions()
    if change is not None:
        parts = {name: [change(part) for part in of] for name, of in parts.items()}
    return Study.of_parts(parts, 1)


PAIRS = [("late", "add"), ("late", "never wrong"), ("never wrong", "nor this")]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "nll", "brier"])
def test_repeating_samples_in_their_groups_changes_no_figure_of_a_difference(metric: str) -> None:
    """Not even between fusions that never differ: that is known of so many ids, and no more."""
    plain = list(studied().differences(metric, PAIRS))
    found = list(studied(repeated).differences(metric, PAIRS))
    for ours, theirs in zip(found, plain, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == (value if isinstance(value, str) else pytest.approx(value)), name
    alone = studied(lambda part: repeated(part, grouped=False)).differences(metric, PAIRS)
    for ours, theirs in zip(alone, plain, strict=True):
        width = theirs["fixed_high"] - theirs["fixed_low"]
        if width:
            assert (ours["fixed_high"] - ours["fixed_low"]) / width < 0.7
        assert ours["ids"] == TIMES * theirs["ids"]


@pytest.mark.parametrize(
    "name", [name for name in LINEAR if name != "recall"] + ["accuracy", "balanced_accuracy", "nll"]
)
def test_nor_does_it_make_a_metric_surer_to_be_above_chance(name: str) -> None:
    metric = METRICS[name]
    errors = []
    for change in (None, repeated, lambda part: repeated(part, grouped=False)):
        study = studied(change)
        claim = above_chance(Study({"late": study.parts["late"]}, study.positive), metric)
        assert claim is not None
        errors.append(claim.error)
    # Ranking metrics have half a step of their own for ties and ends.
    assert errors[1] == pytest.approx(errors[0], rel=0.03)
    assert errors[2] < 0.7 * errors[0]


def test_nor_robustness() -> None:
    def stressed(change: Callable[[PartPredictions], PartPredictions] | None) -> Stressed:
        source = np.random.default_rng(5)
        made = {}
        for name in ("add", "late"):
            parts = {}
            for seed in range(3):
                wrong = [np.flatnonzero(source.random(len(LABELS)) < share) for share in (0.1, 0.4)]
                of_seed = [part_of(LABELS, answers(LABELS, rows.tolist())) for rows in wrong]
                parts[seed] = [change(part) for part in of_seed] if change else of_seed
            made[name] = stress_of(parts)
        return Stressed(made)

    claims = []
    for change in (None, repeated, lambda part: repeated(part, grouped=False)):
        under = stressed(change)
        first, second = (under.correct(name, "rgb_off") for name in ("add", "late"))
        claims.append(fixed_models(under.paired(first, second)))
    assert claims[1].difference == pytest.approx(claims[0].difference)
    assert claims[1].error == pytest.approx(claims[0].error)
    assert claims[2].error < 0.7 * claims[0].error


def test_nor_what_the_data_are_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "RESAMPLES", 30)

    def changed(result: Result, change: Callable[[PartPredictions], PartPredictions]) -> Result:
        seeds = {
            seed: {"val": parts["val"], "test": change(parts["test"].take(range(60)))}
            for seed, parts in result.predictions.seeds.items()
        }
        return replace(result, predictions=FusionPredictions(result.predictions.info, seeds))

    comparison = comparison_of(SHAPE)
    found = [
        interaction_of(Comparison(tuple(changed(row, change) for row in comparison.results)))
        for change in (lambda part: part, repeated, lambda part: repeated(part, grouped=False))
    ]
    widths = [found.information["both"].high - found.information["both"].low for found in found]
    assert widths[1] == pytest.approx(widths[0], abs=2e-3)
    assert widths[2] < 0.8 * widths[0]


def test_where_all_of_a_frame_are_right_or_wrong_together_errors_are_as_rare_as_declared() -> None:
    """The share of p below 5 % among fusions that are equal: by frames, and as if by samples."""
    source = np.random.default_rng(7)
    groups = np.repeat(np.arange(60), 6)
    labels = np.tile([0, 0, 0, 1, 1, 1], 60)
    weights = METRICS["balanced_accuracy"].weights(labels)
    below: dict[str, int] = {"by frame": 0, "by sample": 0}
    trials = 300
    for _ in range(trials):
        first, second = (
            100.0 * np.repeat(source.random(60) < 0.8, 6)[None, :].astype(float) for _ in range(2)
        )
        for name, units in (("by frame", groups), ("by sample", np.arange(len(groups)))):
            claim = fixed_models(pair(first, second, units, labels, weights, 100.0))
            below[name] += claim.p < 0.05
    assert below["by frame"] <= 0.08 * trials
    assert below["by sample"] > 0.3 * trials


def crowd(source: np.random.Generator, sizes: str, count: int) -> tuple[Ints, Ints]:
    """Groups of 5 samples, or as many on average, of two classes; return groups and labels."""
    numbers = np.full(count, 5) if sizes == "equal" else source.geometric(0.2, count)
    groups = np.repeat(np.arange(count), numbers)
    return groups, source.choice(2, len(groups), p=[0.7, 0.3])


def logits_of(
    source: np.random.Generator, groups: Ints, labels: Ints, ease: float
) -> npt.NDArray[Any]:
    """Answers that are easier in some groups than in others."""
    margins = ease + source.normal(size=int(groups.max()) + 1)[groups]
    margins = margins + source.normal(size=len(groups))
    return np.where(labels == 1, 1, -1)[:, None] * margins[:, None] * [-0.5, 0.5]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("sizes", ["equal", "geometric"])
def test_an_error_is_the_deviation_of_the_difference_whatever_the_groups_sizes(
    sizes: str, metric: str
) -> None:
    source, differences, errors, resampled = np.random.default_rng(3), [], [], []
    for trial in range(200):
        groups, labels = crowd(source, sizes, 400)
        weights = METRICS[metric].weights(labels)
        first, second = (
            np.where(source.random((1, len(groups))) < share, 100.0, 0.0) for share in (0.95, 0.55)
        )
        paired = pair(first, second, groups, labels, weights, 100.0)
        claim = fixed_models(paired)
        differences.append(claim.difference)
        errors.append(claim.error)
        if trial < 20:
            resampled.append(of_means(paired, Resamples.make(1, paired.strata, 200)).std())
    # So many trials carry 5 %; the pseudo-samples add to the error.
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.25)
    assert np.mean(resampled) == pytest.approx(np.std(differences), rel=0.25)


@pytest.mark.parametrize("metric", ["f1", "average_precision", "balanced_accuracy"])
def test_the_distance_from_chance_varies_as_its_error_says_whatever_the_groups_sizes(
    metric: str,
) -> None:
    source, values, errors = np.random.default_rng(4), [], []
    for _ in range(100):
        groups, labels = crowd(source, "geometric", 300)
        part = PartPredictions.of(
            table_of(
                [f"{row}" for row in range(len(labels))], labels.tolist(),
                groups=[f"{group}" for group in groups],
            ),
            logits_of(source, groups, labels, 1.8).astype("f4"),
        )  # fmt: skip
        claim = above_chance(Study.of_parts({"late": [part]}, 1), METRICS[metric])
        assert claim is not None
        values.append(claim.difference)
        errors.append(claim.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


@pytest.mark.parametrize("name", [name for name in LINEAR if name != "recall"])
def test_without_groups_the_error_of_a_metric_is_to_the_bit_that_of_its_effects(name: str) -> None:
    for count in range(20, 64):
        labels = [int(row % 3 == 0) for row in range(count)]
        logits = answers(labels, range(0, count, 5))
        study = Study.of_parts({"late": [part_of(labels, logits)]}, 1)
        claim = above_chance(study, METRICS[name])
        assert claim is not None
        taken = linear.mean([LINEAR[name](study.reference, 1)])
        level = METRICS[name].chance(np.bincount(labels), 1)
        apart = taken.effects + (taken.value - level) / count
        expected = Paired(
            np.array([np.bincount(study.ids, weights=apart)]),
            strata(study.ids, np.array(labels)), np.array([taken.step]), np.array([count]),
        )  # fmt: skip
        assert claim == fixed_models(expected)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=60),
)  # fmt: skip
@example([(0, 0), (0, 1), (1, 0), (2, 1)])
def test_an_id_with_one_sample_of_a_class_counts_as_that_sample(
    samples: list[tuple[int, int]],
) -> None:
    """So where the data name no groups, to the bit what it was without any."""
    once = sorted(set(samples))
    ids, labels = (np.array(column) for column in zip(*once, strict=True))
    weights = METRICS["balanced_accuracy"].weights(labels)
    values = np.zeros((1, len(once)))
    _, first, counts = np.unique(labels, return_index=True, return_counts=True)
    paired = pair(values, values, ids, labels, weights, 100.0)
    assert paired.weights.tolist() == (100.0 * weights[first]).tolist()
    assert paired.counts.tolist() == counts.tolist()
    assert paired.varying is paired.contributions


# --- What is said of them ---


def held_out(groups: Sequence[str] | None) -> Holdout:
    table = table_of([f"{row}" for row in range(6)], [0, 0, 0, 1, 1, 1], groups=groups)
    return Holdout.of(Manifest(table.assign(seed_0=HOLDOUT)), [0])


def test_the_holdout_says_how_many_groups_it_has() -> None:
    metric = METRICS["balanced_accuracy"]

    def said(holdout: Holdout) -> str:
        return " ".join(before(holdout, metric, 5, "", [], [], False).split())

    frames, alone = held_out(list("aabbbb")), held_out(None)
    assert (frames.ids, alone.ids) == (2, 6)
    assert said(frames).startswith("Holdout: 3 cubes, 3 spheres in 2 groups; one of ")
    assert said(alone).startswith("Holdout: 3 cubes, 3 spheres; one of ")
