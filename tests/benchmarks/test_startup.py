import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.project import ROOT

from benchmarks.commands import Run, succeeded
from benchmarks.conductor import BenchmarkError
from benchmarks.stages import stage_command
from benchmarks.startup import WITH_TORCH, WITHOUT_TORCH, first_miss, measure_startup, scripts

STARTED = WITHOUT_TORCH | WITH_TORCH


@pytest.fixture(scope="module")
def folder(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds only params.yaml and what stage check makes of it."""
    folder = tmp_path_factory.mktemp("empty")
    shutil.copy(tiny_root / "params.yaml", folder)
    succeeded(stage_command("check", "checked"), folder)
    return folder


def test_every_stage_is_started_but_those_that_read_no_file() -> None:
    tools = {"calibrate", "diff", "keep", "table", "verdict"}
    assert set(scripts()) - set(STARTED) == {"baseline", "check", "synthesize", *tools}
    assert all((ROOT / f"src/{name}.py").is_file() for name in STARTED)


@pytest.mark.parametrize("name", STARTED)
def test_a_start_ends_at_the_first_file_that_is_missed(name: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert "no such file" in first_miss(name, STARTED[name], folder).errors
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "arguments"), [("check", ["again"]), ("split", []), ("train", ["film"])]
)
def test_a_start_that_ends_in_another_way_is_an_error(
    name: str, arguments: list[str], folder: Path
) -> None:
    with pytest.raises(BenchmarkError, match=f"^start of {name}: ended otherwise: "):
        first_miss(name, arguments, folder)
    shutil.rmtree(folder / "again", ignore_errors=True)


@pytest.fixture
def commands(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is run, in its order; each run takes a second more than the one before."""
    assert here
    ran: list[str] = []

    def run(command: list[str], _folder: Path) -> Run:
        ran.append(" ".join([Path(command[1]).stem, *command[2:]]))
        code = int("start" in ran[-1] or not {"--help", "-c", "check"} & set(ran[-1].split()))
        return Run(code, float(len(ran)), 1.0, "", "error: a: no such file\n" if code else "")

    monkeypatch.setattr("benchmarks.startup.measured", run)
    monkeypatch.setattr("benchmarks.startup.succeeded", run)
    return iter([ran])


def test_everything_is_started_in_turn(commands: Iterator[list[str]]) -> None:
    (ran,) = commands
    lines: list[str] = []
    found = measure_startup(2, lines.append)
    assert ran[0] == "check checked"
    half = len(ran[1:]) // 2
    assert ran[1 : 1 + half] == ran[1 + half :]
    assert ran[1] == "-c import torch"
    assert ran[2 : 2 + len(scripts())] == [f"{name} --help" for name in scripts()]
    assert [line.split()[0] for line in ran[2 + len(scripts()) : 1 + half]] == list(STARTED)
    assert lines == ["starts: round 1 of 2", "starts: round 2 of 2"]
    # The torch of the same round: seconds are the places in the order.
    first, second = 2.0, 2.0 + half
    train = 1.0 + ran[:half].index("train concat")
    assert found["import_torch"]["values"] == [first, second]
    assert found["start"]["train"]["values"] == [train, train + half]
    assert found["ratio"]["train"]["values"] == pytest.approx(
        [train / first, (train + half) / second], abs=1e-4
    )
    assert list(found["ratio"]) == list(WITH_TORCH)
    assert list(found["help"]) == scripts()
