"""Runs and what came of them, made up; and a package of a tracker that goes wrong."""

import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
from PIL import Image

from fusebench.sealed import digest_of
from fusebench.tracking.run import Outcome, Run, Table

EPOCHS = {
    1: {"epoch": 1, "loss": 0.75, "val_loss": 0.5, "accuracy": 62.5},
    2: {"epoch": 2, "loss": 0.25, "val_loss": 0.125, "accuracy": 87.5},
}
TABLE = Table(
    ("Model", "Parameters", "Time (s/epoch)"), [["add", 117314, 0.5], ["majority_class", 0, None]]
)


def training(name: str = "add seed 0", group: str = "slower") -> Run:
    """Return a training's run."""
    params: dict[str, str | int | float | bool] = {
        "fusion": "add", "seed": 0, "lr": 0.001, "lidar.normalize": True, "augment": "",
        **{f"many.{number}": number for number in range(120)},
    }  # fmt: skip
    tags = {"fusion": "add", "commit": "0123456789" * 4, "changed": "not all was committed"}
    return Run(digest_of(name.encode()), name, group, "training", tags, params)


def weights(folder: Path) -> Outcome:
    """Return what came of a training, with files in a folder."""
    files = {"model/seed_0.safetensors": folder / "seed_0.safetensors"}
    files["model/seed_0.safetensors"].write_bytes(b"weights")
    return Outcome("d1", {"best_epoch": 2.0, "best_val_loss": 0.125}, files=files)


def comparison() -> Run:
    """Return the run of a comparison."""
    return Run("ab" * 16, "comparison 0c65011", "slower", "comparison", {}, {"train.lr": 0.001})


def compared(folder: Path, *, page: bool = True) -> Outcome:
    """Return what came of a comparison, with a picture and one page or two in a folder."""
    files = {"comparison.md": folder / "comparison.md"}
    if page:
        files["report.html"] = folder / "report.html"
        files["report.html"].write_text("<html>", "utf-8")
    Image.new("RGB", (4, 3), (255, 0, 0)).save(folder / "best.png")
    (folder / "comparison.md").write_text("# Comparison", "utf-8")
    return Outcome(
        f"d2 {len(files)}", {"test_nll": 0.25}, {"fusion_comparison": TABLE},
        {"accuracy": {"add": [(1, 62.5), (2, 87.5)], "late": [(1, 50.0)]}},
        {"best": folder / "best.png"}, files,
    )  # fmt: skip


COMPARED_EPOCHS = {
    1: {"epoch": 1, "accuracy/add": 62.5, "accuracy/late": 50.0},
    2: {"epoch": 2, "accuracy/add": 87.5},
}


def package(folder: Path, text: str, at_once: str = "") -> str:
    """Write a package dvclive that goes wrong; return the PYTHONPATH that finds it.

    Parameters
    ----------
    text : str
        What happens when a metric is told to it.
    at_once : str
        What happens when it is imported.
    """
    (folder / "dvclive").mkdir(parents=True)
    (folder / "dvclive/__init__.py").write_text(at_once, "utf-8")
    live = f"""
import os, signal, time
class Live:
    def __init__(self, folder, **_): self.artifacts_dir = folder
    def log_params(self, params): pass
    def log_metric(self, *told, **_):
        {text}
    def make_summary(self): pass
    def end(self): pass
"""
    (folder / "dvclive/live.py").write_text(live, "utf-8")
    return str(folder)


def fill_disk(checkout: Path) -> None:
    """Have the disk of the one journal of a checkout be full from now on."""
    (journal,) = checkout.rglob("journal.jsonl")
    # Who follows it has opened it then: there is no end of what can be read of a full one.
    while "opened: " not in journal.with_name("log.txt").read_text("utf-8"):
        time.sleep(0.05)
    journal.unlink()
    journal.symlink_to("/dev/full")


def time_after_a_word(checkout: Path) -> SimpleNamespace:
    """Return a module `time` by which none goes by until the log of a checkout has a line."""

    def monotonic() -> float:
        (log,) = checkout.rglob("log.txt")
        return time.monotonic() * 1000 if log.stat().st_size else 0

    return SimpleNamespace(monotonic=monotonic, sleep=time.sleep)


def processes_below(checkout: Path) -> list[int]:
    """Return the numbers of this process's own that tell a tracker from a checkout."""
    found = []
    for each in psutil.Process().children():
        # One that has ended has no command line, which is an error here.
        with suppress(psutil.Error):
            while not (words := each.cmdline()):
                # One that has just begun has none for a moment.
                time.sleep(0.001)
            if "fusebench.tracking.follow" in words and str(checkout) in words:
                found.append(each.pid)
    return found
