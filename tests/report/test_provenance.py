"""The lines that say what was not equal between trainings, and what is not as on this machine."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from tests.conftest import RUNTIME
from tests.project import ROOT

from fusebench.config import validate
from fusebench.device import RuntimeParams, environment, prepare
from fusebench.device import present_environment as present
from fusebench.report.provenance import differences
from fusebench.training.settings import TrainParams

HERE: dict[str, str | int] = {
    "processor": "Maker X", "threads": 2, "python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6",
}  # fmt: skip
SETTINGS = {
    "epochs": 15, "batch_size": 32, "lr": 0.001, "weight_decay": 0.0, "schedule": "constant",
    "class_weights": "none", "augment": (),
    "pooling": "max", "precision": "fp32",
}  # fmt: skip


def info(**changes: Any) -> dict[str, Any]:
    """Return a fusion's settings and environment; a key in neither is of the settings."""
    machine: dict[str, Any] = {**HERE, "device": "cpu", "torch": "2.15.0+cu132"}
    machine |= {key: value for key, value in changes.items() if key in machine}
    settings = SETTINGS | {key: value for key, value in changes.items() if key not in machine}
    return {"settings": settings, "environment": machine | {"precision": settings["precision"]}}


CPU, GPU_Q = info(), info(device="cuda", processor="GPU Q", threads=64)
PORTABLE = info(processor="Other")
PORTABLE["environment"]["portable"] = True
GPU_Z = info(device="cuda", processor="GPU Z", threads=64)


@pytest.mark.parametrize(
    "trained",
    [
        pytest.param({"late": CPU, "add": CPU, "concat": CPU}, id="alike, on this machine"),
        pytest.param({}, id="none trained"),
        pytest.param({"late": info(torch="2.15.0"), "add": info(torch="2.15.0+cpu")}, id="builds"),
        pytest.param({"late": GPU_Z, "add": GPU_Z}, id="a GPU, which is not the processor here"),
        pytest.param({"late": PORTABLE, "add": PORTABLE}, id="portable, on another processor"),
    ],
)
def test_nothing_is_said_of_trainings_that_were_alike(trained: dict[str, Any]) -> None:
    assert differences(trained, HERE) == []


@pytest.mark.parametrize("key", sorted(TrainParams.model_fields.keys() - {"seeds"}))
def test_whatever_override_can_change_is_told_once(key: str) -> None:
    trained = {"late": CPU, "add": CPU, "concat": info(**{key: "other"})}
    assert differences(trained, HERE) == [
        f"concat was trained with {key} other, the others with {SETTINGS[key]}"
    ]


@pytest.mark.parametrize(
    ("trained", "lines"),
    [
        (
            {"late": info(lr=0.1), "add": CPU, "b": CPU, "hadamard": info(lr=0.1), "c": CPU},
            ["late and hadamard were trained with lr 0.1, the others with 0.001"],
        ),
        (
            {"late": info(lr=0.1), "add": info(lr=0.2), "b": CPU, "c": CPU},
            ["late was trained with lr 0.1, add with 0.2, the others with 0.001"],
        ),
        (
            {"late": info(epochs=3), "add": CPU},
            ["late was trained with epochs 3, add with 15"],
        ),
        (
            {"late": info(lr=0.1, pooling="strided"), "add": CPU, "concat": CPU},
            [
                "late was trained with lr 0.1, the others with 0.001",
                "late was trained with pooling strided, the others with max",
            ],
        ),
        (
            {"late": GPU_Z, "add": CPU, "concat": CPU},
            ["late was trained with device cuda (GPU Z), the others with cpu"],
        ),
        (
            {"late": GPU_Z, "add": GPU_Q, "concat": GPU_Q},
            ["late was trained with device cuda (GPU Z), the others with cuda (GPU Q)"],
        ),
    ],
)
def test_what_differs_between_fusions_is_told_in_a_line_per_key(
    trained: dict[str, Any], lines: list[str]
) -> None:
    assert differences(trained, HERE) == lines


@pytest.mark.parametrize(
    ("key", "value"),
    [("torch", "2.11.0"), ("numpy", "1.26.0"), ("python", "3.12.1"), ("processor", "Maker X+"),
     ("threads", 8)],
)  # fmt: skip
def test_a_training_that_was_not_on_such_a_machine_is_told(key: str, value: str | int) -> None:
    trained = {"late": info(**{key: value}), "add": CPU, "concat": CPU}
    assert differences(trained, HERE) == [
        f"late was trained with {key} {value}, here is {HERE[key]}"
    ]


def test_trainings_of_the_same_other_version_share_a_line() -> None:
    older = {"late": info(torch="2.11.0+cpu"), "add": info(torch="2.11.0")}
    assert differences(older, HERE) == [
        "every fusion was trained with torch 2.11.0, here is 2.15.0"
    ]
    numpy_1 = info(numpy="1.0")
    mixed = {"late": numpy_1, "add": CPU, "b": info(numpy="2.0"), "c": numpy_1}
    assert differences(mixed, HERE) == [
        "late and c were trained with numpy 1.0, here is 2.4.6",
        "b was trained with numpy 2.0, here is 2.4.6",
    ]


def test_what_is_here_is_what_a_training_here_would_record() -> None:
    threads = torch.get_num_threads()
    device = prepare(validate(RuntimeParams, RUNTIME | {"threads": "auto"}, "params.yaml"))
    recorded = environment(device, "fp32")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    settings = {"lr": 0.001}
    trained = {"late": {"settings": settings, "environment": recorded}}
    assert differences(trained, present("auto")) == []
    (line,) = differences(trained, present(777))
    assert line.startswith("late was trained with threads ")


def test_what_is_here_is_known_without_torch() -> None:
    text = f"""
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
from fusebench.device import present_environment as present
print(present("auto")["torch"], "torch" in sys.modules, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [torch.__version__.partition("+")[0], "False", "False"]
