"""The pipeline without DVC: the stages' scripts, one after the other, in this process."""

import importlib
import json
import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import PARAMS, ROOT, SENSORS, write_no_studies

from fusebench import cli
from fusebench.files import dvc_digest
from fusebench.recorded import OBJECTS
from fusebench.report import learning, robust, suite, tuning

FUSIONS = ("add", "hadamard")
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
# No stage writes them.
STUDIES = [study.SUMMARY for study in (suite, learning, tuning, robust)]
# What a stage is called with for the fusion of these tests, and what dvc.yaml fills in.
ARGUMENTS = {
    "check": ["checked"], "synthesize": ["data/demo.zip"],
    "extract": ["data/samples"], "split": ["data/samples", "data/split.csv"],
    "check_inputs": ["data/samples", "data/inputs.json"], "train": ["add"], "predict": ["add"],
    "cost": ["add"],
    "stress": ["add"], "gallery": ["data/samples", "plots/samples.png"],
    "report": ["plots/report.html"],
}  # fmt: skip
_FILLED = {
    "${data.archive}": "data/demo.zip", "${data.sensors}": "data/sensors.yaml",
    "${fusion}": "add", "${item.fusion}": "add",
}  # fmt: skip
# Small enough for a test, and with both classes in each part.
_COUNTS = {"cubes": 30, "spheres": 20}


def script_of(stage: str) -> Path:
    """Return the script of a stage; of what is none, the one of that name."""
    return Path(STAGES[stage]["cmd"].split()[1] if stage in STAGES else f"src/{stage}.py")


def run(stage: str, *arguments: str) -> int:
    """Run the script of a stage, or another, in the working directory; return its exit code."""
    script = script_of(stage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *(arguments or ARGUMENTS.get(stage, []))])
        with pytest.raises(SystemExit) as ended:
            cli.run(importlib.import_module(script.stem).main)
    return int(ended.value.code or 0)


def make(root: Path) -> None:
    """Make a project in the working directory, up to stage compare, and a dvc.lock of it."""
    params = yaml.safe_load(PARAMS)
    params["synthesize"]["counts"] = _COUNTS
    params["train"]["epochs"] = 1
    # Each training is to read its samples, and not to take what an earlier one made of them.
    params["runtime"]["work_limit"] = 0
    (root / "data").mkdir()
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (root / "data/sensors.yaml").write_text(SENSORS, "utf-8")
    write_no_studies(root)
    (root / ".dvc").mkdir()
    for name in ("src", "requirements.txt", ".dvc/plots"):
        (root / name).symlink_to(ROOT / name)
    (root / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    for stage in ("check", "synthesize", "extract", "split", "check_inputs"):
        assert run(stage) == 0
    for stage in ("train", "predict", "cost", "stress"):
        for fusion in FUSIONS:
            assert run(stage, fusion) == 0
    assert [run(stage) for stage in ("baseline", "evaluate", "robustness")] == [0, 0, 0]
    assert (run("compare"), run("analysis")) == (0, 0)
    write_lock()


def write_lock() -> None:
    """Write a dvc.lock that holds the outputs that are there."""
    stages = {}
    for name, stage in STAGES.items():
        for fusion in FUSIONS if "${item.fusion}" in stage["cmd"] else ("",):
            full = f"{name}@{fusion}" if fusion else name
            outs = [path.replace("${item.fusion}", fusion) for path in outputs(name)]
            stages[full] = {
                "cmd": stage["cmd"],
                "outs": [
                    {"path": path, "md5": _keep(Path(path))} for path in outs if Path(path).exists()
                ],
            }
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), "utf-8")


def _keep(path: Path) -> str:
    """Return an output's digest; keep a folder's list of files where DVC's cache has it."""
    digest = dvc_digest(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listed = [
            {"md5": dvc_digest(file), "relpath": file.relative_to(path).as_posix()}
            for file in files
        ]
        target = OBJECTS / digest[:2] / digest[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(listed), "utf-8")
    return digest


def outputs(stage: str) -> list[str]:
    """Return the paths that a stage writes, as dvc.yaml has them."""
    listed = [item for kind in ("outs", "metrics", "plots") for item in STAGES[stage].get(kind, [])]
    return [next(iter(item)) if isinstance(item, dict) else item for item in listed]


def dependencies(stage: str) -> Iterator[Path]:
    """Yield the files that a stage depends on and that other stages made, for fusion `add`."""
    for path in STAGES[stage]["deps"]:
        name = reduce(lambda text, word: text.replace(word, _FILLED[word]), _FILLED, str(path))
        if name.startswith(("src/", "requirements", ".dvc/")) or name in (
            "data/sensors.yaml",
            *map(str, STUDIES),
        ):
            continue
        found = Path(name)
        yield from sorted(found.rglob("*.*")) if found.is_dir() else [found]
