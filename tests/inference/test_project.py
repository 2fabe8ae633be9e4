"""A project after a run of DVC: answers for files are those that are kept of its samples."""

import io
import sys

import numpy as np
import pandas as pd
from scipy.special import softmax
from tests.inference.made_up import write_files
from tests.project import Project

from fusebench.prediction.predictions import read_predictions
from fusebench.samples.manifest import read_manifest


def test_after_a_run_answers_are_the_kept_ones_calibrated(clean: Project) -> None:
    root = clean.root
    test = read_manifest(root / "data/split.csv").part(0, "test")
    write_files(root / "data/demo.zip", test, root / "new")
    # Of what the models are is told by dvc.lock: not by params, which are changed by now.
    clean.set_params({"train.lr": 0.5})
    done = clean.run(sys.executable, "src/predict.py", "add", "new/test.csv")
    assert "not calibrated" not in done.stderr
    table = pd.read_csv(io.StringIO(done.stdout))
    assert table["calibrated"].all()
    kept = read_predictions(root / "predictions/add")
    fitted = pd.read_csv(root / "metrics/probabilities.csv")
    temperatures = fitted[fitted["fusion"] == "add"].set_index("seed")["temperature"]
    expected = np.mean(
        [softmax(parts["test"].logits.astype(float) / temperatures[seed], axis=1)
         for seed, parts in kept.seeds.items()],
        axis=0,
    )  # fmt: skip
    np.testing.assert_allclose(table[["p_cubes", "p_spheres"]], expected, rtol=0, atol=1e-6)
    assert table["id"].tolist() == (test["class"] + "-" + test["id"]).tolist()
