"""python src/track.py, and stage report's telling: what the workspace holds, once."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests import in_process
from tests.project import ROOT
from tests.tracking.conftest import enter
from tests.tracking.made_up import package, time_after_a_word
from tests.tracking.readers import READERS, read_dvclive, read_mlflow

from fusebench.files import dvc_digest
from fusebench.samples.manifest import Manifest
from fusebench.tracking import process, trainings
from fusebench.tracking.ledger import Ledger
from fusebench.tracking.tracker import tracker_class
from fusebench.tracking.trainings import Trained
from fusebench.training.recipe import code_digest
from fusebench.training.train import OutputPaths

pytestmark = pytest.mark.slow
TRAININGS = [f"{fusion} seed {seed}" for fusion in in_process.FUSIONS for seed in (0, 1)]
EIGHT = [
    "Model", "Strategy", "Validation Loss", "F1 Score", "Parameters", "Time (s/epoch)",
    "Memory (MB)", "Accuracy",
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with results and a page of them. Read-only: copy it."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        root = enter(folder, patch)
        in_process.make(root)
        (root / ".dvc/plots").unlink()
        shutil.copytree(ROOT / ".dvc/plots", root / ".dvc/plots")
        assert [in_process.run(stage) for stage in ("headline", "gallery", "report")] == [0, 0, 0]
        in_process.write_lock()
    return root


@pytest.fixture
def workspace(results: Path, checkout: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A copy of it, to work in."""
    shutil.copytree(results, checkout, symlinks=True, dirs_exist_ok=True)
    capsys.readouterr()
    return checkout


def set_tracker(root: Path, tracker: str) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    content["runtime"]["tracker"] = tracker
    (root / "params.yaml").write_text(yaml.safe_dump(content), "utf-8")


def name_of_comparison(root: Path) -> str:
    sources: dict[str, Any] = json.loads((root / "metrics/sources.json").read_text())
    return f"comparison {sources['fingerprint']}"


def test_all_that_is_here_is_told_once(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_tracker(workspace, "dvclive")
    names = [*TRAININGS, name_of_comparison(workspace)]
    assert in_process.run("track") == 0
    assert capsys.readouterr().out.splitlines() == [
        "tracker dvclive: tracking/dvclive", *[f"told: {name}" for name in names]
    ]  # fmt: skip
    assert sorted(read_dvclive(workspace)) == sorted(names)
    assert in_process.run("track") == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "nothing to tell; 5 runs were told before; --again tells them anew"
    )
    assert in_process.run("track", "--again") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"told: {name}" for name in names]
    assert sorted(read_dvclive(workspace)) == sorted(names)


