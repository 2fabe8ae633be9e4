"""Every tracker is told the same: what it was told is read back as it reads its own."""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.tracking.conftest import enter
from tests.tracking.made_up import (
    COMPARED_EPOCHS,
    EPOCHS,
    TABLE,
    compared,
    comparison,
    training,
    weights,
)
from tests.tracking.readers import READERS, Reading, read_mlflow

from fusebench.device import TRACKERS
from fusebench.tracking.ledger import Ledger
from fusebench.tracking.run import Event, Run
from fusebench.tracking.session import Session
from fusebench.tracking.tracker import check_tracker, tracker_class

pytestmark = pytest.mark.slow
INTERRUPTED, REPLACED, CUT = (training(name) for name in ("interrupted", "replaced", "cut"))
COMPARED = comparison()


class Told(NamedTuple):
    """What was read back of a tracker."""

    tracker: str
    runs: dict[str, Reading]


def tell(tracker: str, *events: Event) -> None:
    """Tell a tracker of events, in a process of their own."""
    session = Session(tracker, "test")
    assert session.tell_all(events, 120) == "", Path(session.log).read_text()


def some_epochs(run: Run, epochs: Iterable[int]) -> list[Event]:
    return [run.epoch(epoch, EPOCHS[epoch]) for epoch in epochs]


@pytest.fixture(scope="module", params=[*TRACKERS.names(), "mlflow server"])
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    """A tracker that was told of four runs by two processes, one after the other."""
    name, folder = request.param.partition(" ")[0], tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        root, address = enter(folder, patch), ""
        if request.param == "mlflow server":
            address = request.getfixturevalue("mlflow_server")
            patch.setenv("MLFLOW_TRACKING_URI", address)
        end = weights(folder)
        tell(
            name,
            INTERRUPTED.begin(), *some_epochs(INTERRUPTED, [1]),
            REPLACED.begin(), *some_epochs(REPLACED, [1]), REPLACED.end(end),
            CUT.begin(), *some_epochs(CUT, [1]),
            COMPARED.begin(), *[COMPARED.epoch(*each) for each in COMPARED_EPOCHS.items()],
            COMPARED.end(compared(folder, page=False)),
        )  # fmt: skip
        # What was told before is said once more, too.
        tell(
            name,
            INTERRUPTED.begin(), *some_epochs(INTERRUPTED, [1, 2]), INTERRUPTED.end(end),
            INTERRUPTED.end(end),
            REPLACED.begin(again=True), *some_epochs(REPLACED, [2]), REPLACED.end(end),
            COMPARED.begin(), *[COMPARED.epoch(*each) for each in COMPARED_EPOCHS.items()],
            COMPARED.end(compared(folder)),
        )  # fmt: skip
        yield Told(name, read_mlflow(root, address) if address else READERS[name](root))


def test_there_is_a_reader_for_each_tracker() -> None:
    assert sorted(READERS) == TRACKERS.names()
    for name in TRACKERS.names():
        check_tracker(name)


def test_runs_are_told_once_each(told: Told) -> None:
    assert {*told.runs} == {run.name for run in (INTERRUPTED, REPLACED, CUT, COMPARED)}


def test_params_are_the_same_in_each(told: Told) -> None:
    for run in (INTERRUPTED, REPLACED, CUT, COMPARED):
        params = {key: str(value) for key, value in run.params.items()}
        assert told.runs[run.name].params == params


def test_a_training_that_was_interrupted_goes_on_in_its_run(told: Told) -> None:
    run = told.runs[INTERRUPTED.name]
    for metric in ("epoch", "loss", "val_loss", "accuracy"):
        values = [(epoch, figures[metric]) for epoch, figures in EPOCHS.items()]
        assert run.epochs[metric] == values, metric


def test_what_came_of_a_training_is_the_same_in_each(told: Told) -> None:
    run = told.runs[INTERRUPTED.name]
    assert (run.figures["best_epoch"], run.figures["best_val_loss"]) == (2, 0.125)
    assert run.files == {"model/seed_0.safetensors": b"weights"}


def test_the_comparison_is_the_same_in_each(told: Told) -> None:
    run = told.runs[COMPARED.name]
    assert run.figures["test_nll"] == 0.25
    table = run.tables["fusion_comparison"]
    assert list(table.columns) == list(TABLE.columns)
    assert [list(row) for row in table.rows] == [list(row) for row in TABLE.rows]
    assert run.pictures == {"best"}
    # The page came later, and the run was told of once more.
    assert run.files == {"comparison.md": b"# Comparison", "report.html": b"<html>"}


