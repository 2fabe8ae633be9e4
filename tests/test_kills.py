"""Runs of the real DVC, killed: nothing is lost, nothing half-done is called done."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import yaml
from tests.project import Project, started
from tests.reliability import Tally

from fusebench.files import dvc_digest
from fusebench.models.registry import FUSIONS

pytestmark = pytest.mark.slow
if not hasattr(os, "killpg"):
    pytest.skip("this system has no groups of processes", allow_module_level=True)

# Long enough to be killed in, short enough to come to an end.
EPOCHS = 24
TRAIN = ("repro", "--single-item", "train@add")
# Who is killed, and how.
WAYS = (
    ("all", signal.SIGKILL), ("dvc", signal.SIGKILL), ("stage", signal.SIGKILL),
    ("stage", signal.SIGTERM), ("all", signal.SIGINT), ("dvc", signal.SIGTERM),
)  # fmt: skip


@dataclass
class Run:
    """A run of DVC, with what it has said so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def wait_for(self, text: str) -> None:
        """Read until a line begins with a text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(text):
                return
        raise AssertionError("\n".join(self.lines))

    @property
    def stage(self) -> int | None:
        """The number of the process of the stage's script; None once it has ended."""
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = status.with_name("cmdline").read_text("utf-8").split("\0")
                mine = os.getpgid(int(status.parent.name)) == self.process.pid
            except (OSError, UnicodeDecodeError):
                continue
            if mine and len(words) > 1 and words[1].startswith("src/"):
                return int(status.parent.name)
        return None

    def kill(self, who: str, number: int) -> bool:
        """Send a signal to the whole run, to DVC alone, or to its stage; tell if that still ran."""
        process = self.process.pid if who == "dvc" else self.stage
        if process is None or self.process.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            if who == "all":
                os.killpg(self.process.pid, number)
            else:
                os.kill(process, number)
            return True
        return False

    def end(self) -> int:
        """Read the rest; return the exit code."""
        assert self.process.stdout is not None
        # The pipe closes when nobody is left who could write to it: the stage, too, has ended.
        self.lines += [line.rstrip("\n") for line in self.process.stdout]
        return self.process.wait()


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[Run]:
    """Start DVC; at the end, leave none of its processes."""
    with started(project, *arguments) as process:
        run = Run(process)
        try:
            yield run
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def unlock(project: Project) -> None:
    """Do what docs/reliability.md says where a killed DVC left its lock empty."""
    lock = project.root / ".dvc/tmp/rwlock"
    if lock.exists() and not lock.read_text("utf-8").strip():
        lock.unlink()


def results(project: Project, fusion: str = "add") -> dict[str, bytes]:
    """What a training leaves that repeats."""
    models = project.root / "models" / fusion
    files = {path.name: path.read_bytes() for path in models.iterdir()}
    return {**files, "curve": (project.root / f"plots/training/{fusion}.csv").read_bytes()}


def predictions(project: Project, fusion: str) -> dict[str, bytes]:
    """Predict; return what that leaves."""
    project.dvc("repro", "--single-item", f"predict@{fusion}")
    folder = project.root / "predictions" / fusion
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_rates = count(1)


def new_rate() -> float:
    """Return a learning rate that no test has trained with."""
    return round(0.001 + next(_rates) / 10**6, 6)


@dataclass(frozen=True)
class Straight:
    """What came of a training in one go, and the seconds from its first line to its end."""

    fusion: str
    files: dict[str, bytes]
    predicted: dict[str, bytes]
    seconds: float


def begin(project: Project, fusion: str = "add") -> None:
    """Make a training the next thing to do."""
    project.set_params({
        "fusion": fusion, "fusions": sorted({fusion, "hadamard"}), "train.epochs": EPOCHS,
        "train.lr": new_rate(), "runtime.save_every": 0.5,
    })  # fmt: skip
    project.dvc("repro", "check")


def train_straight(project: Project, fusion: str) -> Straight:
    """Train in one go, with a new rate; forget it."""
    begin(project, fusion)
    with running(project, *train(fusion)) as run:
        run.wait_for(f"{fusion} (fusion")
        began = time.monotonic()
        assert run.end() == 0, "\n".join(run.lines)
        seconds = time.monotonic() - began
    came = Straight(fusion, results(project, fusion), predictions(project, fusion), seconds)
    forget(project, fusion)
    return came


def train(fusion: str) -> tuple[str, ...]:
    """Return what DVC is told, to train a fusion and do nothing else."""
    return ("repro", "--single-item", f"train@{fusion}")


@pytest.fixture
def straight(clean: Project) -> Straight:
    """What came of a training of `add` in one go, forgotten again."""
    return train_straight(clean, "add")


def recorded(project: Project, fusion: str) -> str:
    """Return the digest of a fusion's models in dvc.lock."""
    outs = project.lock()[f"train@{fusion}"]["outs"]
    return str(next(out["md5"] for out in outs if out["path"] == f"models/{fusion}"))


