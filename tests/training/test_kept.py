"""Kept work: what was trained is not trained again, and what was begun goes on, to the last bit."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.datasets import sensors_of
from tests.project import ROOT

from fusebench.device import Device
from fusebench.inputs.lidar import LidarParams
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import NOTEBOOK, ModelParams, ModelSettings
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training import kept as kept_module
from fusebench.training import loop
from fusebench.training.kept import KeptSeed, KeptSeeds
from fusebench.training.loop import EpochRecord
from fusebench.training.recipe import Recipe, Training, code_digest
from fusebench.training.settings import TrainParams
from fusebench.training.stored import FinishedSeed
from fusebench.training.train import OutputPaths, train_fusion

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
EPOCHS = 4
# What depends on the step, and on weights, too: all that a state must hold.
SETTINGS: dict[str, Any] = {
    "seeds": [0], "epochs": EPOCHS, "batch_size": 8, "lr": 0.01, "weight_decay": 0.01,
    "schedule": "cosine", "class_weights": "balanced", "augment": (),
    "pooling": "max", "precision": "fp32",
}  # fmt: skip
Make = Callable[..., Training]


@pytest.fixture
def make(samples: Samples, manifest: Manifest, cpu: Device) -> Make:
    """Return a training; keywords change params of it."""

    def make(
        fusion: str = "add", code: str = "", model: ModelSettings = NOTEBOOK, **changes: Any
    ) -> Training:
        params = TrainParams.model_validate({**SETTINGS, **changes})
        recipe = Recipe(fusion, params, LIDAR, "fp32", model)
        return Training(recipe, samples, manifest, cpu, code)

    return make


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def kept(tmp_path: Path, said: list[str]) -> KeptSeeds:
    """A folder of kept work that keeps each epoch."""
    return KeptSeeds(tmp_path / "kept", 0, 10**9, said.append)


def train(training: Training, root: Path, kept: KeptSeeds) -> dict[str, bytes]:
    """Train; return what was written that repeats."""
    paths = OutputPaths.of(training.recipe.fusion, root)
    seeds = len(training.recipe.train.seeds)
    with Progress("off", seeds) as progress:
        train_fusion(training, progress, paths, kept)
    models = {path.name: path.read_bytes() for path in paths.models.iterdir()}
    return {**models, "curve": paths.curve.read_bytes()}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count the epochs that are computed."""
    epochs: list[int] = []
    train_epoch = loop.train_epoch

    def counting(task: Any, state: Any, *rest: Any) -> float:
        epochs.append(state.epoch + 1)
        return train_epoch(task, state, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", counting)
        yield epochs


class Killed(BaseException):
    """Stands for an end that nothing can catch."""


def kill_after(steps: int, name: str) -> Callable[[], None]:
    """Let the optimiser's step, or the end of an epoch, end the run after some calls."""
    patch = pytest.MonkeyPatch()
    owner, attribute = {
        "step": (torch.optim.Adam, "step"), "epoch": (KeptSeed, "keep"),
    }[name]  # fmt: skip
    original, left = getattr(owner, attribute), [steps]

    def ending(self: Any, *arguments: Any, **keywords: Any) -> Any:
        done = original(self, *arguments, **keywords)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return done

    patch.setattr(owner, attribute, ending)
    return patch.undo


# --- Exact ---


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_a_training_ended_after_each_epoch_goes_on_to_the_same_bits(
    fusion: str,
    make: Make,
    kept: KeptSeeds,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight = train(make(fusion), tmp_path / "straight", KeptSeeds())
    with counted(monkeypatch) as epochs:
        for _ in range(1, EPOCHS):
            undo = kill_after(1, "epoch")
            with pytest.raises(Killed):
                train(make(fusion), tmp_path / "parts", kept)
            undo()
        assert train(make(fusion), tmp_path / "parts", kept) == straight
    assert epochs == list(range(1, EPOCHS + 1)), "none is computed twice"
    assert said == [
        f"{fusion} seed 0: goes on after epoch {epoch} of {EPOCHS}, which was kept"
        for epoch in range(1, EPOCHS)
    ]


@pytest.fixture(params=["resnet18", "mobilenet_v3_small", "resnet18 from a file"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> ModelSettings:
    """An encoder that normalises by batches, and so has means beside its weights."""
    stem, _, stored = request.param.partition(" ")
    path = tmp_path / "weights.safetensors"
    if stored:
        from torchvision import models

        torch.manual_seed(7)
        save_file(getattr(models, stem)(weights=None).state_dict(), path)
    return ModelParams(stem=stem, weights=str(path) if stored else None).with_digest()


@pytest.mark.slow
def test_a_training_of_an_encoder_goes_on_to_the_same_bits(
    model: ModelSettings, make: Make, kept: KeptSeeds, said: list[str], tmp_path: Path
) -> None:
    straight = train(make("concat", model=model), tmp_path / "straight", KeptSeeds())
    for _ in range(1, EPOCHS):
        undo = kill_after(1, "epoch")
        with pytest.raises(Killed):
            train(make("concat", model=model), tmp_path / "parts", kept)
        undo()
    assert train(make("concat", model=model), tmp_path / "parts", kept) == straight
    assert len(said) == EPOCHS - 1
    # Kept, it is taken as it is: its means of batches, too.
    assert train(make("concat", model=model), tmp_path / "again", kept) == straight
    (weights,) = (
        load_file(path) for path in (tmp_path / "again/models/concat").glob("*.safetensors")
    )
    means = [value for name, value in weights.items() if name.endswith("running_mean")]
    assert len(means) >= 20
    assert all(value.any() for value in means)


def test_key_names_the_encoder_and_the_content_of_its_weights_and_not_their_place(
    make: Make,
) -> None:
    def key(**model: Any) -> dict[str, Any]:
        return make(model=ModelSettings(**{"weights": None, "digest": None, **model})).key(0)

    keys = [
        key(stem="notebook"), key(stem="resnet18"), key(stem="mobilenet_v3_small"),
        key(stem="resnet18", weights="a", digest="1"),
        key(stem="resnet18", weights="a", digest="2"),
    ]  # fmt: skip
    assert [one for number, one in enumerate(keys) if one in keys[:number]] == []
    assert key(stem="resnet18", weights="b", digest="1") == keys[3]


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 13])
def test_a_training_ended_within_an_epoch_goes_on_to_the_same_bits(
    steps: int,
    make: Make,
    kept: KeptSeeds,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight = train(make(), tmp_path / "straight", KeptSeeds())
    undo = kill_after(steps, "step")
    with pytest.raises(Killed):
        train(make(), tmp_path / "halves", kept)
    undo()
    steps_per_epoch = 4
    with counted(monkeypatch) as epochs:
        assert train(make(), tmp_path / "halves", kept) == straight
    assert epochs[0] == 1 + steps // steps_per_epoch, "an epoch at most is computed again"


# --- Finished seeds ---


def test_a_finished_seed_is_taken_as_it_is_and_others_are_trained(
    make: Make, kept: KeptSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = train(make(seeds=[1]), tmp_path, kept)
    with counted(monkeypatch) as epochs:
        both = train(make(seeds=[0, 1]), tmp_path, kept)
    assert epochs == list(range(1, EPOCHS + 1)), "seed 0 alone"
    assert both["seed_1.safetensors"] == one["seed_1.safetensors"]
    assert both == train(make(seeds=[0, 1]), tmp_path / "straight", KeptSeeds())
    with counted(monkeypatch) as epochs:
        assert train(make(seeds=[0, 1]), tmp_path / "again", kept) == both
    assert epochs == []


def test_what_was_trained_elsewhere_is_taken_under_its_key(
    make: Make, kept: KeptSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(make(), tmp_path / "straight", KeptSeeds())
    elsewhere = replace(kept, root=tmp_path / "elsewhere")
    train(make(), tmp_path / "other", elsewhere)
    (content,) = (path.read_bytes() for path in (tmp_path / "elsewhere").rglob("finished.*"))
    key = make().key(0)
    assert not kept.has(key)
    kept.put(key, "add seed 0", content)
    assert kept.has(key)
    assert not kept.has(make().key(1))
    with counted(monkeypatch) as epochs:
        assert train(make(), tmp_path / "here", kept) == straight
    assert epochs == []


def test_a_damaged_seed_is_not_kept(make: Make, kept: KeptSeeds) -> None:
    key = make().key(0)
    kept.put(key, "add seed 0", b"content")
    (path,) = kept_folder(kept).glob("finished.*")
    path.write_bytes(b"another")
    assert not kept.has(key)


def test_of_a_kept_seed_it_is_said_so_with_its_figures(
    make: Make, kept: KeptSeeds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(make(seeds=[0]), tmp_path, kept)
    with Progress("plain", 2) as progress:
        train_fusion(make(seeds=[0, 1]), progress, OutputPaths.of("add", tmp_path), kept)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("add seed 0 (1/2): kept from an earlier run; best by val loss is epoch")
    assert second.startswith("add seed 1 (2/2): best by val loss is epoch ")


def test_measurements_are_those_of_the_run_that_trained(
    make: Make, kept: KeptSeeds, tmp_path: Path
) -> None:
    train(make(), tmp_path, kept)
    path = OutputPaths.of("add", tmp_path).metrics
    measured = path.read_bytes()
    train(make(), tmp_path, kept)
    assert path.read_bytes() == measured


def test_nothing_is_kept_of_a_seed_but_what_came_of_it(
    make: Make, kept: KeptSeeds, tmp_path: Path
) -> None:
    train(make(), tmp_path, kept)
    names = sorted(path.name.split(".")[0] for path in kept_folder(kept).iterdir())
    assert names == ["finished", "key", "lock"]


def kept_folder(kept: KeptSeeds) -> Path:
    assert kept.root is not None
    (folder,) = kept.root.iterdir()
    return folder


def test_what_other_code_made_than_that_of_the_key_is_not_kept(
    make: Make, kept: KeptSeeds, said: list[str], tmp_path: Path
) -> None:
    edited = replace(kept, same_code=lambda: False)
    straight = train(make(), tmp_path, edited)
    assert set(said) == {"warning: add seed 0: code was changed meanwhile; not kept"}
    assert sorted(path.name for path in kept_folder(kept).iterdir()) == ["key.json", "lock"]
    assert train(make(), tmp_path, kept) == straight


# --- States ---


def begun(training: Training, root: Path, kept: KeptSeeds, epochs: int) -> list[Path]:
    """End a training after some epochs; return the files of its states, the latest first."""
    undo = kill_after(epochs, "epoch")
    with pytest.raises(Killed):
        train(training, root, kept)
    undo()
    return sorted(kept_folder(kept).glob("epoch_*"), reverse=True)


def test_the_last_two_states_are_kept(make: Make, kept: KeptSeeds, tmp_path: Path) -> None:
    states = begun(make(), tmp_path, kept, 3)
    assert [path.name.split(".")[0] for path in states] == ["epoch_000003", "epoch_000002"]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(content if how == "flipped" else content[: len(content) // 2])


@pytest.mark.parametrize("how", ["flipped", "cut"])
@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_state_is_passed_over_with_a_warning(
    damaged: int, how: str, make: Make, kept: KeptSeeds, said: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    straight = train(make(), tmp_path / "straight", KeptSeeds())
    states = begun(make(), tmp_path, kept, 3)
    for path in states[:damaged]:
        damage(path, how)
    with counted(monkeypatch) as epochs:
        assert train(make(), tmp_path, kept) == straight
    assert epochs[0] == (3 if damaged == 1 else 1)
    assert said[:damaged] == [
        f"warning: {path}: damaged, passed over and removed" for path in states[:damaged]
    ]


def test_a_damaged_finished_seed_is_trained_again(
    make: Make, kept: KeptSeeds, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(make(), tmp_path, kept)
    (finished,) = kept_folder(kept).glob("finished.*")
    damage(finished, "flipped")
    with counted(monkeypatch) as epochs:
        assert train(make(), tmp_path, kept) == straight
    assert len(epochs) == EPOCHS
    assert said == [f"warning: {finished}: damaged, passed over and removed"]


def test_a_full_disk_ends_the_training_which_then_goes_on(
    make: Make, kept: KeptSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(make(), tmp_path / "straight", KeptSeeds())
    write_bytes, written = Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        written.append(self)
        if len(written) == 3:
            write_bytes(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left") as caught:
            train(make(), tmp_path, kept)
    assert "epoch_000003" in str(caught.value.filename)
    assert not (tmp_path / "models").exists() or not any((tmp_path / "models").iterdir())
    with counted(monkeypatch) as epochs:
        assert train(make(), tmp_path, kept) == straight
    assert epochs == [3, 4]


@pytest.mark.parametrize(
    ("save_every", "epoch", "save", "saved"),
    [
        # Seconds of an epoch and of a save: after which epochs a state is kept.
        (10, 4, 0.01, [2, 4, 6]),
        (10, 30, 0.01, [1, 2, 3, 4, 5, 6]),
        (10, 1, 0.01, [10]),
        (0, 1, 0.01, [1, 2, 3]),
        # A save of a second, of which 2 % are 50 seconds of training.
        (10, 4, 1.0, [2, 14]),
    ],
)
def test_little_is_lost_and_keeping_costs_little(
    save_every: float,
    epoch: float,
    save: float,
    saved: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, epochs = [0.0], []
    monkeypatch.setattr(kept_module, "perf_counter", lambda: now[0])

    def pack(state: Any) -> bytes:
        now[0] += save
        epochs.append(state.epoch)
        return b""

    monkeypatch.setattr(kept_module, "pack_state", pack)
    of_seed = KeptSeed(KeptSeeds(tmp_path, save_every, 0), tmp_path, "add seed 0")
    for number in range(1, saved[-1] + 1):
        now[0] += epoch
        of_seed.keep(SimpleNamespace(epoch=number, seconds=[epoch]))  # type: ignore[arg-type]
    of_seed.close()
    assert epochs == saved


def test_training_does_not_wait_for_the_disk_and_who_comes_next_finds_the_state(
    make: Make, kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes, free, begun = Path.write_bytes, threading.Event(), threading.Event()

    def slow(self: Path, content: bytes) -> int:
        begun.set()
        assert free.wait(60)
        return write_bytes(self, content)

    monkeypatch.setattr(Path, "write_bytes", slow)
    task = make(epochs=1).task(0)
    state = loop.fit(task, loop.start(task), lambda *_: None)
    with kept.hold({}, "add seed 0") as of_seed:
        of_seed.keep(state)
        assert begun.wait(60)
        # This line is reached while the state is being written.
        assert not list(kept_folder(kept).glob("epoch_*"))
        free.set()
    with kept.hold({}, "add seed 0") as of_seed:
        assert of_seed.begin(task).epoch == 1


# --- The key ---


def with_changes(training: Training, name: str) -> tuple[Training, int]:
    """Return a training that differs in one thing, and the seed."""
    recipe, dataset = training.recipe, training.samples.dataset
    params = recipe.train
    table = training.manifest.table
    first = table.index[table["seed_0"] == "train"][0]

    def other_params(**changes: Any) -> Training:
        changed = replace(recipe, train=params.model_copy(update=changes))
        return replace(training, recipe=changed)

    def other_table(column: str, value: str) -> Training:
        changed = table.copy()
        changed.loc[first, column] = value
        return replace(training, manifest=Manifest(changed))

    def other_lidar(**changes: Any) -> Training:
        lidar = recipe.lidar.model_copy(update=changes)
        return replace(training, recipe=replace(recipe, lidar=lidar))

    return {
        "fusion": lambda: replace(training, recipe=replace(recipe, fusion="concat")),
        "lr": lambda: other_params(lr=0.02),
        "epochs": lambda: other_params(epochs=5),
        "align": lambda: other_lidar(align="camera"),
        "precision": lambda: replace(training, recipe=replace(recipe, precision="bf16")),
        "draw": lambda: other_table("seed_0", "unused"),
        "a sample's content": lambda: other_table("digest", "0" * 32),
        "a sample's id": lambda: other_table("id", "9999"),
        "code": lambda: replace(training, code="other"),
        "threads": lambda: replace(training, device=replace(training.device, threads=7)),
        "max_range": lambda: replace(
            training,
            samples=replace(
                training.samples, dataset=replace(dataset, sensors=sensors_of(max_range=60.0))
            ),
        ),
        "angles": lambda: replace(
            training, samples=replace(training.samples, azimuth=training.samples.azimuth * 2)
        ),
    }[name](), 0


CHANGES = ("fusion", "lr", "epochs", "align", "precision", "draw", "a sample's content",
           "a sample's id", "code", "threads", "max_range", "angles")  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_all_that_decides_a_result_is_in_the_key(name: str, make: Make) -> None:
    training = make()
    changed, seed = with_changes(training, name)
    assert changed.key(seed) != training.key(seed)


@pytest.mark.parametrize("name", ["processor_kind", "environment"])
def test_another_processor_or_version_has_another_key(
    name: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make().key(0)
    monkeypatch.setattr(f"fusebench.training.recipe.{name}", lambda *_: "another")
    assert make().key(0) != before


@pytest.mark.parametrize(
    ("variable", "decides"),
    [("ONEDNN_MAX_CPU_ISA", True), ("MKL_CBWR", True), ("NVIDIA_TF32_OVERRIDE", True),
     ("LANG", False), ("OMP_NUM_THREADS", False)],
)  # fmt: skip
def test_variables_by_which_libraries_choose_code_are_in_the_key(
    variable: str, decides: bool, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make().key(0)
    monkeypatch.setenv(variable, "another")
    assert (make().key(0) != before) is decides


def test_another_seed_has_another_key_and_other_seeds_in_the_list_have_not(make: Make) -> None:
    assert make().key(0) != make().key(1)
    assert make(seeds=[0]).key(0) == make(seeds=[0, 1, 2]).key(0)


def test_samples_that_a_seed_does_not_see_are_not_in_its_key(make: Make) -> None:
    training = make()
    table = training.manifest.table.copy()
    table.loc[table["seed_0"] == "test", "digest"] = "0" * 32
    table["seed_1"] = "unused"
    # Other samples before them in the archive.
    table["row"] += 10
    assert replace(training, manifest=Manifest(table)).key(0) == training.key(0)


def test_the_key_stands_beside_the_work_for_a_person_to_read(
    make: Make, kept: KeptSeeds, tmp_path: Path
) -> None:
    training = make()
    train(training, tmp_path, kept)
    stored = json.loads((kept_folder(kept) / "key.json").read_text("utf-8"))
    assert stored == json.loads(json.dumps(training.key(0)))


def test_code_is_what_the_stage_depends_on_and_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")

    deps = ["data/split.csv", "requirements.txt", "src/a", "src/fusions/${item.fusion}.py"]
    write("dvc.yaml", json.dumps({"stages": {"train": {"deps": deps}}}))
    paths = ("data/split.csv", "requirements.txt", "src/a/b.py", "src/fusions/add.py",
             "src/fusions/late.py", "src/a/__pycache__/b.pyc")  # fmt: skip
    for path in paths:
        write(path, "1")
    monkeypatch.chdir(tmp_path)
    digest = code_digest("add")
    for path in paths:
        write(path, "2")
        decides = path in ("requirements.txt", "src/a/b.py", "src/fusions/add.py")
        assert (code_digest("add") != digest) is decides, path
        write(path, "1")
    assert digest == code_digest("add") != code_digest("late")


# --- Other processes ---


def test_who_comes_second_waits_and_takes_what_the_first_trained(
    make: Make, kept: KeptSeeds, said: list[str], tmp_path: Path
) -> None:
    training = make()
    waited = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        waited.set()

    second: list[dict[str, bytes]] = []
    other = replace(kept, say=say)
    with kept.hold(training.key(0), "add seed 0") as of_seed:
        thread = threading.Thread(
            target=lambda: second.append(train(training, tmp_path / "second", other))
        )
        thread.start()
        assert waited.wait(60)
        record = EpochRecord(0, 1, 0.5, 0.25, 50.0, 50.0, 50.0)
        made_up = {"weight": torch.ones(3)}
        of_seed.finish(FinishedSeed(made_up, 1, [record], [1.0], {"peak_mb": 1.0}))
    thread.join(60)
    assert said == ["add seed 0: another run trains the same; waiting for it"]
    assert b"0,1,0.5,0.25,50.0,50.0,50.0" in second[0]["curve"]


def test_a_killed_process_holds_nothing(make: Make, kept: KeptSeeds) -> None:
    key = make().key(0)
    code = f"""
import json, os
from pathlib import Path
from fusebench.training.kept import KeptSeeds
with KeptSeeds(Path({str(kept.root)!r})).hold(json.loads({json.dumps(key)!r}), "add seed 0"):
    os.kill(os.getpid(), 9)
"""
    path = {"PYTHONPATH": str(ROOT / "src")}
    killed = subprocess.run([sys.executable, "-c", code], env=os.environ | path)
    assert killed.returncode == -9
    with kept.hold(key, "add seed 0") as of_seed:
        assert of_seed.finished() is None
    assert len(list(kept_folder(kept).parent.iterdir())) == 1, "the same folder"


# --- How much is kept ---


def fill(kept: KeptSeeds, name: str, size: int, used: float) -> Path:
    with kept.hold({"name": name}, name):
        pass
    assert kept.root is not None
    (folder,) = [
        path.parent
        for path in kept.root.glob("*/key.json")
        if json.loads(path.read_text("utf-8")) == {"name": name}
    ]
    (folder / "finished.x.safetensors").write_bytes(b"\0" * size)
    os.utime(folder, (used, used))
    return folder


def test_what_was_used_longest_ago_goes_first(kept: KeptSeeds) -> None:
    folders = {name: fill(kept, name, 1000, used) for name, used in (("b", 2), ("c", 3), ("a", 1))}
    replace(kept, limit=2500).prune()
    assert {name for name, folder in folders.items() if folder.exists()} == {"b", "c"}
    # It was used again.
    with kept.hold({"name": "b"}, "b"):
        pass
    replace(kept, limit=1500).prune()
    assert {name for name, folder in folders.items() if folder.exists()} == {"b"}


def test_what_another_process_works_on_is_not_removed(kept: KeptSeeds) -> None:
    folder = fill(kept, "a", 1000, 1)
    with kept.hold({"name": "a"}, "a"):
        replace(kept, limit=0).prune()
        assert folder.exists()
    replace(kept, limit=0).prune()
    assert not folder.exists()


def test_while_another_process_keeps_states_removing_troubles_nobody(kept: KeptSeeds) -> None:
    assert kept.root is not None
    (kept.root / "a file").parent.mkdir()
    (kept.root / "a file").write_bytes(b"x" * 10)
    stop = threading.Event()

    def work() -> None:
        for number in count():
            name = str(number % 3)
            with kept.hold({"name": name}, name) as of_seed:
                record = EpochRecord(0, 1, 0.5, 0.25, 50.0, 50.0, 50.0)
                of_seed.finish(FinishedSeed({"w": torch.ones(3)}, 1, [record], [1.0], {}))
                # What is held stays, whoever removes what.
                assert of_seed.finished() is not None
            if stop.is_set():
                return

    with ThreadPoolExecutor(2) as workers:
        running = [workers.submit(work) for _ in range(2)]
        for _ in range(300):
            replace(kept, limit=0).prune()
        stop.set()
    for worker in running:
        worker.result()


def test_a_folder_that_is_removed_while_it_is_made_is_made_again(
    kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path.mkdir fails where a folder was there, and is gone when it looks what that is."""
    mkdir, refused = Path.mkdir, list[Path]()

    def removed_at_once(path: Path, *args: Any, **options: Any) -> None:
        if path.parent == kept.root and not refused:
            mkdir(path, *args, **options)
            path.rmdir()
            refused.append(path)
            raise FileExistsError(path)
        mkdir(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", removed_at_once)
    with kept.hold({"name": "a"}, "a") as of_seed:
        assert of_seed.finished() is None
    (folder,) = refused
    assert folder.is_dir()


def test_nothing_is_kept_where_there_is_no_folder(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(make(), tmp_path / "project", KeptSeeds())
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize("root", [None, "/main"])
def test_kept_work_is_that_of_the_main_checkout(
    root: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: Mapping[str, str] = {} if root is None else {"DVC_ROOT": root}
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    runtime = SimpleNamespace(save_every=7.0, work_limit=2.5)
    kept = KeptSeeds.of(runtime, print, lambda: True)  # type: ignore[arg-type]
    assert kept.root == Path(root or "") / ".work/seeds"
    assert (kept.save_every, kept.limit) == (7.0, 2_500_000_000)
