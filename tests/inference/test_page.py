"""docs/predict.md says what the script does."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.inference.made_up import store_models
from tests.inference.page import PAGE, batches, examples, skeleton

import predict as script
from fusebench.device import Device
from fusebench.evaluation.temperature import HIGHEST, LOWEST
from fusebench.inference.predictor import Answers
from fusebench.inference.table import answers_table
from fusebench.prediction.predict import BATCH
from fusebench.samples.samples import Samples

TEXT = PAGE.read_text("utf-8")


def test_the_page_is_short() -> None:
    assert TEXT.count("\n") <= 90


def test_the_columns_are_those_of_the_table() -> None:
    logits = np.zeros((1, 1, 2), np.float32)
    columns = [*answers_table(Answers("add", ["0"], ("a", "b"), (0,), logits, {}))]
    table = TEXT[TEXT.index("| column |") :].partition("\n\n")[0]
    listed = [
        name
        for row in table.splitlines()[2:]
        for name in row.split("|")[1].replace("&lt;class&gt;", "a").strip().split(", ")
    ]
    assert [*listed, "p_b"] == columns


def test_the_options_are_those_of_the_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["predict.py", "--help"])
    with pytest.raises(SystemExit):
        script.main()
    options = re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    assert {*re.findall(r"`(--[a-z-]+)", TEXT)} == {*options}
    assert f"`--batch-size` is {BATCH} unless" in TEXT
    assert f"a bound\n({LOWEST:g} or {HIGHEST:g})" in TEXT


def test_the_examples_are_what_code_writes(
    root: Path, samples_folder: Path, samples: Samples, cpu: Device
) -> None:
    shutil.copy(samples_folder.parent / "small.zip", root / "data/demo.zip")
    for fusion in ("concat", "rgb_only"):
        store_models(root / f"models/{fusion}", samples, fusion, seeds=(0, 1))
    written = examples(root)
    assert skeleton(written) == skeleton(TEXT)
    *_, last = written.splitlines()[:-1]
    assert last == "answers.json: 3 samples"
    measured = batches(root, replace(cpu, memory_budget=0), [1])
    assert re.fullmatch(
        r"Measured of concat's models \(fp32, on .+\): in batches of 1 instead of 32, logits of 30 "
        r"test samples change by at most [\de+-]+ of the larger of 1 and their size, and \d "
        r"answers do\.",
        measured,
    )
    assert "Measured of concat's models (" in TEXT