def cached(project: Project, fusion: str) -> Path:
    """Return the file of DVC's cache that stands for a fusion's models."""
    md5 = recorded(project, fusion)
    return project.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def forget(project: Project, fusion: str) -> None:
    """Remove a training's results wherever they are kept; DVC then has to run the stage."""
    cached(project, fusion).unlink()
    for folder in (".work/seeds", ".dvc/cache/runs", f"models/{fusion}"):
        # A kill may have come before DVC wrote the second.
        shutil.rmtree(project.root / folder, ignore_errors=True)


def kill_again_and_again(
    project: Project, straight: Straight, points: int, generator: random.Random
) -> tuple[int, list[str]]:
    """Kill a training at random moments, then let it end; return the kills and what was said."""
    kills, lines = 0, []
    command = train(straight.fusion)
    for number in range(points):
        with running(project, *command) as run:
            run.wait_for(f"{straight.fusion} (fusion")
            # Most of it, so that it comes forward; loading is a part of it each time.
            time.sleep(generator.uniform(0.2, 0.7) * straight.seconds)
            who, how = WAYS[number % len(WAYS)]
            kills += run.kill(who, how)
            code = run.end()
            lines += run.lines
        unlock(project)
        if code == 0 or cached(project, straight.fusion).exists():
            # It was faster than the kill. Begin anew, with other kills to come.
            forget(project, straight.fusion)
    output = project.dvc(*command)
    return kills, [*lines, *output.splitlines()]


def check_kills(project: Project, straight: Straight, points: int, seed: int, tally: Tally) -> None:
    generator = random.Random(seed)  # noqa: S311
    kills, lines = kill_again_and_again(project, straight, points, generator)
    fusion = straight.fusion
    same = results(project, fusion) == straight.files
    held = same and predictions(project, fusion) == straight.predicted
    tally("trainings killed in a run of DVC", kills, kills if held else 0)
    assert held
    assert {"seed_0.safetensors", "seed_1.safetensors", "model.json"} < set(straight.files)
    assert kills >= points // 2
    went_on = [line for line in lines if "goes on after epoch" in line or "kept from" in line]
    assert went_on, "\n".join(lines)
    assert recorded(project, fusion) == dvc_digest(project.root / "models" / fusion)


def test_a_training_killed_at_random_moments_goes_on_to_the_same_bits(
    clean: Project, straight: Straight, tally: Tally
) -> None:
    check_kills(clean, straight, 3, 1, tally)


@pytest.mark.thorough
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_any_training_killed_at_random_moments_goes_on_to_the_same_bits(
    fusion: str, clean: Project, tally: Tally
) -> None:
    # Together more than twenty.
    check_kills(clean, train_straight(clean, fusion), 3, 10 + FUSIONS.names().index(fusion), tally)


# --- Two at once ---


def test_beside_a_stage_that_outlived_its_dvc_the_second_run_says_so_and_ends(
    clean: Project,
) -> None:
    begin(clean)
    with running(clean, *TRAIN) as first:
        first.wait_for("add (fusion")
        # The folder is there before it is locked; the number in the lock comes after.
        lock = clean.root / "models/.add.partial/lock"
        wait_until(lambda: lock.exists() and lock.read_bytes())
        stage = first.stage
        assert stage is not None
        # Stopped, it does not notice that its DVC is gone.
        os.kill(stage, signal.SIGSTOP)
        first.kill("dvc", signal.SIGKILL)
        first.process.wait()
        unlock(clean)
        said = clean.dvc(*TRAIN, ok=False)
        busy = f"error: models/add: is being written by another run (process {stage}); wait for it"
        assert busy in said
        assert not (clean.root / "models/add").exists()
        os.kill(stage, signal.SIGCONT)
        first.end()
        assert any("the dvc that started this is gone" in line for line in first.lines)
    clean.dvc(*TRAIN)
    assert {"seed_0.safetensors", "seed_1.safetensors", "model.json"} < set(results(clean))
    assert list((clean.root / "models").glob(".*")) == []


@pytest.mark.thorough
def test_beside_a_run_of_dvc_the_second_says_so_and_ends(
    clean: Project, straight: Straight
) -> None:
    with running(clean, *TRAIN) as first:
        first.wait_for("add (fusion")
        said = clean.dvc(*TRAIN, ok=False)
        assert re.search(r"models/add.*is busy|being blocked", said)
        assert first.end() == 0
    assert results(clean) == straight.files


# --- Other runs than repro ---

