"""What the file of sensors may hold."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import SENSORS

from fusebench.config import load
from fusebench.data.sensors import Sensors
from fusebench.errors import ParamsError

CONTENT: dict[str, Any] = yaml.safe_load(SENSORS)


def loaded(folder: Path, key: str, value: object) -> Sensors:
    """Load a whole file with one value changed; `key` is dotted."""
    content = deepcopy(CONTENT)
    section, _, last = key.partition(".")
    content[section][last] = value
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
