"""python src/predict.py: what it prints, writes and refuses."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tests.inference.made_up_temperatures import write_lock, write_temperatures

import predict as script
from fusebench import cli
from fusebench.config import PARAMS_FILE
from fusebench.device import Device
from fusebench.inference.predict import answer_files
from fusebench.inference.table import DIGITS, answers_table

pytestmark = pytest.mark.usefixtures("root")

SPHERES = "new/assessment/spheres"
NOT_CALIBRATED = "not calibrated: metrics/probabilities.csv: no such file; 'dvc repro' makes it\n"


@pytest.fixture
def ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cpu: Device
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run the script; return its exit code, and what it printed to stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["src/predict.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.run(script.main)
        return int(ended.value.code or 0), *capsys.readouterr()

    yield run
    # The thread count enters the last bits of what other tests compare.
    torch.set_num_threads(cpu.threads)


Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def refusal(ask: Ask) -> Callable[..., str]:
    """Run the script, which must fail, print no table and change no file; return its line."""

    def run(*arguments: str) -> str:
        before = _files()
        code, out, err = ask(*arguments)
        assert (code, out) == (1, "")
        assert _files() == before
        *_, line = err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    return run


Refusal = Callable[..., str]


def _files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def first_pair() -> tuple[str, str]:
    image = min(Path(SPHERES, "rgb").iterdir())
    return str(image), f"{SPHERES}/lidar/{image.stem}.npy"


def table_of(paths: str | list[str], device: Device, **options: Any) -> pd.DataFrame:
    said: list[str] = []
    return answers_table(
        answer_files(paths, "models/add", device=device, say=said.append, **options)
    )


# --- What it says ---


def test_it_prints_csv_and_why_it_is_not_calibrated(ask: Ask, cpu: Device) -> None:
    code, out, err = ask("add", *first_pair())
    assert (code, err) == (0, NOT_CALIBRATED)
    expected = table_of([*first_pair()], cpu).round(DIGITS)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(out), dtype={"id": str}), expected)


def test_kept_temperatures_are_used_unless_it_is_told_otherwise(root: Path, ask: Ask) -> None:
    write_temperatures(root, {0: 0.5, 1: 3.0})
    code, out, err = ask("add", SPHERES)
    assert (code, err) == (0, "")
    assert pd.read_csv(io.StringIO(out))["calibrated"].all()
    code, raw, err = ask("add", SPHERES, "--raw")
    assert (code, err) == (0, "")
    assert not pd.read_csv(io.StringIO(raw))["calibrated"].any()


@pytest.mark.parametrize("name", ["out.csv", "out.json", "new/out.csv"])
def test_a_file_is_written_aside_and_takes_its_place(
    name: str, ask: Ask, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[tuple[str, str]] = []
    rename = os.replace

    def take(source: str, target: str) -> None:
        moved.append((str(source), str(target)))
        rename(source, target)

    Path(name).write_text("older", "utf-8")
    monkeypatch.setattr(os, "replace", take)
    code, out, err = ask("add", SPHERES, "--output", name, "--seeds", "1", "--batch-size", "3")
    count = len([*Path(SPHERES, "rgb").iterdir()])
    assert (code, out, err) == (0, f"{name}: {count} samples\n", NOT_CALIBRATED)
    assert any(target == name and ".partial" in source for source, target in moved)
    expected = table_of(SPHERES, cpu, seeds=[1], batch_size=3).round(DIGITS)
    if name.endswith(".csv"):
        read = pd.read_csv(name, dtype={"id": str})
        pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    else:
        content = json.loads(Path(name).read_text("utf-8"))
        assert (content["fusion"], content["seeds"]) == ("add", [1])
        rows = expected.drop(columns="spread").to_dict("records")
        assert [{k: v for k, v in row.items() if k != "spread"} for row in content["samples"]] == (
            rows
        )


def test_a_project_without_params_can_be_asked(ask: Ask) -> None:
    _, known, _ = ask("add", SPHERES)
    PARAMS_FILE.unlink()
    code, out, err = ask("add", SPHERES)
    assert (code, err) == (0, NOT_CALIBRATED)
    ids = [
        pd.read_csv(io.StringIO(text), dtype={"id": str})["id"].tolist() for text in (known, out)
    ]
    assert ids[0] == ids[1]


def test_models_may_lie_elsewhere(ask: Ask) -> None:
    _, known, _ = ask("add", SPHERES)
    Path("models").rename("theirs")
    code, out, err = ask("add", SPHERES, "--models", "theirs/add")
    assert (code, out) == (0, known)
    assert err == (
        "not calibrated: theirs/add is not models/add of a project, which keeps temperatures\n"
    )


def test_bad_samples_are_left_out_where_that_is_asked_for(ask: Ask) -> None:
    image, _ = first_pair()
    Path(image).write_bytes(b"")
    code, out, err = ask("add", SPHERES)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"error: {SPHERES}: 1 bad sample(s); mend them, or leave them out with --skip-bad, or "
        "skip_bad=True",
        f"  {image}: not a PNG or JPEG image",
    ]
    code, out, err = ask("add", SPHERES, "--skip-bad")
    assert code == 0
    assert err == f"left out: {image}: not a PNG or JPEG image\n{NOT_CALIBRATED}"
    assert len(out.splitlines()) == len([*Path(SPHERES, "rgb").iterdir()])


# --- What it refuses ---


def test_models_that_are_not_there_are_named_with_what_makes_them(refusal: Refusal) -> None:
    assert refusal("late", SPHERES) == (
        "models/late/model.json: no such file; 'dvc repro' makes it"
    )


def test_models_that_dvc_did_not_make_are_refused(root: Path, refusal: Refusal) -> None:
    write_temperatures(root, {0: 0.5, 1: 3.0})
    path = Path("models/add/model.json")
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    assert refusal("add", SPHERES).startswith(
        "models/add: is not what dvc.lock says stage train@add made; 'make mend' repairs it"
    )
    write_lock(root)
    assert refusal("add", SPHERES) == f"{path}: is not as it was written; 'make mend' repairs it"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ad", SPHERES], "'ad' is no fusion (did you mean 'add'?); must be one of ["),
        (["add", "nowhere"], "nowhere: no such file or folder"),
        (["add", SPHERES, "--seeds", "0", "7"],
         "seeds: 7: not in models/add/model.json; must be among [0, 1]"),
        (["add", SPHERES, "--batch-size", "0"], "batch size 0: must be 1 or more"),
        (["late", SPHERES, "--models", "models/add"],
         "models/add/model.json: models of fusion 'add', not of 'late'; must be asked as 'add'"),
        (["add", SPHERES, "--output", "out.txt"], "--output out.txt: must end in .csv or .json"),
        (["add", SPHERES, "--output", "no/out.csv"], "--output no/out.csv: there is no folder no"),
        (["add", SPHERES, "--output", "a.csv"], "--output a.csv: is a folder"),
        (["add", "new/test.csv", "--output", "new/../new/test.csv"],
         "--output new/../new/test.csv: is read, and would be replaced"),
        (["add", SPHERES, "--output", "models/add/model.json"],
         "--output models/add/model.json: is in the folder of the models, models/add"),
        (["add", SPHERES, "--models", "models/../models/add", "--output", "models/add/new.json"],
         "--output models/add/new.json: is in the folder of the models, models/../models/add"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(arguments: list[str], line: str, refusal: Refusal) -> None:
    Path("a.csv").mkdir()
    assert refusal(*arguments).startswith(line)


def test_what_a_stage_reads_or_makes_is_not_replaced(root: Path, refusal: Refusal) -> None:
    write_temperatures(root, {0: 0.5, 1: 3.0})
    for name, stage in (
        ("metrics/probabilities.csv", "compare"), ("predictions/add/new.json", "predict@add"),
        ("new/../predictions/add/info.json", "predict@add"),
        (str(root / "metrics/probabilities.csv"), "compare"),
    ):  # fmt: skip
        assert refusal("add", SPHERES, "--output", name) == (
            f"--output {name}: belongs to stage {stage} in dvc.lock"
        )


@pytest.mark.parametrize("name", ["models/add", "./models/../models/add", "{root}/models/add",
                                  "linked"])  # fmt: skip
def test_changed_models_are_refused_however_they_are_named(
    name: str, root: Path, refusal: Refusal
) -> None:
    write_temperatures(root, {0: 0.5, 1: 3.0})
    (root / "linked").symlink_to("models/add")
    path = Path("models/add/model.json")
    path.write_bytes(path.read_bytes() + b"\n")
    named = name.format(root=root)
    assert "is not what dvc.lock says stage train@add made" in refusal(
        "add", SPHERES, "--models", named
    )


@pytest.mark.parametrize("text", ["threads: 4\n", "runtime: {device: tpu}", "- no mapping"])
def test_params_of_another_tool_do_not_stop_models_from_elsewhere(text: str, ask: Ask) -> None:
    Path("models").rename("theirs")
    PARAMS_FILE.write_text(text, "utf-8")
    code, out, _ = ask("add", SPHERES, "--models", "theirs/add")
    assert code == 0
    assert out.startswith("id,class,")


def test_wrong_params_are_refused(refusal: Refusal) -> None:
    PARAMS_FILE.write_text("runtime: {device: tpu}", "utf-8")
    assert refusal("add", SPHERES).startswith("params.yaml: ")
    assert refusal("add", SPHERES, "--models", "./models/add").startswith("params.yaml: ")


def test_what_cannot_be_written_leaves_what_was_there(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out.csv").write_text("older", "utf-8")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert "No space left on device" in refusal("add", SPHERES, "--output", "out.csv")