def test_a_chart_has_a_line_per_model_in_each(told: Told) -> None:
    run = told.runs[COMPARED.name]
    assert run.epochs["accuracy/add"] == [(1, 62.5), (2, 87.5)]
    assert run.epochs["accuracy/late"] == [(1, 50.0)]
    # MLflow's page draws them from these.
    assert run.charts == (set() if told.tracker == "mlflow" else {"accuracy"})


def test_told_again_a_run_takes_the_place_of_the_one_before(told: Told) -> None:
    assert told.runs[REPLACED.name].epochs["loss"] == [(2, 0.25)]


def test_only_a_run_whose_end_was_told_is_called_finished(told: Told) -> None:
    states = {run.name: told.runs[run.name].status for run in (INTERRUPTED, CUT)}
    if told.tracker == "mlflow":
        assert states == {"interrupted": "FINISHED", "cut": "KILLED"}
    elif told.tracker == "wandb":
        assert states == {"interrupted": "finished", "cut": "failed"}
    else:
        # They know of no such thing.
        assert {*states.values()} == {""}
    assert told.runs[CUT.name].epochs["loss"] == [(1, 0.75)]


def test_tags_are_whole_where_a_tracker_has_them(told: Told) -> None:
    tags = told.runs[INTERRUPTED.name].tags
    if told.tracker in ("mlflow", "wandb"):
        whole = {f"fusebench.{name}": text for name, text in INTERRUPTED.tags.items()}
        assert whole.items() <= tags.items()
    if told.tracker == "wandb":
        assert tags["shown"] == "fusion:add, commit:0123456, changed"


