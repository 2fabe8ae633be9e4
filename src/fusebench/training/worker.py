"""The process of a worker: what it is told to train, it trains, and tells what came of it.

It hears through a pipe what to train, and tells through it how far it is and what came of the seed.
It takes kept seeds and keeps states itself. It ends with the process that started it, however that
ends.
"""

import math
import multiprocessing
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from fusebench import system
from fusebench.device import RuntimeParams, prepare
from fusebench.errors import TrainingError
from fusebench.inputs.corruption import corruption_of
from fusebench.models.base import fusion_class
from fusebench.progress import EpochFigures
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import open_samples
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training
from fusebench.training.stored import pack_finished
from fusebench.training.train import Job, train_job

# Between two messages within an epoch; the screen shows no more.
_SECONDS_BETWEEN = 0.2


@dataclass(frozen=True)
class Setup:
    """What a worker hears first: what all of its trainings share."""

    runtime: RuntimeParams
    samples: Path
    manifest: Manifest
    # Of each fusion, what tells whether its code is that of the keys.
    code: dict[str, Callable[[], bool]]


@dataclass(frozen=True)
class Seed:
    """What a worker hears of a job: all of it that is small."""

    recipe: Recipe
    code: str
    seed: int
    kept: KeptSeeds


def work(pipe: Connection) -> None:
    """Train what is heard of, until told to end, or the other end is gone."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        if system.WINDOWS:
            # A terminal sends Ctrl-C to all; elsewhere it is blocked from the start.
            signal.signal(signal.SIGINT, _go_on)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            _train_or_tell(_Relay(pipe))
        finally:
            signal.signal(signal.SIGTERM, _go_on)
    except (_GoneError, KeyboardInterrupt):
        pass


def _train_or_tell(relay: "_Relay") -> None:
    try:
        _train(relay)
    except _GoneError:
        raise
    except Exception as error:
        relay.tell("failed", _portable(error))
        # The other end decides; what this was writing has been removed.
        relay.hear()


def _interrupt(number: int, _frame: object) -> NoReturn:
    # Once: what is removed on the way out is to be removed in peace.
    signal.signal(signal.SIGTERM, _go_on)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _go_on(_number: int, _frame: object) -> None:
    """Do nothing: this process is ending already. (Python warns of SIG_IGN set too late.)"""


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101
    parent.join()
    system.end_politely()


def _train(relay: "_Relay") -> None:
    setup: Setup = relay.hear()
    device = prepare(setup.runtime)
    samples = open_samples(setup.samples)
    # All code is imported now: what is run is what the keys name.
    for fusion, same_code in setup.code.items():
        fusion_class(fusion)
        if not same_code():
            raise TrainingError(f"{fusion}: its code was changed while this began; run it again")
    while True:
        told: Seed = relay.hear()
        for name in told.recipe.train.probabilities:
            corruption_of(name)
        training = Training(told.recipe, samples, setup.manifest, device, told.code)
        kept = replace(told.kept, say=relay.note)
        finished = train_job(Job(training, told.seed, kept), relay)
        relay.tell("finished", pack_finished(finished))


class _GoneError(Exception):
    """The other end of the pipe is gone; no error of a training, which would be told."""


class _Relay:
    """Passes what a training shows on to the process that has the screen, and hears from it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._told = pipe, -math.inf
        # States are written, and their trouble is told, beside the training.
        self._lock = threading.Lock()

    def tell(self, kind: str, values: object) -> None:
        """Send a message: its kind, and what belongs to it."""
        with self._lock:
            try:
                self._pipe.send((kind, values))
            except OSError as error:
                raise _GoneError from error

    def hear(self) -> Any:
        """Wait for a message."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _GoneError from error

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None:
        if time.monotonic() >= self._told + _SECONDS_BETWEEN:
            self._told = time.monotonic()
            self.tell("batch", (label, epoch, epochs, share))

    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None:
        self.tell("epoch", (label, epochs, rate, figures))

    def seed(self, label: str, epochs: int, rate: float, best: EpochFigures) -> None:
        self.tell("seed", (label, epochs, rate, best))

    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None:
        self.tell("kept_seed", (label, epochs, best))

    def note(self, text: str) -> None:
        self.tell("note", (text,))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with where it was raised for a developer to read."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (it was made here)
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
