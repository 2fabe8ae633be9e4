from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.datasets import dataset_of, table_of

from fusebench.report.gallery import choose_rows, gallery, write_gallery
from fusebench.samples.samples import Samples
from fusebench.survival import shares_line

ANGLES = np.linspace(-0.3, 0.3, 12, dtype=np.float32)


def samples_of(ids: list[tuple[str, int]], images: np.ndarray, ranges: np.ndarray) -> Samples:
    classes = ("bikes", "cars", "signs")
    table = table_of([name for name, _ in ids], [label for _, label in ids], classes)
    dataset = dataset_of(classes, "cars", synthetic=False, max_range=80.0)
    return Samples(images, ranges, ANGLES, ANGLES, table, dataset)


def with_objects(count: int) -> tuple[np.ndarray, np.ndarray]:
    images = np.zeros((count, 16, 16, 3), np.uint8)
    images[:, 4:9, 4:9] = 200
    ranges = np.full((count, 12, 12), 80, np.float32)
    ranges[:, 3:6, 3:6] = np.linspace(5, 60, count)[:, None, None]
    return images, ranges


def chosen(samples: Samples) -> list[tuple[str, int]]:
    rows = choose_rows(samples)
    return list(zip(rows["id"], rows["label"], strict=True))


def test_samples_of_one_id_stand_together_in_the_order_of_their_classes() -> None:
    ids = [(name, label) for label in range(3) for name in ("a", "b")]
    assert chosen(samples_of(ids, *with_objects(6))) == [
        (name, label) for name in "ab" for label in range(3)
    ]


def test_ids_whose_object_is_far_from_the_centre_and_whole_are_shown() -> None:
    ids = [(name, label) for name in "abcde" for label in range(3)]
    images, ranges = with_objects(len(ids))
    # b: near the centre; d: cut by the border in one class.
    ranges[3:6] = 80
    ranges[3:6, 5:7, 5:7] = 10
    ranges[10, 0, 4] = 10
    names = [name for name, _ in chosen(samples_of(ids, images, ranges))]
    assert names == ["a"] * 3 + ["c"] * 3 + ["e"] * 3


def test_without_a_shared_id_each_class_is_shown() -> None:
    ids = [("a", 0), ("b", 1), ("c", 2), *((f"d{number}", 2) for number in range(4))]
    assert chosen(samples_of(ids, *with_objects(7))) == [
        ("a", 0), ("b", 1), ("c", 2), ("d0", 2), ("d1", 2),
    ]  # fmt: skip


def test_colours_span_the_ranges_that_are_shown_and_say_metres() -> None:
    samples = samples_of([("a", 0), ("b", 1), ("c", 2)], *with_objects(3))
    figure = gallery(samples, choose_rows(samples))
    drawn = [axes.images[0] for axes in figure.axes if axes.images]
    maps = [image for image in drawn if np.asarray(image.get_array()).ndim == 2]
    limits = {image.get_clim() for image in maps}
    assert len(limits) == 1
    near, far = limits.pop()
    assert 5 <= near < far <= 60
    assert any(axes.get_xlabel().startswith("range (m)") for axes in figure.axes)
    assert "recorded" in figure.get_suptitle()


@pytest.mark.parametrize("background", [0, 30])
def test_any_image_can_be_drawn(tmp_path: Path, background: int) -> None:
    """An image without black background has no outline, and that is no reason to fail or warn."""
    images, ranges = with_objects(3)
    images[images == 0] = background
    if background:
        ranges[:] = 80
    samples = samples_of([("a", 0), ("b", 1), ("c", 2)], images, ranges)
    write_gallery(samples, tmp_path / "some.png")
    with Image.open(tmp_path / "some.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.parametrize("shape", [(48, 80), (64, 200), (160, 50), (64, 64)])
@pytest.mark.parametrize("count", [3, 9])
def test_images_of_any_shape_keep_it_and_labels_have_room(
    shape: tuple[int, int], count: int
) -> None:
    _, ranges = with_objects(count)
    images = np.zeros((count, *shape, 3), np.uint8)
    images[:, 10:20, 10:20] = 200
    ids = [(f"a-long-name-of-a-frame-{row // 3}", row % 3) for row in range(count)]
    samples = samples_of(ids, images, ranges)
    figure = gallery(samples, choose_rows(samples))
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4 * count
    for axes in panels:
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(shape[0] / shape[1], rel=0.01)
        # An inch has 100 dots here: no image is a strip.
        assert max(box.height, box.width) > 1.2 * figure.dpi
    boxes = [axes.get_window_extent() for axes in figure.axes]
    words = [axes.yaxis.label.get_window_extent() for axes in panels if axes.get_ylabel()]
    titles = [axes.title.get_window_extent() for axes in panels if axes.get_title()]
    assert (len(words), len(titles)) == (count, 4)
    bar = next(axes for axes in figure.axes if axes.get_xlabel()).xaxis.label.get_window_extent()
    for one, other in combinations([*boxes, *words, *titles, bar], 2):
        assert not one.overlaps(other)
    whole = figure.bbox
    for box in (*words, *titles, bar):
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1


def test_without_a_focal_length_there_is_no_map_in_the_cameras_frame() -> None:
    samples = samples_of([("a", 0), ("b", 1), ("c", 2)], *with_objects(3))
    dataset = dataset_of(samples.dataset.classes, synthetic=False, focal_length=None, max_range=80)
    samples = replace(samples, dataset=dataset)
    panels = [axes for axes in gallery(samples, choose_rows(samples)).axes if axes.images]
    titles = [axes.get_title() for axes in panels if axes.get_title()]
    assert len(panels) == 3 * 3
    assert [title.partition("align: ")[2] for title in titles] == ["", "none)", "rotate)"]
    assert shares_line(samples).endswith(" none 100 %, rotate 100 %")


def test_a_note_stands_below_the_title() -> None:
    ids = [("a", 0), ("a", 1), ("a", 2)]
    samples = samples_of(ids, *with_objects(3))
    title = gallery(samples, choose_rows(samples), "Returns kept: 7 %").get_suptitle()
    assert title.splitlines()[-1] == "Returns kept: 7 %"
    assert not gallery(samples, choose_rows(samples)).get_suptitle().endswith("\n")