def test_a_kill_between_two_requests_leaves_no_run_that_is_not_found_again(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, patches = training(), tmp_path / "patches"
    patches.mkdir()
    # Python imports it at its start.
    (patches / "sitecustomize.py").write_text(
        "import os, sys\n"
        "from mlflow import MlflowClient\n"
        "MlflowClient.log_batch = MlflowClient.update_run = lambda *_, **__: os._exit(9)\n"
    )
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("PYTHONPATH", str(patches))
    cut = Session("mlflow", "test")
    assert cut.tell_all([run.begin()], 120) == "its process ended with exit code 9"
    monkeypatch.delenv("PYTHONPATH")
    tell("mlflow", run.begin(), *some_epochs(run, [1]), run.end(weights(tmp_path)))
    (reading,) = read_mlflow(checkout).values()
    assert (reading.status, reading.epochs["loss"]) == ("FINISHED", [(1, 0.75)])


def test_a_run_goes_on_in_the_group_where_it_began(checkout: Path, tmp_path: Path) -> None:
    first, later = training(group="abc"), training(group="def")
    tell("dvclive", first.begin(), *some_epochs(first, [1]))
    tell("dvclive", later.begin(), *some_epochs(later, [2]), later.end(weights(tmp_path)))
    assert [path.name for path in (checkout / "tracking/dvclive").iterdir()] == ["abc"]


@pytest.mark.parametrize("tracker", ["dvclive", "tensorboard"])
def test_told_again_a_run_of_another_group_is_replaced(tracker: str, checkout: Path) -> None:
    first, later = training(group="abc"), training(group="def")
    tell(tracker, first.begin(), *some_epochs(first, [1]))
    tell(tracker, later.begin(again=True), *some_epochs(later, [2]))
    folders = list((checkout / "tracking" / tracker).glob("*/*"))
    assert [path.parent.name for path in folders] == ["def"]
    assert READERS[tracker](checkout)[later.name].epochs["loss"] == [(2, 0.25)]


def test_a_replacement_that_was_cut_is_one_the_next_time(checkout: Path) -> None:
    run = training()
    tell("dvclive", run.begin(), *some_epochs(run, [1]))
    # As a kill leaves it before the tracker has answered.
    Ledger(checkout, "dvclive", tracker_class("dvclive").destination()).forget(run.id)
    tell("dvclive", run.begin(), *some_epochs(run, [2]))
    tell("dvclive", run.begin(), *some_epochs(run, [1]))
    assert sorted(READERS["dvclive"](checkout)[run.name].epochs["loss"]) == [(1, 0.75), (2, 0.25)]


@pytest.mark.parametrize("tracker", ["dvclive", "wandb"])
def test_a_kill_of_the_process_that_tells_loses_no_epoch(tracker: str, checkout: Path) -> None:
    run = training()
    with Session(tracker, "test") as session:
        session.tell(run.begin())
        session.tell(run.epoch(1, EPOCHS[1]))
        log = checkout / session.log
        while f"told: {run.name}, epoch 1\n" not in log.read_text("utf-8"):
            time.sleep(0.05)
        assert session._process is not None
        session._process._process.kill()
    assert session.trouble == "its process ended with SIGKILL"
    tell(tracker, run.begin(), *some_epochs(run, [1, 2]))
    epochs = READERS[tracker](checkout)[run.name].epochs["loss"]
    # What came of the one that was killed may be there, too: W&B's server takes a step once.
    assert {*epochs} == {(1, 0.75), (2, 0.25)}


def test_what_another_process_tells_of_is_waited_for(checkout: Path) -> None:
    run = training()
    ledger = Ledger(checkout, "dvclive", tracker_class("dvclive").destination())
    with Session("dvclive", "test") as session, closing(ledger.lock(run.id, lambda: None)):
        for event in (run.begin(), *some_epochs(run, [1])):
            session.tell(event)
        log = checkout / session.log
        while not (said := log.read_text("utf-8")):
            time.sleep(0.05)
        assert said == f"waits for another process: {run.name}\n"
        # Meanwhile that one tells.
        ledger.add(run.id, group=run.group)
        ledger.add(run.id, epoch=1)
        ledger.add(run.id, ended="d1")
    assert session.trouble == ""
    assert READERS["dvclive"](checkout) == {}


def test_two_trainings_of_one_name_and_group_are_two_runs(checkout: Path) -> None:
    runs = [training(seed) for seed in ("one", "other")]
    events = [[{**run.begin(), "name": "add seed 0"}, *some_epochs(run, [1])] for run in runs]
    tell("dvclive", *events[0], *events[1])
    assert len(list((checkout / "tracking/dvclive/slower").iterdir())) == 2


def test_where_runs_go_is_said_without_a_password(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@runs.example/mlflow")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "fusion")
    destination = tracker_class("mlflow").destination()
    assert destination == "https://runs.example/mlflow, experiment fusion"
    wandb = tracker_class("wandb")
    assert wandb.destination() == "tracking/wandb (offline), project fusebench"
    monkeypatch.setenv("WANDB_PROJECT", "fusion")
    (checkout.parent / "home/.netrc").write_text("machine api.wandb.ai login user password secret")
    assert wandb.destination() == "https://api.wandb.ai, project fusion"
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_BASE_URL", "http://me:secret@wandb.example:8080/")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert wandb.destination() == "http://wandb.example:8080, project team/fusion"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb.destination() == "tracking/wandb (offline), project team/fusion"


def test_wandbs_own_settings_count(checkout: Path) -> None:
    home = checkout.parent / "home"
    (home / ".netrc").write_text("machine wandb.example login user password secret")
    # As `wandb login --host` and `wandb offline` write them; they are read back by wandb itself.
    (home / ".config/wandb").mkdir(parents=True)
    of_user, of_project = home / ".config/wandb/settings", checkout / "wandb/settings"
    of_user.write_text("[default]\nbase_url = https://wandb.example\nentity = team\n", "utf-8")
    destination = tracker_class("wandb").destination
    assert destination() == "https://wandb.example, project team/fusebench"
    of_project.parent.mkdir()
    of_project.write_text("[default]\nmode = offline\n", "utf-8")
    assert destination() == "tracking/wandb (offline), project team/fusebench"
    assert wandbs_own() == ["offline", "https://wandb.example", "team"]
    # Where there is the other folder, it is that one.
    hidden = checkout / ".wandb/settings"
    hidden.parent.mkdir()
    hidden.write_text("[default]\nmode = dryrun\n", "utf-8")
    assert destination() == "tracking/wandb (dryrun), project team/fusebench"
    assert wandbs_own() == ["dryrun", "https://wandb.example", "team"]
    (checkout / "tracking/.wandb").mkdir(parents=True)
    assert destination() == "tracking/.wandb (dryrun), project team/fusebench"


def wandbs_own() -> list[str]:
    """Return mode, server and entity as W&B itself reads them."""
    text = "from wandb.sdk import wandb_setup; s = wandb_setup.singleton().settings; "
    asked = [sys.executable, "-c", f"{text}print(s.mode, s.base_url, s.entity)"]
    return subprocess.check_output(asked, text=True).split()


def test_what_wandb_keeps_in_its_other_folder_is_replaced_too(checkout: Path) -> None:
    run, folder = training(), checkout / "tracking/.wandb"
    folder.mkdir(parents=True)
    tell("wandb", run.begin(), *some_epochs(run, [1]))
    (first,) = folder.glob("offline-run-*")
    (first / "of the first").touch()
    assert {path.name for path in folder.parent.iterdir()} == {".told", ".wandb"}
    tell("wandb", run.begin(again=True), *some_epochs(run, [2]))
    # It may have the same name: that has the second in it.
    (second,) = folder.glob("offline-run-*")
    assert not (second / "of the first").exists()
