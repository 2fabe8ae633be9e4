"""Samples in any number: as good as those that extract writes, and with their structure."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.processes import BenchmarkError
from benchmarks.scaling import data
from benchmarks.scaling.data import check_disk, scaled_table, write_archive, write_samples
from benchmarks.scaling.plan import Plan
from fusebench.config import PARAMS_FILE, load
from fusebench.data.extract import extract
from fusebench.params import Params
from fusebench.samples.samples import Samples, open_samples
from fusebench.samples.sensors import Sensors


@pytest.mark.parametrize("count", [7, 50, 100, 250])
def test_rows_are_spread_so_that_classes_and_groups_keep_their_shares(
    samples: Samples, count: int
) -> None:
    table = scaled_table(samples, count)
    assert list(table["row"]) == list(range(count))
    assert not table.duplicated(["id", "class"]).any()
    shares = [frame["class"].value_counts(normalize=True) for frame in (table, samples.table)]
    assert abs(shares[0] - shares[1]).max() <= 2 / count
    if count % len(samples.table) == 0:
        # Sixty cubes and forty spheres of the same ids make sixty groups.
        assert table["id"].nunique() == count * 60 // 100


def test_packed_samples_are_read_as_those_of_extract(samples: Samples, tmp_path: Path) -> None:
    write_samples(samples, 250, tmp_path / "many")
    many = open_samples(tmp_path / "many")
    source = scaled_table(samples, 250)["source"].to_numpy()
    # Reading checks each digest.
    assert np.array_equal(many.images(range(250)), samples.rgb[source])
    assert np.array_equal(many.ranges(range(250)), samples.lidar[source])
    assert many.dataset == samples.dataset
    assert np.array_equal(many.azimuth, samples.azimuth)
    assert np.array_equal(many.zenith, samples.zenith)


@pytest.mark.usefixtures("tiny_root")
def test_an_archive_is_extracted_to_the_same_table(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_MEMBERS", 3)
    write_archive(samples, 150, tmp_path / "many.zip")
    params = load(PARAMS_FILE, Params).data.model_copy(
        update={"archive": str(tmp_path / "many.zip")}
    )
    sensors = load(Path(params.sensors), Sensors)
    summary = extract(params, sensors, tmp_path / "samples", tmp_path / "data.json")
    table, found = scaled_table(samples, 150), open_samples(tmp_path / "samples")
    for column in ("row", "id", "class", "label"):
        assert sorted(found.table[column]) == sorted(table[column]), column
    assert summary["content_duplicates"]["samples"] == 150 - 2 * 3
    # Cubes come first, in both.
    cubes = found.images(range(summary["pairs"]["cubes"]))
    assert {cube.tobytes() for cube in cubes} == {cube.tobytes() for cube in samples.rgb[:3]}


def test_a_full_disk_is_found_before_anything_is_written(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=11_900_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: free)
    monkeypatch.setattr("tempfile.tempdir", "/scratch")
    # The largest archive beside what is extracted of it: 2 × 200,000 × 28,672 bytes, and 5 %.
    with pytest.raises(BenchmarkError) as caught:
        check_disk(samples, Plan(sizes=(1000, 200_000)))
    assert str(caught.value) == (
        "/scratch: 11.9 GB are free, 200,000 samples need 12.0 GB; TMPDIR names another folder"
    )
    check_disk(samples, Plan(sizes=(1000, 100_000)))
    # All sizes at once, where that is more: 3 × 150,000.
    with pytest.raises(BenchmarkError, match=r"need 13\.5 GB"):
        check_disk(samples, Plan(sizes=(150_000, 150_000, 150_000)))
