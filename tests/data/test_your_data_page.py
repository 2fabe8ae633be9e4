"""docs/your-data.md: its examples are read as they stand, and its angles are those of the code."""

import math
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.archives import encoded, npy, params, sensors
from tests.data.clouds import WRITERS, bin_of
from tests.project import ROOT

from fusebench import yaml12
from fusebench.config import validate
from fusebench.data.projection import LidarFiles, given_angles, turned_angles
from fusebench.data.settings import LAYOUTS, DataParams
from fusebench.data.summary import report_lines
from fusebench.inputs.lidar import directions
from fusebench.samples.sensors import Sensors

PAGE = (ROOT / "docs/your-data.md").read_text("utf-8")
EXAMPLES: list[dict[str, Any]] = [
    yaml12.load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
]
OF_DATA = [example["data"] for example in EXAMPLES if "data" in example]
OF_SENSORS = [example for example in EXAMPLES if "lidar" in example]


def section(title: str) -> str:
    """What stands below a heading, up to the next of its level or above."""
    end = rf"(?=^#{{1,{len(title.split()[0])}}} |\Z)"
    found = re.search(rf"^{re.escape(title)}\n(.*?){end}", PAGE, re.M | re.S)
    assert found is not None
    return found[1]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_example_is_read_as_it_stands_there() -> None:
    assert len(OF_DATA) + len(OF_SENSORS) == len(EXAMPLES)
    for content in OF_DATA:
        validate(DataParams, content, "docs/your-data.md", ("data",))
    for content in OF_SENSORS:
        validate(Sensors, content, "docs/your-data.md")


def test_each_layout_and_each_format_has_an_example_or_a_page_of_its_own() -> None:
    shown = {content["layout"] for content in OF_DATA}
    linked = {name for name in LAYOUTS.names() if f"[{name}.md]({name}.md)" in PAGE}
    assert shown | linked == set(LAYOUTS.names())
    formats = [content["lidar"]["format"] for content in OF_SENSORS]
    assert formats == ["ranges", "depth", "points"]


def example_of(kind: str) -> Sensors:
    (content,) = (content for content in OF_SENSORS if content["lidar"]["format"] == kind)
    return validate(Sensors, content, "docs/your-data.md")


def test_the_examples_read_what_the_page_says() -> None:
    """A map of ranges, a depth image and points of one wall, six metres off."""
    ranges = example_of("ranges").lidar
    angles = turned_angles(given_angles(ranges), ranges)
    wall = np.full(ranges.size, 6, np.float32)
    read = LidarFiles(ranges, angles).decode(npy(wall), "0001.npy")
    np.testing.assert_array_equal(read, np.full((512, 64), 6))
    depth = LidarFiles(example_of("depth").lidar, angles)
    steps = Image.fromarray(np.full(ranges.size, 3000, np.uint16))
    np.testing.assert_array_equal(depth.decode(encoded(steps), "0001.png"), read)
    # x forward, y to the left, z up.
    right, forward, up = (6 * part for part in directions(angles["azimuth"], angles["zenith"]))
    points = np.stack(np.broadcast_arrays(forward, -right, up), axis=-1).reshape(-1, 3)
    projected = LidarFiles(example_of("points").lidar, angles)
    np.testing.assert_allclose(projected.decode(bin_of(points), "0001.bin"), read, rtol=1e-6)


def test_all_the_way_round_is_a_step_short_of_a_turn() -> None:
    found = re.search(r"all the way round: \[(\S+), (\S+)\]", PAGE)
    assert found is not None
    first, last = float(found[1]), float(found[2])
    columns = example_of("points").lidar.size[1]
    assert (first - last) / (columns - 1) == 360 / columns


SIDES = {"ahead": (0, 1, 0), "behind": (0, -1, 0), "left": (-1, 0, 0), "right": (1, 0, 0),
         "up": (0, 0, 1), "down": (0, 0, -1)}  # fmt: skip


