"""Kept work: finished seeds, and the states of unfinished ones, each under all that decides it.

A seed that was trained before from the same samples, settings, code and versions, on the same kind
of processor, is taken as it is; an unfinished one goes on where it was. Both lie outside the
stage's outputs, which DVC removes before it runs a stage, and serve the workspace, experiments with
a folder of their own, and the queue alike: in .work/seeds/<key>/ of the main checkout,

key.json                            what the key is made of, for a person to read
epoch_<number>.<digest>.safetensors a state after an epoch; the last two
finished.<digest>.safetensors       what came of the seed

The digest is that of the file's content, so that a damaged one is passed over.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from fusebench import system
from fusebench.aside import lock, remove, replace_file
from fusebench.device import RuntimeParams
from fusebench.files import write_json
from fusebench.sealed import digest_of
from fusebench.training.loop import Task, TrainingState, start
from fusebench.training.stored import (
    FinishedSeed,
    pack_finished,
    pack_state,
    unpack_finished,
    unpack_state,
)

FOLDER = Path(".work/seeds")
_SUFFIX = ".safetensors"
_STATES_KEPT = 2
# Of the training time, what keeping states may take.
_MOST_COST = 0.02


def _always() -> bool:
    return True


@dataclass(frozen=True)
class KeptSeeds:
    """The folder of kept work.

    Attributes
    ----------
    root : Path or None
        None: nothing is kept.
    save_every : float
        Seconds of training that may be lost, or an epoch where that is longer; more only where
        keeping a state takes so long that it would cost over 2 % of the time. 0: each epoch.
    limit : int
        Bytes that all kept work may take; beyond it, what was used longest ago goes first.
    say : callable
        Shows a line.
    same_code : callable
        Tells whether the code is still that of the key; what other code made is not kept.
    """

    root: Path | None = None
    save_every: float = 0
    limit: int = 0
    say: Callable[[str], None] = print
    same_code: Callable[[], bool] = _always

    @classmethod
    def of(
        cls, runtime: RuntimeParams, say: Callable[[str], None], same_code: Callable[[], bool]
    ) -> Self:
        """Return the kept work of this project; of the main checkout for all its experiments."""
        root = Path(os.environ.get("DVC_ROOT", "")) / FOLDER
        return cls(root, runtime.save_every, round(runtime.work_limit * 1e9), say, same_code)

    @contextmanager
    def hold(self, key: Mapping[str, Any], label: str) -> Iterator["KeptSeed"]:
        """Yield what is kept of a seed; no other process works on it meanwhile.

        Parameters
        ----------
        key : mapping of str to Any
            All that decides what comes of the seed; as JSON.
        label : str
            How messages call the seed.
        """
        folder = self._folder(key)
        if folder is None:
            yield KeptSeed(self, None, label)
            return
        with self._locked(folder, label):
            if not (folder / "key.json").exists():
                write_json(folder / "key.json", key)
            # Used now: see `prune`.
            os.utime(folder)
            with closing(KeptSeed(self, folder, label)) as of_seed:
                yield of_seed

    def has(self, key: Mapping[str, Any]) -> bool:
        """Tell whether what came of a seed is kept, without waiting for who may work on it."""
        return KeptSeed(self, self._folder(key), "").finished() is not None

    def put(self, key: Mapping[str, Any], label: str, content: bytes) -> None:
        """Keep what came of a seed elsewhere, as `stored.pack_finished`; parameters as `hold`."""
        with self.hold(key, label) as of_seed:
            of_seed.put(content)

    def _folder(self, key: Mapping[str, Any]) -> Path | None:
        text = json.dumps(key, sort_keys=True)
        return None if self.root is None else self.root / digest_of(text.encode())

    @contextmanager
    def _locked(self, folder: Path, label: str) -> Iterator[None]:
        """Hold the lock of a folder, which is made if it is not there."""

        def wait() -> None:
            self.say(f"{label}: another run trains the same; waiting for it")

        with ExitStack() as stack:
            while True:
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except FileExistsError:
                    # Where `prune` removes it as soon as mkdir finds it there.
                    if not folder.parent.is_dir():
                        raise
                try:
                    # While this waits, `prune` may remove the folder.
                    if system.is_in_place(stack.enter_context(lock(folder, wait))):
                        break
                except FileNotFoundError:
                    continue
            yield

    def prune(self) -> None:
        """Remove what was used longest ago, until the rest is within the limit.

        Trouble with a folder is none of the training's: that folder stays.
        """
        if self.root is None or not self.root.is_dir():
            return
        used: dict[Path, float] = {}
        for folder in self.root.iterdir():
            with suppress(OSError):
                used[folder] = folder.stat().st_mtime
        total = 0
        for folder in sorted(used, key=used.__getitem__, reverse=True):
            with suppress(OSError):
                total += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                if total > self.limit:
                    remove(folder)


class KeptSeed:
    """What is kept of one seed; made by `KeptSeeds.hold`."""

    def __init__(self, kept: KeptSeeds, folder: Path | None, label: str) -> None:
        self._kept, self._folder, self._label = kept, folder, label
        # When a state was last kept, and how long the training waited for that, in seconds.
        self._saved, self._cost = perf_counter(), 0.0
        # The disk is slow, and training need not wait for it.
        self._writer, self._writing = ThreadPoolExecutor(1), Future[None]()
        self._writing.set_result(None)

    def close(self) -> None:
        """Wait until a state that is being written is on disk, or has failed."""
        self._writer.shutdown()

    def finished(self) -> FinishedSeed | None:
        """Return what came of the seed, if it was trained before."""
        for content in self._sound("finished"):
            return unpack_finished(content)
        return None

    def begin(self, task: Task) -> TrainingState:
        """Return the last state that was kept, or the state before the first epoch."""
        for content in self._sound("epoch_*"):
            state = unpack_state(content, task)
            self._kept.say(
                f"{self._label}: goes on after epoch {state.epoch} of {task.settings.epochs}, "
                "which was kept"
            )
            return state
        return start(task)

    def keep(self, state: TrainingState) -> None:
        """Keep a state, if waiting for another epoch would put more work at risk than allowed.

        It is taken now and written while training goes on; what is wrong with the disk is raised
        by the next call, or by `finish`.
        """
        began, allowed = perf_counter(), self._kept.save_every
        if allowed:
            allowed = max(allowed, self._cost / _MOST_COST)
        if self._folder is None or began - self._saved + state.seconds[-1] <= allowed:
            return
        self._writing.result()
        self._writing = self._writer.submit(self._write_state, state.epoch, pack_state(state))
        self._saved = perf_counter()
        self._cost = self._saved - began

    def _write_state(self, epoch: int, content: bytes) -> None:
        self._write(f"epoch_{epoch:06}", content)
        for old in self._files("epoch_*")[_STATES_KEPT:]:
            old.unlink()

    def finish(self, finished: FinishedSeed) -> None:
        """Keep what came of the seed; its states are needed no more."""
        if self._folder is not None:
            self.put(pack_finished(finished))

    def put(self, content: bytes) -> None:
        """Keep what came of the seed, as `stored.pack_finished` packs it."""
        self._writing.result()
        self._write("finished", content)
        for state in self._files("epoch_*"):
            state.unlink()

    def _write(self, name: str, content: bytes) -> None:
        if self._folder is None:
            return
        if not self._kept.same_code():
            self._kept.say(f"warning: {self._label}: code was changed meanwhile; not kept")
            return
        with replace_file(self._folder / f"{name}.{digest_of(content)}{_SUFFIX}") as aside:
            aside.write_bytes(content)

    def _files(self, name: str) -> list[Path]:
        """Return the kept files of a kind, the latest epoch first."""
        if self._folder is None:
            return []
        return sorted(self._folder.glob(f"{name}.*{_SUFFIX}"), reverse=True)

    def _sound(self, name: str) -> Iterator[bytes]:
        """Yield the contents of the kept files of a kind that are as they were written."""
        for path in self._files(name):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                # Another run made room meanwhile.
                continue
            if digest_of(content) == path.name.split(".")[1]:
                yield content
            else:
                self._kept.say(f"warning: {path}: damaged, passed over and removed")
                path.unlink(missing_ok=True)


NOTHING_KEPT = KeptSeeds()
