"""How much of each sensor reaches the models, against the very maps that they see."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import check_inputs
from fusebench.errors import ArtifactError
from fusebench.inputs.lidar import Align, LidarGeometry, LidarParams, lidar_maps
from fusebench.samples.samples import Samples
from fusebench.survival import (
    LEAST_KEPT,
    MOST_EMPTY,
    is_low,
    lidar_survival,
    refuse_empty,
    rgb_survival,
    shares_line,
    survival_lines,
    views_per_cell,
)

ALIGNS: tuple[Align, ...] = ("none", "rotate", "camera")
IMAGES = {"images": 10, "images_of_one_colour": 0}


def with_maps(samples: Samples, maps: Any, step: float = 0.5) -> Samples:
    """The small samples with other maps (N, h, w), angles in steps of so many degrees."""
    count, rows, columns = maps.shape
    azimuth, zenith = (
        np.radians((np.arange(length) - (length - 1) / 2) * step).astype(np.float32)
        for length in (rows, columns)
    )
    return replace(
        samples, lidar=maps.astype(np.float32), folder=None, azimuth=azimuth, zenith=zenith,
        rgb=samples.rgb[:count], table=samples.table.iloc[:count],
    )  # fmt: skip


def masks(samples: Samples, align: Align) -> Any:
    """Whether there is a return at each pixel, by the code that makes what models see."""
    how = LidarParams(projection="spherical", align=align, normalize=True)
    ids = np.zeros(len(samples.lidar), np.int64)
    return lidar_maps(np.asarray(samples.lidar), ids, LidarGeometry.of(samples), how)[:, 3] > 0


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(
    align=st.sampled_from(ALIGNS),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    step=st.sampled_from([0.2, 0.5, 1.5]),
    seed=st.integers(0, 99),
    density=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
)
def test_it_agrees_with_the_maps_that_models_see(
    samples: Samples, align: Align, size: tuple[int, int], step: float, seed: int, density: float
) -> None:
    numbers = np.random.default_rng(seed)
    maps = np.where(numbers.random((4, *size)) < density, 20.0, samples.dataset.max_range)
    changed = with_maps(samples, maps, step)
    said, seen = lidar_survival(changed, align), masks(changed, align)
    assert said["returns"] == (maps < samples.dataset.max_range).sum()
    assert said["maps_empty"] == (~seen.any(axis=(1, 2))).sum()
    assert said["pixels_with_return"] == pytest.approx(100 * seen.mean())
    # A single return shows at a pixel exactly where its cell is looked at.
    views = views_per_cell(LidarGeometry.of(changed), align).reshape(size)
    cell = tuple(numbers.integers(0, size))
    single = np.full((1, *size), samples.dataset.max_range)
    single[0][cell] = 20.0
    assert masks(with_maps(samples, single, step), align).sum() == views[cell]


def test_shares_calculated_by_hand(samples: Samples) -> None:
    # Two maps of 128 × 64 cells on 64 × 64 pixels: every second row is looked at.
    maps = np.full((2, 128, 64), samples.dataset.max_range)
    maps[0, :6, 10] = 20.0
    said = lidar_survival(with_maps(samples, maps), "none")
    assert said == {
        "align": "none", "returns": 6, "returns_kept": 50.0, "maps": 2, "maps_empty": 1,
        "pixels_with_return": pytest.approx(100 * 3 / (2 * 64 * 64)),
    }  # fmt: skip


def test_images_of_one_colour_are_counted(samples: Samples) -> None:
    images = np.array(samples.rgb)
    images[[3, 30]] = (0, 9, 200)
    images[31] = 0
    dull = int((images == images[:, :1, :1]).all(axis=(1, 2, 3)).sum())
    assert dull >= 3
    assert rgb_survival(replace(samples, rgb=images, folder=None)) == {
        "images": len(images), "images_of_one_colour": dull,
    }  # fmt: skip


def lidar(kept: float, empty: int) -> dict[str, Any]:
    return {
        "align": "camera", "returns": 12_345_678, "returns_kept": kept, "maps": 1000,
        "maps_empty": empty, "pixels_with_return": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "empty", "low"),
    [
        (100.0, 0, False),
        (LEAST_KEPT, int(10 * MOST_EMPTY), False),
        (LEAST_KEPT - 0.1, 0, True),
        (100.0, int(10 * MOST_EMPTY) + 1, True),
    ],
)
def test_it_warns_below_the_bounds_alone(kept: float, empty: int, low: bool) -> None:
    assert is_low(lidar(kept, empty)) is low
    text = "\n".join(survival_lines(lidar(kept, empty), IMAGES))
    assert f"lidar.align: camera keeps {kept:.1f} % of 12,345,678 returns; " in text
    assert f"{empty} of 1,000 maps keep none" in text
    assert ("warning: " in text) is low
    assert ("quarter_turns in the file that data.sensors names" in text) is low


@pytest.mark.parametrize(("constant", "warned"), [(1, False), (2, True)])
def test_it_warns_of_images_that_carry_nothing(constant: int, warned: bool) -> None:
    lines = survival_lines(lidar(100.0, 0), IMAGES | {"images_of_one_colour": constant})
    assert f"rgb: {constant} of 10 images have one colour" in lines
    assert any(line.startswith("warning: many images") for line in lines) is warned


def test_a_sensor_that_carries_nothing_in_any_sample_is_refused() -> None:
    refuse_empty(lidar(0.1, 999), IMAGES | {"images_of_one_colour": 9})
    with pytest.raises(ArtifactError, match=r"no LiDAR map keeps a return under lidar\.align"):
        refuse_empty(lidar(0.0, 1000), IMAGES)
    with pytest.raises(ArtifactError, match=r"each of the 10 images has one colour"):
        refuse_empty(lidar(100.0, 0), IMAGES | {"images_of_one_colour": 10})


def test_the_galleries_line_says_what_each_alignment_keeps(samples: Samples) -> None:
    assert shares_line(samples).startswith("Returns kept by lidar.align: none 100 %, rotate 100 %,")
    assert "WARNING" not in shares_line(samples)
    # Seen from behind, nothing is where the camera looks.
    behind = replace(samples, azimuth=samples.azimuth + np.float32(np.pi))
    assert shares_line(behind).endswith("camera 0 % (WARNING: little)")


# --- The stage ---


@pytest.fixture
def project(
    samples_folder: Path, params_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["check_inputs.py", str(samples_folder), "data/inputs.json"])
    return tmp_path


def set_align(project: Path, align: Align) -> None:
    path = project / "params.yaml"
    text = path.read_text("utf-8")
    assert text.count("  align: none") == 1
    path.write_text(text.replace("  align: none", f"  align: {align}"), "utf-8")


def test_the_stage_writes_shares_to_metrics_and_a_constant_for_training(
    project: Path, samples: Samples, capsys: pytest.CaptureFixture[str]
) -> None:
    check_inputs.main()
    passed = (project / "data/inputs.json").read_bytes()
    assert json.loads(passed) == {"inputs": "every sensor carries something"}
    first = json.loads((project / "metrics/inputs.json").read_text("utf-8"))
    assert first == {"lidar": lidar_survival(samples, "none"), "rgb": rgb_survival(samples)}
    assert "lidar.align: none keeps 100.0 % of" in capsys.readouterr().out
    set_align(project, "camera")
    check_inputs.main()
    assert (project / "data/inputs.json").read_bytes() == passed
    second = json.loads((project / "metrics/inputs.json").read_text("utf-8"))
    assert second["lidar"] == lidar_survival(samples, "camera")
    assert second["lidar"]["returns_kept"] < 100


def test_the_stage_refuses_empty_inputs_and_writes_nothing(
    project: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = replace(samples, azimuth=samples.azimuth + np.float32(np.pi))
    monkeypatch.setattr("fusebench.samples.samples.open_samples", lambda _: behind)
    set_align(project, "camera")
    with pytest.raises(ArtifactError) as caught:
        check_inputs.main()
    for word in ("lidar.align = 'camera'", "data.sensors", "lidar.quarter_turns"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in project.iterdir()] == ["params.yaml"]
