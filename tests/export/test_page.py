"""docs/export.md: its example does what it says, without torch."""

import ast
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.datasets import CLASSES
from tests.in_process import run
from tests.project import ROOT

import predict
from fusebench import cli
from fusebench.export.check import TOLERANCE
from fusebench.export.format import FORMATS
from fusebench.samples.samples import Samples

TEXT = (ROOT / "docs/export.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_is_short_and_names_each_format_and_the_tolerance() -> None:
    assert TEXT.count("\n") <= 90
    assert EXAMPLE.count("\n") <= 16
    for name in FORMATS.names():
        assert f"FORMAT={name}" in TEXT
    assert f"Above {TOLERANCE:g}," in TEXT


@pytest.mark.slow
def test_the_example_answers_as_predict_does(
    root: Path,
    samples: Samples,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("export", "add", "--format", "onnx") == 0
    row = 5
    Image.fromarray(samples.rgb[row]).resize((96, 80)).save(root / "rgb.png")
    np.save(root / "lidar.npy", samples.lidar[row])
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["src/predict.py", "add", "rgb.png", "lidar.npy"])
    with pytest.raises(SystemExit, match="0"):
        cli.run(predict.main)
    (answer,) = pd.read_csv(io.StringIO(capsys.readouterr().out)).to_dict("records")
    code = f"{EXAMPLE}\nimport sys\nassert not {{'torch', 'fusebench'}} & {{*sys.modules}}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code.replace("concat", "add")],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    found = ast.literal_eval(done.stdout)
    assert found == pytest.approx({name: answer[f"p_{name}"] for name in CLASSES}, abs=TOLERANCE)
    # It is no answer that any sample would get.
    assert abs(found["cubes"] - 0.5) > 10 * TOLERANCE