def test_what_a_training_told_is_not_told_again(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_tracker(workspace, "dvclive")
    # As DVC does before a stage; the script is not to find what is left of the one before.
    shutil.rmtree(workspace / "models/add")
    assert in_process.run("train", "add") == 0
    in_process.write_lock()
    capsys.readouterr()
    assert in_process.run("track") == 0
    told = {line.removeprefix("told: ") for line in capsys.readouterr().out.splitlines()[1:]}
    assert told == {*TRAININGS[2:], name_of_comparison(workspace)}
    # It is told the same, whether live or afterwards.
    live, kept = (read_dvclive(workspace)[name] for name in ("add seed 0", "hadamard seed 0"))
    assert live.params.keys() == kept.params.keys()
    assert live.epochs.keys() == kept.epochs.keys()
    assert live.figures.keys() == kept.figures.keys()
    assert live.files.keys() == kept.files.keys()


def test_stage_report_tells_the_notebooks_table_and_charts(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_tracker(workspace, "dvclive")
    # What somebody put there is no result.
    shutil.copyfile(workspace / "plots/best.png", workspace / "plots/holiday.png")
    assert in_process.run("report") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "tracker dvclive: tracking/dvclive"
    readings = read_dvclive(workspace)
    assert [*readings] == [name_of_comparison(workspace)]
    found = readings[name_of_comparison(workspace)]
    comparison = pd.read_csv(workspace / "metrics/comparison.csv")
    table = found.tables["fusion_comparison"]
    assert list(table.columns) == EIGHT == list(comparison.columns[:8])
    told = pd.DataFrame(table.rows, columns=EIGHT)
    pd.testing.assert_frame_equal(told, comparison[EIGHT], check_dtype=False, rtol=1e-12)
    for fusion in in_process.FUSIONS:
        records = pd.read_csv(workspace / f"plots/training/{fusion}.csv")
        for chart, column in (("accuracy", "accuracy"), ("loss", "train_loss")):
            means = records.groupby("epoch")[column].mean()
            (epoch, mean), *others = found.epochs[f"{chart}/{fusion}"]
            assert (epoch, others, means.index.tolist()) == (1, [], [1])
            assert mean == pytest.approx(means[1])
    assert found.charts == {"accuracy", "loss"}
    assert {"best", "samples"} < found.pictures
    pictures = {path.stem for path in (workspace / "plots").glob("*.png")}
    assert found.pictures == pictures - {"holiday"}
    assert {*found.files} == {"comparison.md", "report.html"}
    assert found.params["train.epochs"] == "1"
    headline = json.loads((workspace / "metrics/headline.json").read_text())
    assert headline.items() <= found.figures.items()
    in_process.write_lock()
    assert in_process.run("track") == 0
    assert name_of_comparison(workspace) not in capsys.readouterr().out


def page_told(root: Path) -> bytes | None:
    """Return the page that DVCLive has of the one comparison it was told of."""
    (reading,) = [of for name, of in read_dvclive(root).items() if name == name_of_comparison(root)]
    return reading.files.get("report.html")


def test_a_page_that_was_not_just_written_is_not_told(workspace: Path) -> None:
    set_tracker(workspace, "dvclive")
    assert in_process.run("report", "plots/other.html") == 0
    assert page_told(workspace) is None
    assert in_process.run("report") == 0
    assert page_told(workspace) == (workspace / "plots/report.html").read_bytes()


def test_a_page_that_comes_later_is_told_in_the_same_run(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = workspace / "plots/report.html"
    page.unlink()
    assert in_process.run("track", "--tracker", "dvclive") == 0
    said = "Not told: plots/report.html: no such file; 'dvc repro' makes it."
    assert capsys.readouterr().out.splitlines()[1] == said
    assert page_told(workspace) is None
    assert in_process.run("report") == 0
    capsys.readouterr()
    assert in_process.run("track", "--tracker", "dvclive") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"told: {name_of_comparison(workspace)}"]
    assert page_told(workspace) == page.read_bytes()


def without_page(stages: dict[str, Any]) -> None:
    stages["report"]["outs"] = []


def with_other_params(stages: dict[str, Any]) -> None:
    stages["report"]["params"] = {"params.yaml": {"fusions": ["add", "late"]}}


def with_another_study(stages: dict[str, Any]) -> None:
    path = Path("metrics/tuning/summary.csv")
    stages["report"]["deps"] = [{"path": str(path), "md5": dvc_digest(path)}]
    path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_page, "dvc.lock does not name it"),
        (with_other_params, "made with other fusions than those of params.yaml"),
        (with_another_study, "metrics/tuning/summary.csv is another now"),
    ],
)
def test_a_page_of_other_results_is_named_and_not_told(
    change: Callable[[dict[str, Any]], None],
    reason: str,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())
    change(lock["stages"])
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert in_process.run("track", "--tracker", "dvclive") == 0
    said = f"Not told: plots/report.html: {reason}; 'dvc repro' makes it."
    assert capsys.readouterr().out.splitlines()[1] == said
    assert page_told(workspace) is None


@pytest.mark.usefixtures("workspace")
def test_samples_are_put_into_lines_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, calls = Trained.read("add", OutputPaths.of("add")), list[int]()
    to_csv = pd.DataFrame.to_csv

    def counted(table: pd.DataFrame, *arguments: Any, **options: Any) -> Any:
        calls.append(len(table))
        return to_csv(table, *arguments, **options)

    monkeypatch.setattr(pd.DataFrame, "to_csv", counted)
    ids = [trained.run(seed, "", {}).id for seed in trained.seeds]
    table = trained.manifest.table
    assert calls == [len(table)]
    # A run is named by its own samples alone.
    for part, same in (("test", True), ("train", False), ("val", False)):
        changed = table.copy()
        changed.loc[changed["seed_0"] == part, "digest"] = "0" * 32
        other = dataclasses.replace(trained, manifest=Manifest(changed))
        assert (other.run(0, "", {}).id == ids[trained.seeds.index(0)]) is same