def test_the_table_of_directions_is_that_of_the_code() -> None:
    """Where a model sees a cell of these angles; and where a point there is put."""
    table = [row for row in rows(section("## Angles")) if len(row) == 3][1:]
    assert len(table) >= 6
    for name, *angles in table:
        side = np.sum([SIDES[word] for word in name.split(" and ")], axis=0, dtype=float)
        side /= np.linalg.norm(side)
        azimuth, zenith = np.radians([[float(angle)] for angle in angles]).astype("f4")
        seen = [part.item() for part in directions(azimuth, zenith)]
        np.testing.assert_allclose(seen, side, atol=1e-6, err_msg=name)
        lidar = sensors(format="points", axes=["x", "y", "z"], size=[1, 1]).lidar
        around = np.radians(np.arange(-180, 181, 5)).astype("f4")
        files = LidarFiles(lidar, {"azimuth": around, "zenith": around[18:55]})
        ((row, column),) = np.argwhere(files.project(side[None] * 9) < lidar.max_range)
        assert math.cos(around[row] - azimuth[0]) > 1 - 1e-6, name
        assert around[18:55][column] == pytest.approx(zenith[0], abs=1e-6), name


def test_the_sketch_has_the_signs_of_the_table() -> None:
    sketch = section("## Angles").split("```")[1]
    up, down = sketch.index("zenith -30"), sketch.index("zenith +30")
    assert up < down
    assert sketch.index("azimuth +45") < sketch.index("azimuth -45")
    assert sketch.index("+90") < sketch.index("-90")


def test_other_conventions_are_turned_into_this_one_rightly() -> None:
    said = {name.partition(",")[0]: rule for name, rule in
            (row for row in rows(section("## Angles")) if len(row) == 2)}  # fmt: skip
    assert said["elevation"] == "zenith = -elevation"
    assert said["polar angle"] == "zenith = polar angle - 90°"
    assert said["heading"] == "azimuth = -heading"
    for degrees in (10.0, 60.0):
        # Up by so much; as a polar angle, and turned to the right.
        up, polar, heading = math.radians(degrees), 90 - degrees, math.radians(degrees)
        for zenith in (-degrees, polar - 90):
            x, y, z = directions(np.radians([0.0]).astype("f4"), np.radians([zenith]).astype("f4"))
            np.testing.assert_allclose([x.item(), y.item(), z.item()],
                                       [0, math.cos(up), math.sin(up)], atol=1e-6)  # fmt: skip
        x, y, _ = directions(np.array([-heading], "f4"), np.array([0], "f4"))
        np.testing.assert_allclose([x.item(), y.item()], [math.sin(heading), math.cos(heading)],
                                   atol=1e-6)  # fmt: skip


def test_the_table_of_points_has_each_kind_of_file() -> None:
    kinds = {row[0] for row in rows(section("### Points"))[1:]}
    assert kinds == {suffix for suffix, _ in WRITERS.values()}


SUMMARY: dict[str, Any] = {
    "synthetic": False, "task": None, "pairs": {"bikes": 410, "cars": 794}, "groups": 31,
    "unmatched": {name: {"rgb": 0, "lidar": 0} for name in ("bikes", "cars")}, "shared_ids": 0,
    "content_duplicates": {"samples": 2, "across_classes": 0}, "bad_samples": 3,
    "passed_over": {"of other classes than data.classes (signs)": 57},
    "rgb": {"pixels_not_black": 99.8, "images_of_one_colour": 0},
    "lidar": {"cells_with_return": 41.3, "maps_without_return": 0},
}  # fmt: skip


def test_what_extract_says_is_said_in_its_words() -> None:
    shown = section("## What extract says").split("```")[1].strip("\n")
    section_data = params("data/mine", classes=["bikes", "cars"], positive="bikes")
    assert "\n".join(report_lines(section_data, SUMMARY)) == shown
