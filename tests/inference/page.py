"""What docs/predict.md shows of src/predict.py, from a project after a run.

`PYTHONPATH=src python -m tests.inference.page PROJECT` writes it; PROJECT has concat and rgb_only.
"""

import contextlib
import io
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from tests.inference.made_up import write_files
from tests.project import ROOT

import predict
from benchmarks.marks import replaced
from fusebench import cli
from fusebench.device import Device, prepare
from fusebench.inference.predict import answer_files
from fusebench.inference.predictor import Answers
from fusebench.inference.runtime import DEFAULT
from fusebench.models.description import Description
from fusebench.prediction.predict import BATCH
from fusebench.samples.manifest import read_manifest

PAGE = ROOT / "docs/predict.md"
# Samples of each class, and what is compared with batches of the usual size.
_SHOWN, _SIZES, _MEASURED = 2, (1, 8, 128), 640
_LINKS = ("models", "metrics", "params.yaml", "dvc.lock", "dvc.yaml", ".dvcignore", ".dvc")


def examples(project: Path) -> str:
    """Return commands with what they print, on test samples of a project."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for link in _LINKS:
            (folder / link).symlink_to(project.resolve() / link)
        keys = _new_files(project, folder)
        first = f"new/rgb/{keys[0]}.png new/lidar/{keys[0]}.npy"
        shown = [
            _shown(folder, f"concat {first}"),
            _shown(folder, f"rgb_only new/rgb/{keys[0]}.png --seeds 1"),
            _shown(folder, "concat new --raw"),
        ]
        (folder / f"new/rgb/{keys[-1]}.png").write_bytes(b"")
        shown.append(_shown(folder, "concat new --output answers.json"))
        shown.append(_shown(folder, "concat new --output answers.json --skip-bad"))
    return "\n".join(["```", *shown, "```"])


def _new_files(project: Path, folder: Path) -> list[str]:
    """Write the files of a few test samples to new/rgb/ and new/lidar/; return their ids."""
    test = read_manifest(project / "data/split.csv").part(0, "test")
    last = test[test["class"] == test["class"].iloc[-1]].head(_SHOWN)
    # Those of two classes may have one id.
    first = test[(test["class"] == test["class"].iloc[0]) & ~test["id"].isin(last["id"])]
    few = pd.concat([first.head(_SHOWN), last])
    write_files(project / "data/demo.zip", few, folder / "taken")
    for sensor in ("rgb", "lidar"):
        (folder / "new" / sensor).mkdir(parents=True)
        for path in (folder / "taken").glob(f"*/*/{sensor}/*"):
            shutil.move(path, folder / "new" / sensor)
    return sorted(few["id"])


def _shown(folder: Path, arguments: str) -> str:
    """Return a command as a terminal shows it, with what it prints."""
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.suppress(SystemExit),
    ):
        patch.setattr(sys, "argv", ["src/predict.py", *arguments.split()])
        cli.run(predict.main)
    return f"$ python src/predict.py {arguments}\n{printed.getvalue()}".rstrip()


def batches(project: Path, device: Device, sizes: Sequence[int] = _SIZES) -> str:
    """Return what another batch size changes of logits, measured."""
    models = project / "models/concat"
    test = read_manifest(project / "data/split.csv").part(0, "test").head(_MEASURED)

    def ask(folder: str, size: int) -> Answers:
        table = Path(folder) / "test.csv"
        return answer_files(
            table, models, say=print, calibrated=False, device=device, batch_size=size
        )

    with TemporaryDirectory() as folder:
        write_files(project / "data/demo.zip", test, Path(folder))
        usual = ask(folder, BATCH).logits
        others = [ask(folder, size).logits for size in sizes]
    apart = max(
        float((np.abs(logits - usual) / np.maximum(1, np.abs(usual))).max()) for logits in others
    )
    answers = sum(int((logits.argmax(2) != usual.argmax(2)).sum()) for logits in others)
    precision = Description.read(models).spec.precision
    return (
        f"Measured of concat's models ({precision}, on {device.name}): in batches of "
        f"{', '.join(map(str, sizes))} instead of {BATCH}, logits of {len(test)} test samples "
        f"change by at most {apart:.0e} of the larger of 1 and their size, and {answers} answers "
        "do."
    )


def page(text: str, project: Path, device: Device) -> str:
    """Return the text of the page with what the project answers."""
    text = replaced(text, "examples", examples(project), str(PAGE))
    return replaced(text, "batches", batches(project, device), str(PAGE))


def skeleton(text: str) -> list[str]:
    """Return the commands and the heads of the tables in a text."""
    return [re.sub(r"\d+", "0", line) for line in text.splitlines() if line[:3] in ("$ p", "id,")]


if __name__ == "__main__":
    written = page(PAGE.read_text("utf-8"), Path(sys.argv[1]), prepare(DEFAULT))
    PAGE.write_text(written, "utf-8")
