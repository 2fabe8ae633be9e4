"""The lines that say what was not equal between trainings, and what is not as on this machine."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from tests.project import ROOT

from fusebench.device import RuntimeParams, environment, prepare
from fusebench.device import present_environment as present
from fusebench.report.provenance import differences
from fusebench.training.settings import TrainParams

HERE: dict[str, str | int] = {
    "processor": "Maker X", "threads": 2, "python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6",
}  # fmt: skip
SETTINGS = {
    "epochs": 15, "batch_size": 32, "lr": 0.001, "weight_decay": 0.0, "schedule": "constant",
    "class_weights": "none", "pooling": "max", "precision": "fp32",
}  # fmt: skip


def info(**changes: Any) -> dict[str, Any]:
    """Return info.json's settings and environment; a key in neither is of the settings."""
    machine: dict[str, Any] = {**HERE, "device": "cpu", "torch": "2.15.0+cu132"}
    machine |= {key: value for key, value in changes.items() if key in machine}
    settings = SETTINGS | {key: value for key, value in changes.items() if key not in machine}
    return {"settings": settings, "environment": machine | {"precision": settings["precision"]}}


def lines(**trained: dict[str, Any]) -> list[str]:
    return differences(trained, HERE)


# --- Nothing to say ---


def test_equal_trainings_on_this_machine_give_no_line() -> None:
    assert lines(late=info(), add=info(), concat=info()) == []


def test_what_was_not_trained_is_left_out() -> None:
    assert lines(late=info(), threshold={"fusion": "threshold"}, add=info()) == []
    assert lines(threshold={}) == []


def test_a_build_of_the_same_version_is_no_difference() -> None:
    assert lines(late=info(torch="2.15.0"), add=info(torch="2.15.0+cpu")) == []


# --- Settings ---


@pytest.mark.parametrize("key", sorted(TrainParams.model_fields.keys() - {"seeds"}))
def test_whatever_override_can_change_is_told(key: str) -> None:
    (line,) = lines(late=info(), add=info(), concat=info(**{key: "other"}))
    assert line == f"concat was trained with {key} other, the others with {SETTINGS[key]}"


def test_a_precision_of_its_own_is_told_once() -> None:
    (line,) = lines(late=info(precision="bf16"), add=info(), concat=info())
    assert line == "late was trained with precision bf16, the others with fp32"


def test_fusions_of_the_same_other_value_share_a_line() -> None:
    (line,) = lines(late=info(lr=0.1), add=info(), b=info(), hadamard=info(lr=0.1), c=info())
    assert line == "late and hadamard were trained with lr 0.1, the others with 0.001"


def test_three_values_are_told_in_one_line() -> None:
    (line,) = lines(late=info(lr=0.1), add=info(lr=0.2), b=info(), c=info())
    assert line == "late was trained with lr 0.1, add with 0.2, the others with 0.001"


def test_one_other_fusion_is_named() -> None:
    (line,) = lines(late=info(epochs=3), add=info())
    assert line == "late was trained with epochs 3, add with 15"


def test_each_key_has_a_line() -> None:
    assert len(lines(late=info(lr=0.1, pooling="strided"), add=info(), concat=info())) == 2


# --- This machine ---


@pytest.mark.parametrize(
    ("key", "value"),
    [("torch", "2.11.0"), ("numpy", "1.26.0"), ("python", "3.12.1"), ("processor", "Maker Y"),
     ("threads", 8)],
)  # fmt: skip
def test_a_training_that_was_not_on_such_a_machine_is_told(key: str, value: str | int) -> None:
    (line,) = lines(late=info(**{key: value}), add=info(), concat=info())
    assert line == f"late was trained with {key} {value}, here is {HERE[key]}"


def test_all_trainings_of_another_version_share_a_line() -> None:
    (line,) = lines(late=info(torch="2.11.0+cpu"), add=info(torch="2.11.0"))
    assert line == "every fusion was trained with torch 2.11.0, here is 2.15.0"


def test_two_other_versions_have_a_line_each() -> None:
    assert lines(late=info(numpy="1.0"), add=info(), b=info(numpy="2.0"), c=info(numpy="1.0")) == [
        "late and c were trained with numpy 1.0, here is 2.4.6",
        "b was trained with numpy 2.0, here is 2.4.6",
    ]


def test_a_plus_in_a_processors_name_is_part_of_it() -> None:
    (line,) = lines(late=info(processor="Maker X+"), add=info())
    assert line == "late was trained with processor Maker X+, here is Maker X"


# --- The device ---


def test_a_gpu_is_told_from_the_processor() -> None:
    gpu = info(device="cuda", processor="GPU Z", threads=64)
    (line,) = lines(late=gpu, add=info(), concat=info())
    assert line == "late was trained with device cuda (GPU Z), the others with cpu"


def test_two_gpus_are_told_apart() -> None:
    late, add, concat = (
        info(device="cuda", processor=name) for name in ("GPU Z", "GPU Q", "GPU Q")
    )
    (line,) = lines(late=late, add=add, concat=concat)
    assert line == "late was trained with device cuda (GPU Z), the others with cuda (GPU Q)"


def test_a_gpu_that_all_were_trained_on_is_not_compared_with_the_processor_here() -> None:
    gpu = info(device="cuda", processor="GPU Z", threads=64)
    assert lines(late=gpu, add=gpu) == []


# --- What is here ---


def test_what_is_here_is_what_a_training_here_would_record() -> None:
    threads = torch.get_num_threads()
    device = prepare(RuntimeParams(device="cpu", threads="auto", progress="off"))
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