def test_a_real_mlflow_server_is_told_of_all(
    workspace: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    assert in_process.run("track", "--tracker", "mlflow") == 0
    found = read_mlflow(workspace, mlflow_server)
    assert {*found} >= {*TRAININGS, name_of_comparison(workspace)}
    assert list(found[name_of_comparison(workspace)].tables["fusion_comparison"].columns) == EIGHT


def test_a_training_is_the_same_run_after_its_code_has_changed(checkout: Path) -> None:
    deps = ["src/folder", "src/fusions/${item.fusion}.py", "requirements.txt", "data/split.csv"]
    (checkout / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": {"deps": deps}}}))
    for name in ("src/folder/a.py", "src/fusions/add.py", "requirements.txt", "data/split.csv"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    # As DVC notes what a training ran.
    ran = [
        {"path": path, "md5": dvc_digest(Path(path))}
        for path in ("data/split.csv", "requirements.txt", "src/folder", "src/fusions/add.py")
    ]
    stages = {"train@add": {"cmd": "python src/train.py add", "deps": ran}}
    (checkout / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    live = code_digest("add", ["rgb_off"])
    assert trainings._code("add", ["rgb_off"]) == live != trainings._code("add", [])
    (checkout / "src/folder/a.py").write_text("changed since then")
    assert trainings._code("add", ["rgb_off"]) == live != code_digest("add", ["rgb_off"])
    # Where nothing says what ran, it is what is there.
    (checkout / "dvc.lock").unlink()
    assert trainings._code("add", []) == code_digest("add")


def test_what_is_stale_is_named_and_not_told(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())
    lock["stages"]["train@add"]["deps"] = [{"path": "checked/settings/add.json", "md5": "0" * 32}]
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock))
    sources = json.loads((workspace / "metrics/sources.json").read_text())
    sources["compare"]["primary"] = "nll"
    (workspace / "metrics/sources.json").write_text(json.dumps(sources))
    assert in_process.run("track", "--tracker", "dvclive") == 0
    _, first, second, *others = capsys.readouterr().out.splitlines()
    assert first == (
        "Stale, not told: models/add: trained with other train, override, lidar or model than "
        "those of params.yaml."
    )
    assert second.startswith("The comparison is not told. Stale: pairs and verdict: ")
    assert others == [f"told: {name}" for name in TRAININGS[2:]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "params.yaml: runtime.tracker = 'none': nobody to tell; must be one of ['dvclive', "),
        (["--tracker", "none"], "--tracker 'none': nobody to tell; must be one of ['dvclive', "),
        (["--tracker", ""], "'' is no tracker "),
        (["--tracker", "wanda"], "'wanda' is no tracker (did you mean 'wandb'?); must be one of "),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_without_a_tracker_there_is_nobody_to_tell(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process.run("track", *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    # Who names one by the argument is not told of that.
    assert error.endswith("'wandb']\n" if arguments else "'wandb'], or --tracker NAME\n")


def test_a_tracker_that_fails_is_an_error_here(
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = package(tmp_path / "packages", "raise RuntimeError('no such project')")
    monkeypatch.setenv("PYTHONPATH", wrong)
    assert in_process.run("track", "--tracker", "dvclive") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: tracker dvclive: RuntimeError: no such project; its log is ")
    # Then it does not fail.
    monkeypatch.delenv("PYTHONPATH")
    assert in_process.run("track", "--tracker", "dvclive") == 0
    assert len(READERS["dvclive"](workspace)) == 5


def test_a_run_of_which_another_process_tells_is_named(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Trained.read("add", OutputPaths.of("add")).run(0, "", {})
    ledger = Ledger(Path(), "dvclive", tracker_class("dvclive").destination())
    monkeypatch.setattr(process, "time", time_after_a_word(workspace))
    with closing(ledger.lock(run.id, lambda: None)):
        assert in_process.run("track", "--tracker", "dvclive") == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == ["waits for another process: add seed 0"]
    assert err == (
        "error: tracker dvclive: another process tells of add seed 0; wait for it, then run this "
        "again\n"
    )


def test_what_is_missing_or_changed_is_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = workspace / "plots/training/add.csv"
    curve.write_text(curve.read_text().replace("1,1,", "1,2,"))
    assert in_process.run("track", "--tracker", "dvclive") == 1
    assert "plots/training/add.csv: is not what dvc.lock says" in capsys.readouterr().err
    curve.unlink()
    assert in_process.run("track", "--tracker", "dvclive") == 1
    assert "plots/training/add.csv: no such file; 'dvc repro' makes it" in capsys.readouterr().err


def test_a_page_or_picture_that_is_missing_or_changed_is_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = workspace / "plots/report.html"
    made = page.read_bytes()
    page.write_text("an old page")
    assert in_process.run("track", "--tracker", "dvclive") == 1
    said = "error: plots/report.html: is not what dvc.lock says stage report made; "
    assert capsys.readouterr().err.startswith(said)
    page.write_bytes(made)
    (workspace / "plots/roc.png").unlink()
    assert in_process.run("track", "--tracker", "dvclive") == 1
    said = "error: plots/roc.png: no such file; 'dvc repro' makes it\n"
    assert capsys.readouterr().err == said


def test_stage_check_says_what_a_tracker_is_told_of(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process.run("check") == 0
    assert "tracker" not in capsys.readouterr().out
    set_tracker(workspace, "dvclive")
    assert in_process.run("check") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "tracker dvclive: is told of what is trained from now on; 'python src/track.py' tells it "
        "of what is here"
    )


def test_stage_check_refuses_a_tracker_that_there_is_not(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_tracker(workspace, "wanda")
    assert in_process.run("check") == 1
    assert capsys.readouterr().err == (
        "error: params.yaml: runtime.tracker: 'wanda' is no tracker (did you mean 'wandb'?); must "
        "be one of ['none', 'dvclive', 'mlflow', 'tensorboard', 'wandb']\n"
    )
    set_tracker(workspace, "wandb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fusebench.tracking.tracker.find_spec", lambda _name: None)
        assert in_process.run("check") == 1
    assert "runtime.tracker = 'wandb': needs wandb, not installed here" in capsys.readouterr().err
