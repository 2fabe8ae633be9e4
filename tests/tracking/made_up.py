"""Runs and what came of them, made up; and a package of a tracker that goes wrong."""

from pathlib import Path

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
    return Run(digest_of(name.encode()), name, group, "training", {"fusion": "add"}, params)


def weights(folder: Path) -> Outcome:
    """Return what came of a training, with files in a folder."""
    files = {"model/seed_0.safetensors": folder / "seed_0.safetensors"}
    files["model/seed_0.safetensors"].write_bytes(b"weights")
    return Outcome("d1", {"best_epoch": 2.0, "best_val_loss": 0.125}, files=files)


def comparison() -> Run:
    """Return the run of a comparison."""
    return Run("ab" * 16, "comparison 0c65011", "slower", "comparison", {}, {"train.lr": 0.001})


def compared(folder: Path) -> Outcome:
    """Return what came of a comparison, with a picture and a page in a folder."""
    Image.new("RGB", (4, 3), (255, 0, 0)).save(folder / "best.png")
    (folder / "comparison.md").write_text("# Comparison", "utf-8")
    return Outcome(
        "d2", {"test_nll": 0.25}, {"fusion_comparison": TABLE},
        {"accuracy": {"add": [(1, 62.5), (2, 87.5)], "late": [(1, 50.0)]}},
        {"best": folder / "best.png"}, {"comparison.md": folder / "comparison.md"},
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
