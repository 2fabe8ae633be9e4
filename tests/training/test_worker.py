"""What a worker tells the process that started it, and how it notices that this one is gone."""

import multiprocessing
import pickle
from typing import Any

import pytest
import torch

from fusebench.errors import BadSamplesError, TrainingError
from fusebench.training import worker


@pytest.mark.parametrize("error", [EOFError("Ran out of input"), ConnectionResetError("reset")])
def test_an_error_of_a_training_is_told_even_if_a_pipe_could_raise_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(_relay: object) -> None:
        raise error

    monkeypatch.setattr(worker, "_train", train)
    near, far = multiprocessing.Pipe()
    # It waits to be told to end.
    far.send("end")
    worker._train_or_tell(worker._Relay(near))
    kind, told = far.recv()
    assert (kind, type(told), str(told)) == ("failed", type(error), str(error))


def test_the_other_end_of_the_pipe_is_missed_by_who_hears_and_who_tells() -> None:
    near, far = multiprocessing.Pipe()
    far.close()
    relay = worker._Relay(near)
    with pytest.raises(worker._GoneError):
        relay.hear()
    with pytest.raises(worker._GoneError):
        relay.note("anybody?")


def sent_through(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(worker._portable(error)))  # noqa: S301


class Refusing(Exception):  # noqa: N818
    """Cannot be sent."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)
        self.two = two


@pytest.mark.parametrize(
    "error",
    [TrainingError("lr"), OSError(28, "No space left on device", "/a"), MemoryError(),
     RuntimeError("DefaultCPUAllocator: not enough memory"), torch.OutOfMemoryError("CUDA"),
     ValueError("mine")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_errors_come_as_they_are(error: Exception) -> None:
    try:
        raise error
    except type(error) as raised:
        sent = sent_through(raised)
    assert (type(sent), str(sent), sent.args) == (type(error), str(error), error.args)
    assert "raise error" in sent.__notes__[0], "where it was raised"


@pytest.mark.parametrize("error", [Refusing(1, 2), BadSamplesError("a.zip", ["b"])])
def test_an_error_that_cannot_be_sent_comes_as_its_text(error: Exception) -> None:
    sent = sent_through(error)
    assert type(error).__name__ in str(sent)