RUNS = {
    "experiment": ("exp", "run", "train@add"),
    "folder of its own": ("exp", "run", "--temp", "train@add"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", sorted(RUNS))
def test_an_experiment_killed_goes_on_where_it_was(kind: str, clean: Project, tally: Tally) -> None:
    changes = ("-S", f"train.epochs={EPOCHS}", "-S", f"train.lr={new_rate()}")
    with running(clean, *RUNS[kind], *changes) as run:
        run.wait_for("add (fusion")
        wait_for_state(clean)
        run.kill("all", signal.SIGKILL)
        run.end()
    unlock(clean)
    # The queue of temporary runs may be locked by the one that was killed.
    output = clean.dvc(*RUNS[kind], *changes)
    held = "goes on after epoch" in output
    tally("experiments killed", 1, int(held))
    assert held, output


def wait_for_state(project: Project) -> None:
    """Wait until a state of an unfinished seed is kept."""
    wait_until(lambda: list((project.root / ".work/seeds").glob("*/epoch_*")))


def wait_until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.thorough
def test_a_queued_experiment_takes_what_the_workspace_trained(clean: Project) -> None:
    rate = f"train.lr={new_rate()}"
    clean.dvc("exp", "run", "-S", rate, "train@add")
    clean.git("reset", "--quiet", "--hard")
    # Another key that decides nothing of a seed: the stage runs anew, for its list of seeds.
    clean.dvc("exp", "run", "--queue", "-S", rate, "-S", "train.seeds=[1,0]", "train@add")
    clean.dvc("queue", "start")
    deadline = time.monotonic() + 300
    while re.search("Queued|Running", clean.dvc("queue", "status")):
        assert time.monotonic() < deadline
        time.sleep(1)
    (name,) = re.findall(r"^([0-9a-f]{7}) ", clean.dvc("queue", "status"), re.MULTILINE)
    assert clean.dvc("queue", "logs", name).count("kept from an earlier run") == 2


@pytest.mark.thorough
def test_more_seeds_train_those_that_are_new(clean: Project, straight: Straight) -> None:
    clean.dvc(*TRAIN)
    clean.set_params({"train.seeds": [0, 1, 2]})
    output = clean.dvc("repro", "train@add")
    assert output.count("kept from an earlier run") == 2
    assert "add seed 2 (3/3" in output
    for seed in (0, 1):
        name = f"seed_{seed}.safetensors"
        assert (clean.root / "models/add" / name).read_bytes() == straight.files[name]


@pytest.mark.thorough
def test_with_a_lock_of_another_processor_what_was_trained_here_is_taken(clean: Project) -> None:
    begin(clean)
    clean.dvc(*TRAIN)
    path = clean.root / "dvc.lock"
    lock = yaml.safe_load(path.read_text("utf-8"))
    (out,) = [out for out in lock["stages"]["train@add"]["outs"] if out["path"] == "models/add"]
    # Pulled from a colleague, without their models.
    out["md5"] = f"{'0' * 32}.dir"
    path.write_text(yaml.safe_dump(lock), "utf-8")
    assert clean.dvc(*TRAIN).count("kept from an earlier run") == 2


# --- Every other stage ---

OTHERS = (
    "check", "synthesize@demo", "extract", "check_inputs", "split", "predict@add", "baseline",
    "headline", "evaluate", "compare", "gallery", "analysis", "report", "robustness",
    "cost@add", "stress@add",
)  # fmt: skip


def killed_at_random(project: Project, stage: str, generator: random.Random) -> None:
    """Kill a stage that runs anew, some time after it began."""
    with running(project, "repro", "--force", "--single-item", stage) as run:
        run.wait_for("Running stage")
        time.sleep(generator.uniform(0, 4))
        run.kill("all", signal.SIGKILL)
        run.end()
    unlock(project)


def outputs_are_whole(project: Project, stage: str) -> bool:
    """Tell whether each output is as it was or not there; what is measured does not repeat."""
    return all(
        not (project.root / out["path"]).exists()
        or dvc_digest(project.root / out["path"]) == out["md5"]
        for out in project.lock()[stage]["outs"]
        if out["path"] not in ("metrics/comparison.csv", "plots/report.html")
    )


def check_stage_killed(project: Project, stage: str, tally: Tally) -> None:
    before = project.lock()
    killed_at_random(project, stage, random.Random(stage))  # noqa: S311
    whole = outputs_are_whole(project, stage)
    project.dvc("repro")
    healed = project.changed_stages() == set() and same_results(before, project.lock())
    tally("other stages killed at a random moment", 1, int(whole and healed))
    assert whole
    assert healed


def same_results(before: dict[str, object], after: dict[str, object]) -> bool:
    """Tell whether two states of dvc.lock name the same outputs."""
    return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def test_a_killed_stage_leaves_old_outputs_or_none_and_the_next_run_heals(
    clean: Project, tally: Tally
) -> None:
    check_stage_killed(clean, "extract", tally)


@pytest.mark.thorough
@pytest.mark.parametrize("stage", OTHERS)
def test_any_killed_stage_leaves_old_outputs_or_none_and_the_next_run_heals(
    stage: str, clean: Project, tally: Tally
) -> None:
    check_stage_killed(clean, stage, tally)
