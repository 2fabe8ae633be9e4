"""What each sensor can tell of a task's class, by construction: from the factors, and from pixels.

Every file in synthetic/tasks/ is tested by being there.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score
from tests.synthetic.made_up import synthesize_params

from fusebench.config import validate
from fusebench.errors import ParamsError
from fusebench.synthetic.archive import render_images, render_ranges, write_archive
from fusebench.synthetic.difficulty import FARTHEST, NEAREST
from fusebench.synthetic.placing import draw_distances, draw_places, stream
from fusebench.synthetic.render import MAX_RANGE, Scenes, rgb_images
from fusebench.synthetic.settings import SynthesizeParams
from fusebench.synthetic.task import TASKS, Objects, Views, task_of

Floats = NDArray[np.float64]

NAMES = TASKS.names()
SCALED = [name for name in NAMES if name != "shape"]
SENSORS = ("rgb", "lidar")
IDS = range(700)
TRAIN = 600
"""Of the samples of both classes, twins together."""

every_task = pytest.mark.parametrize("name", NAMES)
every_scaled_task = pytest.mark.parametrize("name", SCALED)
at_chance = [(name, sensor) for name in NAMES for sensor in SENSORS
             if task_of(name).ceilings[sensor] == 50]  # fmt: skip
at_ceiling = [(name, sensor) for name in NAMES for sensor in SENSORS
              if task_of(name).ceilings[sensor] == 100]  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """Samples of both classes of a task, twins in the same order."""

    views: Mapping[str, Views]
    images: Mapping[str, NDArray[np.uint8]]
    ranges: Mapping[str, NDArray[np.float32]]


@cache
def rendered(name: str, objects: int = 2, noise: float = 0.0) -> Rendered:
    params = synthesize_params(name, objects=objects, noise=noise)
    task = params.of_task
    views = {of: task.views(params.seed, IDS, of, params.difficulty) for of in task.classes}
    return Rendered(
        views,
        {of: render_images(seen) for of, seen in views.items()},
        {of: render_ranges(seen, params, IDS) for of, seen in views.items()},
    )


# --- From the factors that a sensor can know ---


def factors(objects: tuple[Objects, ...], sensor: str) -> Floats:
    """Return what a sensor can know of the objects of n samples, from left to right: (n, f)."""
    seen = []
    for of in objects:
        distance_n1 = np.linalg.norm(of.scenes.centre_n3, axis=1)[:, None]
        direction_n3 = of.scenes.centre_n3 / distance_n1
        angle_n1 = of.scenes.radius_n[:, None] / distance_n1
        shape_n1 = np.full_like(angle_n1, of.shape == "cubes")
        own = of.scenes.colour_n3 if sensor == "rgb" else distance_n1
        seen.append(np.hstack([direction_n3, angle_n1, shape_n1, own]))
    seen_nkf = np.stack(seen, axis=1)
    order_nk = np.argsort(seen_nkf[:, :, 0], axis=1)
    return np.take_along_axis(seen_nkf, order_nk[:, :, None], axis=1).reshape(len(seen_nkf), -1)


def factors_of(name: str, sensor: str) -> dict[str, Floats]:
    return {
        of: factors(seen.camera if sensor == "rgb" else seen.lidar, sensor)
        for of, seen in rendered(name).views.items()
    }


def learnt(by_class: Mapping[str, Floats]) -> tuple[float, int]:
    """Return the balanced accuracy, in %, on ids that were not trained on, and their number."""
    both = np.concatenate([features[:, None] for features in by_class.values()], axis=1)
    labels = np.broadcast_to(np.arange(len(by_class)), both.shape[:2])
    cut = TRAIN // len(by_class)
    train, test = slice(None, cut), slice(cut, None)
    classifier = HistGradientBoostingClassifier(random_state=0, max_iter=60, min_samples_leaf=10)
    classifier.fit(both[train].reshape(-1, both.shape[2]), labels[train].ravel())
    told = classifier.predict(both[test].reshape(-1, both.shape[2]))
    return 100 * float(balanced_accuracy_score(labels[test].ravel(), told)), len(told)


def highest_by_chance(count: int) -> float:
    """Return what 1 in 1,000 classifiers that know nothing reach on so many samples, in %."""
    return 50 + 100 * 3.1 * float(np.sqrt(0.25 / count))


@pytest.mark.parametrize(("name", "sensor"), at_ceiling)
def test_factors_of_a_sensor_that_suffices_reach_its_ceiling(name: str, sensor: str) -> None:
    reached, _ = learnt(factors_of(name, sensor))
    assert reached >= 99.5


@pytest.mark.parametrize(("name", "sensor"), at_chance)
def test_factors_of_a_sensor_that_does_not_suffice_tell_nothing(name: str, sensor: str) -> None:
    reached, count = learnt(factors_of(name, sensor))
    assert reached <= highest_by_chance(count)


def joint(name: str) -> dict[str, Floats]:
    """Return the factors of both sensors, with those that the class is made of side by side."""
    rgb, lidar = factors_of(name, "rgb"), factors_of(name, "lidar")
    together = {}
    for of in rgb:
        columns = [rgb[of], lidar[of]]
        if name == "match":
            columns.append(np.abs(rgb[of][:, :3] - lidar[of][:, :3]))
        if name == "nearest":
            # Red on the left, and how much nearer the left one is.
            columns.append(np.sign(rgb[of][:, 5] - rgb[of][:, 7])[:, None])
            half = lidar[of].shape[1] // 2
            columns.append((lidar[of][:, half - 1] - lidar[of][:, -1])[:, None])
        together[of] = np.hstack(columns)
    return together


@every_task
def test_factors_of_both_sensors_together_tell_the_class(name: str) -> None:
    reached, _ = learnt(joint(name))
    assert reached >= 99.0


@pytest.mark.parametrize("name", ["nearest", "match"])
def test_without_places_not_even_both_sensors_tell_the_class(name: str) -> None:
    """Sizes, colours and distances, in no order: what belongs to one object is not told by them."""
    unplaced = {}
    for of, seen in rendered(name).views.items():
        sizes = [
            np.sort(
                np.stack([np.arcsin(thing.scenes.radius_n / _distance(thing)) for thing in things]),
                axis=0,
            )
            for things in (seen.camera, seen.lidar)
        ]
        distances = np.sort(np.stack([_distance(thing) for thing in seen.lidar]), axis=0)
        colours = [thing.scenes.colour_n3.T for thing in seen.camera]
        unplaced[of] = np.concatenate([*sizes, distances, *colours]).T
    reached, count = learnt(unplaced)
    assert reached <= highest_by_chance(count)


def _distance(thing: Objects) -> Floats:
    distance: Floats = np.linalg.norm(thing.scenes.centre_n3, axis=1)
    return distance


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nearest", "match"])
def test_sizes_of_rendered_objects_do_not_tell_the_class_either(name: str) -> None:
    """Areas in both sensors: they would tell which sphere of the one is which of the other."""
    samples = rendered(name)
    areas = {}
    for of, seen in samples.views.items():
        lit = [rgb_images(each.shape, each.scenes)[..., :3].any(-1) for each in seen.camera]
        hits = [render_ranges_of(each) < MAX_RANGE for each in seen.lidar]
        # By colour and by distance: the red one first, the nearest first.
        order = np.argsort(np.stack([_distance(each) for each in seen.lidar]), axis=0)
        counts = np.stack([hit.sum((1, 2)) for hit in hits])
        both = [*(each.sum((1, 2)) for each in lit), *np.take_along_axis(counts, order, 0)]
        areas[of] = np.stack(both, axis=1).astype(float)
    reached, count = learnt(areas)
    assert reached <= highest_by_chance(count) + 3


# --- From what a rendered sample might give away ---


def size_of_png(image: NDArray[np.uint8]) -> int:
    from fusebench.synthetic.archive import _png

    return len(_png(image))


def size_packed(ranges: NDArray[np.float32]) -> int:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("map", ranges.tobytes())
    return len(buffer.getvalue())


def image_summary(image: NDArray[np.uint8]) -> list[float]:
    """Return file size, brightness, visible area and where it is."""
    rgb = image[..., :3].astype(float)
    lit = rgb.any(-1)
    rows, columns = np.nonzero(lit)
    moments = [rows.mean(), columns.mean(), rows.std(), columns.std()] if lit.any() else [0.0] * 4
    return [
        size_of_png(image), lit.sum(), *rgb.mean((0, 1)), *rgb.max((0, 1)), rgb.std(), *moments,
    ]  # fmt: skip


def range_summary(ranges: NDArray[np.float32]) -> list[float]:
    """Return file size, returns, ranges and where they are."""
    hit = ranges < MAX_RANGE
    rows, columns = np.nonzero(hit)
    values = ranges[hit]
    spread = [float(values.min()), float(values.max()), float(values.mean()), float(values.std())]
    return [
        size_packed(ranges), hit.sum(), *spread, rows.mean(), columns.mean(), rows.std(),
        columns.std(),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sensor"), at_chance)
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_rendered_sample_gives_nothing_away_where_the_ceiling_is_chance(
    name: str, sensor: str, noise: float
) -> None:
    samples = rendered(name, noise=noise)
    summaries = {
        of: np.array(
            [image_summary(image) for image in samples.images[of]]
            if sensor == "rgb"
            else [range_summary(ranges) for ranges in samples.ranges[of]],
            float,
        )
        for of in samples.views
    }
    reached, count = learnt(summaries)
    assert reached <= highest_by_chance(count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sensor"), [("colour", "rgb"), ("range", "lidar"), ("shape", "lidar")]
)
def test_the_same_summary_finds_the_class_where_the_sensor_has_it(name: str, sensor: str) -> None:
    """Else the test above could not fail."""
    samples = rendered(name)
    summary = image_summary if sensor == "rgb" else range_summary
    maps: Mapping[str, NDArray[np.generic]] = samples.images if sensor == "rgb" else samples.ranges
    reached, _ = learnt({of: np.array([*map(summary, maps[of])], float) for of in maps})
    assert reached >= 95


@every_scaled_task
def test_what_one_sensor_cannot_tell_is_equal_in_twins_or_drawn_alike(name: str) -> None:
    samples, task = rendered(name), task_of(name)
    first, second = task.classes
    if task.ceilings["rgb"] == 50:
        np.testing.assert_array_equal(samples.images[first], samples.images[second])
    if name == "colour":
        np.testing.assert_array_equal(samples.ranges[first], samples.ranges[second])
    for sensor, maps in (("rgb", samples.images), ("lidar", samples.ranges)):
        if task.ceilings[sensor] == 100:
            differs = (maps[first] != maps[second]).any((1, 2) if sensor == "lidar" else (1, 2, 3))
            assert differs.all()


@every_task
def test_ids_order_and_counts_do_not_tell_the_class(name: str, tmp_path: Path) -> None:
    params = synthesize_params(name, dict.fromkeys(task_of(name).classes, 7))
    write_archive(tmp_path / "demo.zip", params)
    with zipfile.ZipFile(tmp_path / "demo.zip") as archive:
        listed = archive.namelist()
        members = {
            of: [path.split("/", 2)[2] for path in listed if f"/{of}/" in path]
            for of in params.of_task.classes
        }
        angles = {archive.read(path) for path in listed if path.endswith("azimuth.npy")}
    first, second = members.values()
    assert first == second
    assert len(first) == 2 + 2 * 7
    assert len(angles) == 1
    if name != "shape":
        assert len(set(task_of(name).counts)) == 1


# --- How the scenes are made ---


@every_scaled_task
def test_an_image_is_that_of_the_scene_at_its_true_distance(name: str) -> None:
    """Scaling a scene about the sensor changes no pixel, but for the last bits of its edges."""
    seen = next(iter(rendered(name).views.values()))
    for of in seen.camera:
        scenes = of.scenes
        far = Scenes(
            1.37 * scenes.centre_n3, scenes.colour_n3, scenes.turn_n33, 1.37 * scenes.radius_n
        )
        moved, stored = rgb_images(of.shape, far), rgb_images(of.shape, scenes)
        assert (moved != stored).any(-1).mean() < 1e-4


@every_scaled_task
@pytest.mark.parametrize("objects", [2, 3])
def test_both_sensors_see_every_object_whole_and_none_covers_another(
    name: str, objects: int
) -> None:
    samples = rendered(name, objects)
    for of, seen in samples.views.items():
        hits = samples.ranges[of] < MAX_RANGE
        assert not hits[:, [0, -1]].any()
        assert not hits[:, :, [0, -1]].any()
        alone = [render_ranges_of(thing) < MAX_RANGE for thing in seen.lidar]
        assert all(each.any((1, 2)).all() for each in alone)
        assert (np.sum(alone, axis=0) == hits).all()
        lit = [rgb_images(thing.shape, thing.scenes)[..., :3].any(-1) for thing in seen.camera]
        assert all((each.sum((1, 2)) >= 5).all() for each in lit)
        assert (np.sum(lit, axis=0) <= 1).all()


def render_ranges_of(thing: Objects) -> NDArray[np.float32]:
    params = synthesize_params("colour")
    return render_ranges(Views((thing,), (thing,)), params, IDS)


@pytest.mark.parametrize("name", ["range", "xor", "nearest"])
@pytest.mark.parametrize("gap", [1.0, 6.0])
def test_ranges_that_make_the_class_are_a_gap_apart(name: str, gap: float) -> None:
    params = synthesize_params(name, gap=gap, objects=3)
    task = params.of_task
    by_class = []
    for of in task.classes:
        seen = task.views(0, IDS, of, params.difficulty)
        by_class.append(
            np.stack([np.linalg.norm(each.scenes.centre_n3, axis=1) for each in seen.lidar])
        )
    every = np.concatenate(by_class)
    assert every.min() >= NEAREST
    assert every.max() <= FARTHEST
    if name == "nearest":
        for distance_kn in by_class:
            assert (np.diff(np.sort(distance_kn, axis=0), axis=0) >= gap - 1e-9).all()
        red_last = (by_class[task.classes.index("other_nearest")].argmax(0) == 0).mean()
        assert 0.4 < red_last < 0.6
        assert (by_class[task.classes.index("red_nearest")].argmin(0) == 0).all()
    else:
        nearest, farthest = every.min(0), every.max(0)
        assert (farthest - nearest >= gap - 1e-9).all()


def test_distances_and_places_are_drawn_in_their_bounds() -> None:
    streams = [stream("test", number) for number in range(200)]
    distance_n3 = draw_distances(streams, 3, 2.5)
    assert (np.diff(distance_n3, axis=1) >= 2.5).all()
    places = draw_places(streams, 3)
    np.testing.assert_allclose(np.linalg.norm(places.direction_nk3, axis=-1), 1)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        apart = (places.direction_nk3[:, first] * places.direction_nk3[:, second]).sum(-1)
        rims = places.half_angle_nk[:, first] + places.half_angle_nk[:, second]
        assert (np.arccos(apart) > rims).all()


@every_task
def test_a_sample_is_a_function_of_seed_id_and_class_alone(name: str) -> None:
    params = synthesize_params(name)
    task, of = params.of_task, params.of_task.positive
    alone = task.views(0, [7], of, params.difficulty)
    among = task.views(0, [3, 7, 1234], of, params.difficulty)
    other = task.views(1, [7], of, params.difficulty)
    np.testing.assert_array_equal(render_images(alone)[0], render_images(among)[1])
    one, several = (
        render_ranges(seen, params, ids) for seen, ids in ((alone, [7]), (among, [3, 7, 1234]))
    )
    np.testing.assert_array_equal(one[0], several[1])
    assert not np.array_equal(one, render_ranges(other, params, [7]))


@every_task
def test_noise_has_the_asked_deviation_and_makes_no_returns(name: str) -> None:
    clean, noisy = rendered(name), rendered(name, noise=0.5)
    for of in clean.ranges:
        hit = clean.ranges[of] < MAX_RANGE
        np.testing.assert_array_equal(hit, noisy.ranges[of] < MAX_RANGE)
        errors = (noisy.ranges[of] - clean.ranges[of])[hit]
        assert errors.std() == pytest.approx(0.5, rel=0.03)
        assert errors.mean() == pytest.approx(0, abs=0.02)
        np.testing.assert_array_equal(clean.images[of], noisy.images[of])


# --- The params ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"task": "nearst"},
            "task: 'nearst' is no task (did you mean 'nearest'?); must be one",
        ),
        (
            {"difficulty": {"gap": 10, "objects": 3, "noise": 0.0}},
            "difficulty.gap = 10: must be less than 10 with 3 objects, 15 to 35 m away",
        ),
        ({"difficulty": {"gap": 20, "objects": 2, "noise": 0.0}}, "gap = 20"),
        ({"counts": {"cubes": 1, "spheres": 1}}, "counts = {'cubes': 1, 'spheres': 1}: task 'near"),
    ],
)
def test_wrong_params_are_refused(change: dict[str, object], message: str) -> None:
    content = synthesize_params("nearest").model_dump()
    with pytest.raises(ParamsError) as caught:
        validate(SynthesizeParams, {**content, **change}, "params.yaml")
    assert message in str(caught.value)


def test_auto_counts_are_those_of_the_task() -> None:
    assert synthesize_params("shape").class_counts() == {"cubes": 9999, "spheres": 752}
    for name in SCALED:
        counts = synthesize_params(name).class_counts()
        assert counts == dict.fromkeys(task_of(name).classes, 5000)
