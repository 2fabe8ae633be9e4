from pathlib import Path

import pytest
import yaml
from tests.project import Project

from benchmarks.conductor import BenchmarkError
from benchmarks.stages import measure_data, measure_no_op


def ignore(_line: str) -> None:
    pass


def test_data_stages_are_run_in_turn_and_leave_nothing_here(here: Path) -> None:
    before = sorted(here.rglob("*"))
    lines: list[str] = []
    found = measure_data(2, lines.append)
    assert [line.partition(":")[0] for line in lines] == ["synthesize", "extract"] * 2
    assert list(found) == ["synthesize", "extract"]
    for measured in found.values():
        assert measured["seconds"]["repeats"] == measured["peak_mb"]["repeats"] == 2
        assert measured["seconds"]["min"] > 0
        assert measured["peak_mb"]["min"] > 1
    assert sorted(here.rglob("*")) == before


def test_the_archive_that_is_measured_is_that_of_the_params(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load((here / "params.yaml").read_text("utf-8"))
    params["data"]["max_range"] = 10.0
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    monkeypatch.chdir(tmp_path)
    # The renderer's ranges are up to 50 m, so extract refuses them.
    with pytest.raises(BenchmarkError, match=r"extract\.py .* failed: "):
        measure_data(1, ignore)


def test_a_repro_with_nothing_to_do_is_measured(
    clean: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clean.root)
    found = measure_no_op(2, ignore)
    assert found["repeats"] == 2
    assert found["min"] > 0


def test_a_repro_with_something_to_do_is_not_run(
    clean: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clean.root)
    clean.set_params({"train.epochs": 3})
    before = (clean.root / "dvc.lock").read_bytes()
    assert measure_no_op(1, ignore).keys() == {"not_measured"}
    assert (clean.root / "dvc.lock").read_bytes() == before


def test_what_is_missing_is_not_made(clean: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clean.root)
    (clean.root / "data/split.csv").unlink()
    assert measure_no_op(1, ignore).keys() == {"not_measured"}
    assert not (clean.root / "data/split.csv").exists()


def test_where_dvc_cannot_tell_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reason = measure_no_op(1, ignore)["not_measured"]
    assert reason == "the workspace is not up to date, 'dvc repro' brings it there"
