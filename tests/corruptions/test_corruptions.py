"""Every corruption that is there: tests over the registry, and what is particular to some."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.library import elsewhere

from fusebench.errors import ParamsError
from fusebench.inputs.corruption import (
    CORRUPTIONS,
    SEVERITIES,
    Condition,
    Corruption,
    Reading,
    Recording,
    code_of,
    corrupted,
    corruption_of,
)
from fusebench.inputs.lidar import LidarGeometry
from fusebench.samples.samples import Samples

each_corruption = pytest.mark.parametrize("name", CORRUPTIONS.names())
MOVED = ("lidar_shifted", "lidar_turned")
# They take what another sample shows.
SWAPPING = ("lidar_swapped", "rgb_swapped")
WANTED = {
    "range_noise", "missing_returns", "dropped_beams", "rgb_noise", "rgb_blur", "rgb_darkness",
    "rgb_occlusion", "lidar_occlusion", "rgb_off", "lidar_off", "rgb_swapped", "lidar_swapped",
    "lidar_shifted", "lidar_turned",
}  # fmt: skip


def made(samples: Samples, name: str, severity: int, rows: slice = slice(None)) -> Samples:
    chosen = samples.table.iloc[rows]
    return corrupted(samples, chosen, [[Condition(name, severity)]] * len(chosen), ("test",))


def changed_by(name: str, befell: Samples, samples: Samples) -> float:
    one, other = (
        (befell.rgb, samples.rgb)
        if corruption_of(name).sensor == "rgb"
        else (befell.lidar, samples.lidar)
    )
    return float(np.abs(one.astype(np.float64) - other).mean())


def moved_by(befell: Samples, samples: Samples) -> int:
    """Return how many returns left their cells, and how many the view: those count twice."""
    seen = samples.lidar < samples.dataset.max_range
    left = befell.lidar < samples.dataset.max_range
    return int(2 * seen.sum() - left.sum() - (left & seen).sum())


def test_those_that_users_count_on_are_there() -> None:
    assert set(CORRUPTIONS.names()) >= WANTED


@each_corruption
def test_its_strength_grows_with_the_severity(name: str, samples: Samples) -> None:
    amounts = corruption_of(name).severities
    assert len(amounts) == SEVERITIES
    assert list(amounts) == sorted(set(amounts))
    each = [made(samples, name, severity) for severity in range(5)]
    # What left the view changes fewer cells than what is seen elsewhere.
    changes = [
        moved_by(befell, samples) if name in MOVED else changed_by(name, befell, samples)
        for befell in each
    ]
    assert changes[0] == 0
    assert changes == sorted(set(changes)), "each severity changes more than the one before"


@each_corruption
def test_it_repeats_to_the_bit(name: str, samples: Samples) -> None:
    first, again = (made(samples, name, 3) for _ in range(2))
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.lidar, again.lidar)


@each_corruption
@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_the_other_sensor_is_untouched_and_shape_and_type_stay(
    name: str, severity: int, samples: Samples
) -> None:
    befell = made(samples, name, severity)
    kept = (
        (befell.lidar, samples.lidar)
        if corruption_of(name).sensor == "rgb"
        else (befell.rgb, samples.rgb)
    )
    assert np.array_equal(*kept)
    for ours, recorded in ((befell.rgb, samples.rgb), (befell.lidar, samples.lidar)):
        assert ours.shape == recorded.shape
        assert ours.dtype == recorded.dtype


@each_corruption
def test_severity_0_is_the_sample_as_it_was_recorded(name: str, samples: Samples) -> None:
    befell = made(samples, name, 0)
    assert np.array_equal(befell.rgb, samples.rgb)
    assert np.array_equal(befell.lidar, samples.lidar)
    assert befell.table["digest"].tolist() == samples.table["digest"].tolist()


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS.names()) - set(SWAPPING)))
def test_what_befalls_a_sample_does_not_depend_on_the_others(name: str, samples: Samples) -> None:
    whole, part = made(samples, name, 2), made(samples, name, 2, slice(60, 30, -3))
    assert np.array_equal(whole.rgb[60:30:-3], part.rgb)
    assert np.array_equal(whole.lidar[60:30:-3], part.lidar)


@each_corruption
def test_it_leaves_the_reading_that_it_is_given_as_it_was(name: str, samples: Samples) -> None:
    corruption = corruption_of(name)
    of_sensor: Any = samples.rgb if corruption.sensor == "rgb" else samples.lidar
    for place in range(5):
        reading = of_sensor[place].copy()
        before = reading.copy()
        # To write into it would be an error.
        reading.flags.writeable = False
        recording = Recording(
            reading,
            LidarGeometry.of(samples),
            np.random.default_rng(place),
            partial(of_sensor.__getitem__, place + 1),
        )
        corruption.corrupt(recording, corruption.severities[-1])
        assert np.array_equal(reading, before)


def test_draws_differ_between_samples_severities_corruptions_and_seeds(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[tuple[object, ...], list[float]] = {}

    class Noting(Corruption):
        sensor, label, amount, unit = "rgb", "noting", "nothing", ""
        severities = (1, 2, 3, 4)

        def corrupt(self, recording: Recording, _amount: float) -> Reading:
            now.append(float(recording.draw.random()))
            return recording.reading

    monkeypatch.setattr("fusebench.inputs.corruption.corruption_of", lambda _: Noting())
    for name in ("rgb_off", "rgb_blur"):
        for severity in (1, 2):
            for seeds in ((), ("augment", "0", "1"), ("augment", "0", "2")):
                now: list[float] = []
                chosen = [[Condition(name, severity)]] * 5
                corrupted(samples, samples.table.iloc[:5], chosen, seeds)
                drawn[name, severity, seeds] = now
    values = [value for of_condition in drawn.values() for value in of_condition]
    assert len(values) == 60
    assert len(set(values)) == 60


@pytest.mark.parametrize(
    "name", [name for name in CORRUPTIONS.names() if corruption_of(name).sensor == "lidar"]
)
@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_ranges_stay_between_the_sensor_and_the_largest_range(
    name: str, severity: int, samples: Samples
) -> None:
    ranges = made(samples, name, severity).lidar
    assert ranges.min() >= 0
    assert ranges.max() <= samples.dataset.max_range


def hits(ranges: npt.NDArray[Any], samples: Samples) -> int:
    return int((ranges < samples.dataset.max_range).sum())


def test_a_sensor_that_is_off_shows_nothing(samples: Samples) -> None:
    assert not made(samples, "rgb_off", 4).rgb.any()
    assert not hits(made(samples, "lidar_off", 4).lidar, samples)


@pytest.mark.parametrize(("name", "share"), [("missing_returns", 0.5), ("dropped_beams", 0.5)])
def test_as_many_returns_are_lost_as_is_said(name: str, share: float, samples: Samples) -> None:
    left = hits(made(samples, name, 2).lidar, samples) / hits(samples.lidar, samples)
    assert abs(left - (1 - share)) < 0.1


def test_dropped_beams_are_whole_columns(samples: Samples) -> None:
    befell = made(samples, "dropped_beams", 2).lidar
    lost = (befell != samples.lidar).any(axis=1)
    # A column lost one of its returns only if it lost all.
    assert not (lost[:, None, :] & (befell < samples.dataset.max_range)).any()


def test_noise_has_the_deviation_that_is_said_and_makes_no_return(samples: Samples) -> None:
    befell = made(samples, "range_noise", 2).lidar
    hit = samples.lidar < samples.dataset.max_range
    assert np.array_equal(befell[~hit], samples.lidar[~hit])
    assert abs(float((befell - samples.lidar)[hit].std()) - 1) < 0.1


@pytest.mark.parametrize("name", SWAPPING)
def test_a_swapped_reading_is_another_samples(name: str, samples: Samples) -> None:
    befell, sensor = made(samples, name, 4), corruption_of(name).sensor
    ours, recorded = (getattr(of, sensor) for of in (befell, samples))
    known = [reading.tobytes() for reading in recorded]
    for place, reading in enumerate(ours):
        assert reading.tobytes() in known[:place] + known[place + 1 :]


def test_darkness_keeps_the_share_of_the_light_that_is_said(samples: Samples) -> None:
    bright = samples.rgb > 100
    left = made(samples, "rgb_darkness", 1).rgb[bright] / samples.rgb[bright]
    assert np.abs(left - 0.5).max() < 0.01


@pytest.mark.parametrize("name", ["rgb_occlusion", "lidar_occlusion"])
def test_what_covers_a_sensor_has_the_area_that_is_said(name: str) -> None:
    reading: Any = np.full((64, 64, 3), 9, np.uint8)
    if corruption_of(name).sensor == "lidar":
        reading = np.full((64, 64), 9, np.float32)
    for amount in corruption_of(name).severities:
        draw, geometry = np.random.default_rng(0), _Sensors()
        recording = Recording(reading, geometry, draw, lambda: reading)  # type: ignore[arg-type]
        covered = corruption_of(name).corrupt(recording, amount)
        share = float((covered != reading).reshape(64, 64, -1).any(axis=2).mean())
        assert abs(share - amount / 100) < 0.02


class _Sensors:
    """What an occlusion asks of the geometry."""

    max_range = 50.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files are found as if they were in corruptions/."""
    return elsewhere(CORRUPTIONS, tmp_path, monkeypatch)


@pytest.mark.parametrize("amounts", ["(1, 2, 3)", "(1, 2, 2, 3)", "(4, 3, 2, 1)"])
def test_severities_must_be_four_growing_amounts(amounts: str, folder: Path) -> None:
    name = f"hail_{abs(hash(amounts))}"
    (folder / f"{name}.py").write_text(
        "from fusebench.inputs.corruption import Corruption\n\n\n"
        f"class Hail(Corruption):\n    severities = {amounts}\n",
        "utf-8",
    )
    wanted = f"corruptions/{name}.py: severities = {amounts}: must be 4, each larger than the one"
    with pytest.raises(ParamsError, match=re.escape(wanted)):
        corruption_of(name)


def test_a_corruption_whose_file_is_gone_is_named() -> None:
    with pytest.raises(ParamsError, match="'sand_storm' is no corruption"):
        corruption_of("sand_storm")


def test_the_digest_of_a_corruptions_code_is_that_of_its_file(folder: Path) -> None:
    (folder / "dust.py").write_text("a", "utf-8")
    before = code_of("dust")
    (folder / "dust.py").write_text("b", "utf-8")
    assert code_of("dust") != before
