"""python src/export.py: what it writes, says and refuses. With torch's format, which is quick."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax
from tests.in_process import run
from tests.inference.made_up import store_models
from tests.inference.made_up_temperatures import write_temperatures

from fusebench.export import export as exporting
from fusebench.export.export import export
from fusebench.export.folder import digests
from fusebench.export.format import Arrays, Run
from fusebench.export.formats.torch import Torch
from fusebench.prediction.predictions import read_predictions
from fusebench.samples.samples import Samples, open_samples
from fusebench.sealed import read_sealed

FOLDER = Path("exports/add-torch")
WRITTEN = ["LICENSE", "README.md", "export.json", "model.pt2"]


def _content(folder: Path = FOLDER) -> dict[str, Any]:
    return read_sealed(folder / "export.json", 1, "other")


def _answers(folder: Path = FOLDER) -> npt.NDArray[np.float32]:
    """Return what an exported file says of the test samples of which predictions are kept."""
    samples, test = open_samples(Path("data/samples")), _kept()[0]
    rows = samples.table.set_index("digest").loc[test.digests, "row"].to_numpy()
    arrays: dict[str, npt.NDArray[Any]] = {
        "rgb": samples.images(rows),
        "lidar": samples.ranges(rows),
    }
    return Torch().open(folder / "model.pt2", 1)(arrays)


def _kept() -> dict[int, Any]:
    seeds = read_predictions(Path("predictions/add")).seeds
    return {seed: parts["test"] for seed, parts in seeds.items()}


def _expected(temperatures: dict[int, float]) -> npt.NDArray[np.float64]:
    """Return the mean over seeds of kept logits, divided by temperatures, as probabilities."""
    kept = _kept()
    of_seeds = [softmax(kept[seed].logits / by, axis=1) for seed, by in temperatures.items()]
    mean: npt.NDArray[np.float64] = np.mean(of_seeds, axis=0)
    return mean


# --- What it writes ---


@pytest.mark.usefixtures("root")
def test_an_export_is_the_mean_of_all_seeds_with_card_and_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("export", "add", "--format", "torch") == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in FOLDER.iterdir()) == WRITTEN
    assert np.abs(_answers() - _expected({0: 1.0, 1: 1.0})).max() < 1e-5
    content = _content()
    assert content["files"] == {
        name: digest for name, digest in digests(FOLDER).items() if name != "export.json"
    }
    assert (content["seeds"], content["all_seeds"], content["temperatures"]) == ([0, 1], True, None)
    assert content["classes"] == ["cubes", "spheres"]
    check = content["check"]
    assert check["samples"] == len(_kept()[0].labels) > check["batch"] > check["last_batch"]
    assert check["from_torch_fp32"]["largest"] <= 1e-4 == check["tolerance"]
    for line in ("not calibrated: ", f"{FOLDER}: add, mean of the models of seeds 0, 1\n",
                 "kept predictions, fp32: not known: ", "not in the card: metrics: "):  # fmt: skip
        assert line in said
    card = (FOLDER / "README.md").read_text("utf-8")
    assert content["weights"]["1"] in card
    assert content["files"]["model.pt2"] in card
    assert str(Path.cwd()) not in card + json.dumps(content)
    assert (FOLDER / "LICENSE").read_text("utf-8").startswith("MIT License")


@pytest.mark.usefixtures("root")
def test_one_seed_has_a_folder_of_its_own() -> None:
    assert run("export", "add", "--format", "torch", "--seed", "1") == 0
    folder = Path("exports/add-seed_1-torch")
    assert np.abs(_answers(folder) - _expected({1: 1.0})).max() < 1e-5
    content = _content(folder)
    assert (content["seeds"], content["all_seeds"]) == ([1], False)
    assert [*content["weights"]] == ["1"]


def test_temperatures_of_these_models_are_in_the_file(root: Path) -> None:
    write_temperatures(root, {0: 0.25, 1: 3.0})
    assert run("export", "add", "--format", "torch") == 0
    assert _content()["temperatures"] == {"0": 0.25, "1": 3.0}
    found = _answers()
    assert np.abs(found - _expected({0: 0.25, 1: 3.0})).max() < 1e-5
    assert np.abs(found - _expected({0: 1.0, 1: 1.0})).max() > 1e-3


@pytest.mark.usefixtures("root")
def test_the_same_models_give_the_same_folder_and_others_replace_it() -> None:
    written = []
    for more in ([], [], ["--seed", "0"]):
        assert run("export", "add", "--format", "torch", "--output", "model", *more) == 0
        written.append({name: Path("model", name).read_bytes() for name in WRITTEN})
    assert written[0] == written[1]
    assert _content(Path("model"))["seeds"] == [0]


# --- What it refuses ---

Refused = Callable[..., str]


@pytest.fixture
def refused(root: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the script, which must fail and change no file; return its line."""

    def files() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()
        }  # fmt: skip

    def refuse(*arguments: str) -> str:
        before = files()
        capsys.readouterr()
        assert run("export", *arguments) == 1
        assert files() == before
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: ")
        return err.removeprefix("error: ").rstrip("\n")

    return refuse


