"""Samples as pictures in the page: their pixels, their colours, their size."""

import base64
import io
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from tests.page.made_up import write_samples
from tests.page.reader import read

from fusebench.page.pictures import Pictures
from fusebench.samples.samples import Samples, open_samples

NO_RETURN = (134, 140, 148)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    write_samples(tmp_path / "samples", [("0", "cubes"), ("1", "spheres")])
    return open_samples(tmp_path / "samples")


def _pixels(markup: str) -> npt.NDArray[np.uint8]:
    (element,) = read(markup).all("img")
    source = element.attributes["src"]
    assert source is not None
    kind, _, content = source.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        return np.asarray(picture)


def test_an_image_is_shown_to_the_pixel(samples: Samples) -> None:
    shown = _pixels(Pictures(samples, [0, 1]).image(1, "words"))
    np.testing.assert_array_equal(shown, samples.images([1])[0])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_map_is_turned_as_the_image_and_grey_where_nothing_came_back(
    tmp_path: Path, turns: int
) -> None:
    write_samples(tmp_path / "samples", [("0", "cubes"), ("1", "spheres")], turns)
    samples = open_samples(tmp_path / "samples")
    pictures = Pictures(samples, [0])
    shown = np.rot90(_pixels(pictures.ranges(0, "words")), turns)
    hit = samples.ranges([0])[0] < samples.dataset.max_range
    assert (shown[~hit] == NO_RETURN).all()
    assert not (shown[hit] == NO_RETURN).all(axis=-1).any()
    assert ("turned as the image is" in pictures.legend) is bool(turns)


def test_the_nearest_has_the_first_colour_and_the_legend_says_its_range(samples: Samples) -> None:
    pictures = Pictures(samples, [0, 1])
    ranges = samples.ranges([0, 1])
    hits = ranges[ranges < samples.dataset.max_range]
    near, far = np.percentile(hits, [2, 98])
    assert f"{near:.1f} m" in pictures.legend
    assert f"{far:.1f} m" in pictures.legend
    row = int(ranges.min(axis=(1, 2)).argmin())
    place = np.unravel_index(ranges[row].argmin(), ranges[row].shape)
    shown = np.rot90(_pixels(pictures.ranges(row, "words")), samples.dataset.sensors.lidar.turns)
    assert tuple(shown[place]) == tuple(mpl.colormaps["viridis_r"](0.0, bytes=True)[:3])


def test_maps_without_a_return_are_grey(samples: Samples) -> None:
    empty = Samples(
        samples.rgb, np.full_like(samples.lidar, 50), samples.azimuth, samples.zenith,
        samples.table, samples.dataset,
    )  # fmt: skip
    pictures = Pictures(empty, [0])
    assert (_pixels(pictures.ranges(0, "words")) == NO_RETURN).all()
    assert re.search(r"0\.0 m .* 50\.0 m", pictures.legend)


def test_large_pictures_are_made_smaller(samples: Samples) -> None:
    large = Samples(
        np.zeros((2, 600, 300, 3), np.uint8), samples.lidar, samples.azimuth, samples.zenith,
        samples.table, samples.dataset,
    )  # fmt: skip
    assert _pixels(Pictures(large, [0]).image(0, "words")).shape == (128, 64, 3)
