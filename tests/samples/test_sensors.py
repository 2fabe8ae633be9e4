"""What the file of sensors may hold."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import SENSORS

from fusebench.config import load
from fusebench.errors import ParamsError
from fusebench.samples.sensors import Sensors

CONTENT: dict[str, Any] = yaml.safe_load(SENSORS)


def loaded(folder: Path, key: str, value: object, **lidar: object) -> Sensors:
    """Load a whole file with one value changed, `key` is dotted; and more of section `lidar`."""
    content = deepcopy(CONTENT)
    section, _, last = key.partition(".")
    content[section][last] = value
    content["lidar"] |= lidar
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return load(path, Sensors)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("camera.image_size", [15, 64], "camera.image_size: [15, 64]: must be at least 16 each"),
        ("camera.image_size", [64], "key 'camera.image_size.1' is missing"),
        ("camera.image_size", [64, 5000], "camera.image_size.1 = 5000: must be less than or equal"),
        ("camera.focal_length", 0, "camera.focal_length = 0: must be greater than 0"),
        ("camera.focal_length", "wide", "camera.focal_length = 'wide': must be a valid number"),
        ("camera.focal", 3, "unknown key 'camera.focal'; did you mean 'camera.focal_length'?"),
        ("lidar.size", [0, 64], "lidar.size.0 = 0: must be greater than or equal to 1"),
        ("lidar.size", 64, "lidar.size = 64: must be a valid list"),
        ("lidar.max_range", -1, "lidar.max_range = -1: must be greater than 0"),
        ("lidar.max_range", float("inf"), "lidar.max_range = inf: must be a finite number"),
        ("lidar.quarter_turns", 4, "lidar.quarter_turns = 4: must be less than or equal to 3"),
        ("lidar.no_return", None, "lidar.no_return = empty: must be a valid list"),
        ("lidar.no_return", "nan", "lidar.no_return = 'nan': must be a valid list"),
        ("lidar.no_return", ["none"], "lidar.no_return.0 = 'none': must be 'zero', 'nan' or 'inf'"),
        ("lidar.no_return", [0], "lidar.no_return.0 = 0: must be 'zero', 'nan' or 'inf'"),
        ("lidar.no_return", ["inf", "inf"], "lidar.no_return: ['inf', 'inf']: each word may be"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ParamsError) as caught:
        loaded(tmp_path, key, value)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: {message}")
    assert str(caught.value).isprintable()


def test_values_at_the_ends_of_their_range_are_allowed(tmp_path: Path) -> None:
    assert loaded(tmp_path, "camera.image_size", [16, 4096]).camera.image_size == (16, 4096)
    assert loaded(tmp_path, "lidar.size", [1, 4096]).lidar.size == (1, 4096)
    assert loaded(tmp_path, "lidar.max_range", "1e2").lidar.max_range == 100.0
    assert loaded(tmp_path, "lidar.no_return", ["nan", "zero"]).lidar.no_return == ("nan", "zero")


@pytest.mark.parametrize("section", ["camera", "lidar"])
def test_each_key_must_be_there(section: str, tmp_path: Path) -> None:
    for key in CONTENT[section]:
        content = deepcopy(CONTENT)
        del content[section][key]
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content), "utf-8")
        with pytest.raises(ParamsError, match=rf"key '{section}\.{key}' is missing"):
            load(path, Sensors)


POINTS = {"format": "points", "axes": ["-y", "x", "z"]}


@pytest.mark.parametrize(
    ("key", "value", "lidar", "message"),
    [
        ("format", "voxels", {}, "lidar.format = 'voxels': must be 'ranges', 'depth' or 'points'"),
        ("rows", "range", {}, "lidar.rows = 'range': must be 'azimuth' or 'zenith'"),
        ("azimuth", "kept", {}, "lidar.azimuth: 'kept': must be stored, or the first and the"),
        ("azimuth", None, {}, "lidar.azimuth: empty: must be stored, or the first and the"),
        ("azimuth", 30, {}, "lidar.azimuth: 30: must be stored, or the first and the last"),
        ("azimuth", [1, 2, 3], {}, "lidar.azimuth = [1, 2, 3]: must have at most 2 items"),
        ("azimuth", [1], {}, "key 'lidar.azimuth.1' is missing"),
        ("azimuth", ["1", 2], {}, "lidar.azimuth.0 = '1': must be a valid number"),
        ("azimuth", [0, 361], {}, "lidar.azimuth.1 = 361: must be less than or equal to 360"),
        ("zenith", [float("nan"), 1], {}, "lidar.zenith.0 = nan: must be a finite number"),
        ("azimuth", [5, 5], {}, "lidar.azimuth: [5.0, 5.0]: must differ by 0.0001 at least for"),
        ("zenith", [5, 5.006], {}, "lidar.zenith: [5.0, 5.006]: must differ by 0.0001 at least"),
        ("zenith", [5, 6], {"size": [64, 1]},
         "lidar.zenith: [5.0, 6.0]: must be the same twice, for size says one"),
        ("azimuth", [5, 6], {"size": [64, 1], "rows": "zenith"},
         "lidar.azimuth: [5.0, 6.0]: must be the same twice, for size says one"),
        ("zenith", [60, 120], POINTS,
         "lidar.zenith: [60.0, 120.0]: must be within -90 (up) and 90 (down) where format is"),
        ("zenith", [-91, 0], POINTS, "lidar.zenith: [-91.0, 0.0]: must be within -90 (up) and 90"),
        ("azimuth", [-181, 180], POINTS, "lidar.azimuth: [-181.0, 180.0]: must be of one turn"),
        ("step", 0.001, {}, "lidar.step: must be empty where format is ranges"),
        ("step", 0.001, POINTS, "lidar.step: must be empty where format is points"),
        ("step", None, {"format": "depth"}, "lidar.step: must say metres per step where"),
        ("step", 0, {"format": "depth"}, "lidar.step = 0: must be greater than 0"),
        ("step", 1001, {"format": "depth"}, "lidar.step = 1001: must be less than or equal to"),
        ("axes", ["x", "y", "z"], {}, "lidar.axes: must be empty where format is ranges"),
        ("axes", None, {"format": "points"}, "lidar.axes: must say what is right, forward and"),
        ("axes", ["x", "y"], {"format": "points"}, "key 'lidar.axes.2' is missing"),
        ("axes", ["x", "y", "w"], {"format": "points"}, "lidar.axes.2 = 'w': must be 'x', '-x'"),
        ("axes", ["x", "-x", "z"], {"format": "points"},
         "lidar.axes: ['x', '-x', 'z']: must name each of x, y and z once"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_the_format_is_named(
    key: str, value: object, lidar: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ParamsError) as caught:
        loaded(tmp_path, f"lidar.{key}", value, **lidar | {key: value})
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: {message}")
    assert str(caught.value).isprintable()


def test_angles_at_the_ends_of_what_a_format_takes_are_allowed(tmp_path: Path) -> None:
    for azimuth in ([180, -180], [0, 360], [-360, 0], [0, 0.0064]):
        sensors = loaded(tmp_path, "lidar.azimuth", azimuth, zenith=[-90, 90], **POINTS)
        assert sensors.lidar.azimuth == tuple(azimuth)
    one = loaded(tmp_path, "lidar.zenith", [3, 3], size=[64, 1])
    assert one.lidar.angle_counts == (64, 1)
    # A map may look behind itself over its top, where points do not.
    assert loaded(tmp_path, "lidar.zenith", [-180, 0]).lidar.zenith == (-180, 0)


def test_the_turns_of_a_map_with_a_zenith_per_row_are_one_more(tmp_path: Path) -> None:
    for turns in range(4):
        for rows, more in (("azimuth", 0), ("zenith", 1)):
            sensors = loaded(tmp_path, "lidar.quarter_turns", turns, rows=rows)
            assert sensors.lidar.turns == (turns + more) % 4


def test_rows_say_which_angle_the_size_counts_first(tmp_path: Path) -> None:
    for rows, counts in (("azimuth", (3, 5)), ("zenith", (5, 3))):
        assert loaded(tmp_path, "lidar.size", [3, 5], rows=rows).lidar.angle_counts == counts