def test_what_is_not_known_is_refused_with_what_is(refused: Refused) -> None:
    assert re.match(r"'ad' is no fusion \(did you mean 'add'\?\); must be one of \[",
                    refused("ad", "--format", "torch"))  # fmt: skip
    assert refused("add", "--format", "pt2").startswith("'pt2' is no format (did you mean ")
    assert refused("add", "--format", "torch", "--seed", "7") == (
        "seeds: 7: not in models/add/model.json; must be among [0, 1]"
    )
    assert refused("late", "--format", "torch") == (
        "models/late/model.json: no such file; 'dvc repro' makes it"
    )


def test_a_folder_with_other_files_is_left_as_it_is(refused: Refused) -> None:
    remedy = "move it away, or name another folder (OUT=…)"
    assert refused("add", "--format", "torch", "--output", "data") == (
        f"data: holds files, and no export.json that make export wrote; {remedy}"
    )
    assert run("export", "add", "--format", "torch") == 0
    (FOLDER / "notes.txt").write_text("mine", "utf-8")
    assert refused("add", "--format", "torch") == (
        f"{FOLDER}/notes.txt: make export did not write it; {remedy}"
    )
    (FOLDER / "notes.txt").unlink()
    with (FOLDER / "README.md").open("a", encoding="utf-8") as card:
        card.write("What I found out myself.\n")
    assert refused("add", "--format", "torch") == (
        f"{FOLDER}/README.md: changed since make export wrote it; {remedy}"
    )


def test_a_file_in_place_of_the_folder_is_refused(refused: Refused) -> None:
    assert refused("add", "--format", "torch", "--output", "params.yaml") == (
        "params.yaml: is a file; a folder is to be written"
    )


class _Off(Torch):
    """A format whose files answer otherwise."""

    def open(self, path: Path, threads: int) -> Run:
        run_file = super().open(path, threads)

        def answer(inputs: Arrays) -> npt.NDArray[np.float32]:
            return run_file(inputs) + np.array([2e-4, -2e-4], np.float32)

        return answer


def test_a_file_that_answers_otherwise_is_not_written(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an earlier export wrote stays.
    assert run("export", "add", "--format", "torch") == 0
    monkeypatch.setattr(exporting, "load_format", lambda _name: _Off())
    assert refused("add", "--format", "torch") == (
        "the exported model of add differs from the models in torch by up to 0.0002 in a "
        "probability of test, of 0.0001 that are allowed, so nothing was written; another format "
        "may do"
    )


def test_weights_that_dvc_lock_does_not_hold_are_refused(refused: Refused, root: Path) -> None:
    write_temperatures(root, {0: 1.0, 1: 1.0})
    with (root / "models/add/seed_1.safetensors").open("ab") as weights:
        weights.write(b"\0")
    assert "is not what dvc.lock says stage train@add made" in refused("add", "--format", "torch")


def test_models_of_other_sensors_than_the_samples_are_refused(
    refused: Refused, root: Path, samples: Samples
) -> None:
    turned = Samples(
        samples.rgb, samples.lidar, samples.azimuth[::-1], samples.zenith, samples.table,
        samples.dataset,
    )  # fmt: skip
    store_models(root / "models/hadamard", turned, "hadamard")
    assert refused("hadamard", "--format", "torch") == (
        "models/hadamard/model.json: trained on samples of other classes, sensors or angles than "
        "data/samples has; 'dvc repro' trains anew"
    )


# --- What it compares ---


def test_a_fusion_of_one_sensor_takes_that_alone(root: Path, samples: Samples) -> None:
    store_models(root / "models/lidar_only", samples, "lidar_only", seeds=(0, 1))
    content = export("lidar_only", "torch", Path("out")).content
    assert [each["name"] for each in content["inputs"]] == ["lidar"]
    rows = np.arange(3)
    found = Torch().open(Path("out/model.pt2"), 1)({"lidar": samples.ranges(rows)})
    assert found.shape == (3, 2)


def test_models_that_were_trained_in_bf16_are_compared_with_their_predictions(
    root: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_models(root / "models/hadamard", samples, "hadamard", seeds=(0,), precision="bf16")
    assert run("predict", "hadamard") == 0
    monkeypatch.setattr(exporting, "behind", lambda _fusion: "")
    content = export("hadamard", "torch", Path("out")).content
    check = content["check"]
    # fp32 against fp32, and fp32 against bf16, which has eight bits.
    assert check["from_torch_fp32"]["largest"] < 1e-6
    assert 1e-6 < check["from_kept_predictions"]["largest"] < 1e-2
    assert "kept predictions, bf16" in (root / "out/README.md").read_text("utf-8")
    assert content["trained_in"] == "bf16"
