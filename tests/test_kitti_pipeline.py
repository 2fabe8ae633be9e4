"""KITTI's object data through all stages, with the params and sensors that docs/kitti.md shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.data.kitti_files import CLASSES, crowd, members, write_folder
from tests.in_process import run
from tests.project import PARAMS, ROOT, write_no_studies

from fusebench import yaml12
from fusebench.config import validate
from fusebench.data.layouts.kitti import Kitti
from fusebench.params import Params
from fusebench.prediction.predictions import read_predictions
from fusebench.samples.sensors import Sensors

PAGE = (ROOT / "docs/kitti.md").read_text("utf-8")
FUSIONS = ("add", "hadamard")
FRAMES = 60


def blocks() -> Iterator[dict[str, Any]]:
    """The YAML of the page: what of params.yaml it is about, and the file of sensors."""
    for text in re.findall(r"\n```yaml\n(.*?)```\n", PAGE, re.DOTALL):
        yield yaml12.load(text)


def params() -> dict[str, Any]:
    """A whole params.yaml, with what the page says in it."""
    content: dict[str, Any] = yaml.safe_load(PARAMS)
    said, _ = blocks()
    for section, values in said.items():
        assert set(values) <= set(content[section]), section
        content[section] |= values
    return content


def test_what_the_page_shows_is_allowed_and_what_the_layout_begins_with() -> None:
    found = validate(Params, params(), "params.yaml")
    assert found.data.layout == "kitti"
    # Of KITTI's own levels, by the page's table, the default is the second.
    levels = re.findall(r"^\| (\w+) \| (\d+) \| (\d) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, *_ in levels] == ["easy", "moderate", "hard"]
    kitti = found.data.kitti
    limits = (kitti.min_height, kitti.max_occlusion, kitti.max_truncation)
    assert tuple(map(float, levels[1][1:])) == limits
    _, sensors = blocks()
    validate(Sensors, sensors, found.data.sensors)
    told = {
        f"{section}.{key}": value for section in sensors for key, value in sensors[section].items()
    }
    for key, value in {**Kitti.fixed, **Kitti.chosen}.items():
        assert told[key] == value, key
    assert len(PAGE.splitlines()) < 120


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which the page was followed, with frames that are a quarter as large."""
    root = tmp_path_factory.mktemp("kitti")
    content, (_, sensors) = params(), blocks()
    data, train = content["data"], content["train"]
    data["kitti"] |= {"min_height": content["data"]["kitti"]["min_height"] / 4}
    data["classes"] = list(CLASSES)
    train |= {"epochs": 1, "seeds": [0, 1]}
    content["runtime"]["work_limit"] = 0
    write_folder(root / data["archive"], members(crowd(FRAMES)))
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    (root / data["sensors"]).write_text(yaml.safe_dump(sensors), "utf-8")
    write_no_studies(root)
    for name in ("src", "requirements.txt", ".dvc/plots"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    (root / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for stage in ("check", "extract", "check_inputs", "split"):
            assert run(stage) == 0
        for stage in ("train", "predict", "stress", "cost"):
            for fusion in FUSIONS:
                assert run(stage, fusion) == 0, stage
        for stage in ("baseline", "evaluate", "robustness", "compare", "gallery"):
            assert run(stage) == 0, stage
        yield root


@pytest.mark.slow
def test_objects_of_a_frame_stay_together_from_the_split_to_the_figures(followed: Path) -> None:
    samples = pd.read_csv(followed / "data/samples/samples.csv", dtype={"id": str, "group": str})
    data = json.loads((followed / "metrics/data.json").read_text("utf-8"))
    assert samples["group"].tolist() == [name.partition("_")[0] for name in samples["id"]]
    assert data["groups"] == samples["group"].nunique() > 40
    assert len(samples) > 1.5 * data["groups"]
    split = pd.read_csv(followed / "data/split.csv", dtype={"id": str, "group": str})
    for column in ("seed_0", "seed_1"):
        assert (split.groupby("group")[column].nunique() == 1).all()
        assert set(split[column]) >= {"train", "val", "test", "holdout"}
    frames = split.loc[split["seed_0"] == "test", "group"]
    for fusion in FUSIONS:
        test = read_predictions(followed / "predictions" / fusion).seeds[1]["test"]
        assert sorted(test.groups) == sorted(frames)
        with np.load(followed / "stress" / fusion / "seed_0.npz") as stress:
            assert set(stress["group"]) <= set(frames)
    pairs = pd.read_csv(followed / "metrics/pairs.csv")
    assert (pairs["ids"] == frames.nunique()).all()
    assert frames.nunique() < len(frames)


@pytest.mark.slow
def test_much_of_both_sensors_reaches_the_models(followed: Path) -> None:
    inputs = json.loads((followed / "metrics/inputs.json").read_text("utf-8"))
    assert inputs["lidar"]["align"] == "rotate"
    assert inputs["lidar"]["returns_kept"] > 90
    assert inputs["lidar"]["maps_empty"] == inputs["rgb"]["images_of_one_colour"] == 0


@pytest.mark.slow
def test_the_camera_cannot_be_aligned_with(
    followed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (followed / "params.yaml").read_text("utf-8")
    assert "align: rotate" in before
    (followed / "params.yaml").write_text(before.replace("align: rotate", "align: camera"), "utf-8")
    try:
        assert run("check_inputs") == 1
        assert "camera.focal_length" in capsys.readouterr().err
    finally:
        (followed / "params.yaml").write_text(before, "utf-8")
