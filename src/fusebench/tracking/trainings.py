"""Trainings as runs: one per fusion and seed, the same whether told live or from what was kept."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fusebench.files import read_json, read_table
from fusebench.samples.samples import SAMPLE_COLUMNS
from fusebench.sealed import digest_of
from fusebench.stages import LockedStage, read_lock
from fusebench.tracking.run import Event, Outcome, Run, flat

if TYPE_CHECKING:
    import pandas as pd

    from fusebench.progress import EpochFigures
    from fusebench.samples.manifest import Manifest
    from fusebench.samples.samples import Samples
    from fusebench.training.recipe import Training
    from fusebench.training.train import OutputPaths

# What is told of an epoch, by the names of `training.loop.EpochRecord`.
_FIGURES = {
    "epoch": "epoch", "train_loss": "loss", "val_loss": "val_loss", "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy", "f1": "f1",
}  # fmt: skip
_WHOLE = ("seed", "epoch")
_RECORDS = {"seed": int} | {name: int if name in _WHOLE else float for name in _FIGURES}
# Of a line in a table of samples: no name holds it.
_END = "\0\n"
MANIFEST, _LOCK = Path("data/split.csv"), Path("dvc.lock")


@dataclass(frozen=True)
class Trained:
    """What decides the trainings of a fusion, as far as it stands beside their results.

    Attributes
    ----------
    settings, lidar, spec : dict
        As in model.json.
    dataset : dict
        What the samples are, and the angles of their LiDAR maps.
    environment : dict
        As in metrics/training/<fusion>.json.
    code : str
        Names the code, as `training.recipe.code_digest`.
    """

    fusion: str
    seeds: tuple[int, ...]
    settings: dict[str, Any]
    lidar: dict[str, Any]
    spec: dict[str, Any]
    dataset: dict[str, Any]
    environment: dict[str, Any]
    code: str
    manifest: "Manifest"

    @classmethod
    def of(cls, training: "Training") -> Self:
        """Return that of a training that begins."""
        recipe, samples = training.recipe, training.samples
        return cls(
            recipe.fusion, tuple(recipe.train.seeds), recipe.settings, recipe.lidar.model_dump(),
            asdict(recipe.spec(samples)), _dataset(samples), training.environment, training.code,
            training.manifest,
        )  # fmt: skip

    @classmethod
    def read(cls, fusion: str, paths: "OutputPaths") -> Self:
        """Return that of a training whose results are in the workspace.

        Raises
        ------
        ArtifactError
            A file is missing or broken, or was changed since it was written.
        """
        from fusebench.models.description import Description
        from fusebench.samples.manifest import read_manifest

        description = Description.read_whole(paths.models)
        corruptions = [used["corruption"] for used in description.settings.get("augment", ())]
        return cls(
            fusion, tuple(description.seeds), dict(description.settings),
            description.lidar.model_dump(), asdict(description.spec), _dataset(description),
            read_json(paths.metrics)["environment"], _code(fusion, corruptions),
            read_manifest(MANIFEST),
        )  # fmt: skip

    @cached_property
    def _lines(self) -> tuple[str, "pd.Series[str]"]:
        """The manifest as CSV, head and a line per sample; once for all seeds: it may be long."""
        import pandas as pd

        # Positions decide nothing.
        columns = [name for name in SAMPLE_COLUMNS if name != "row"]
        # A name may hold the end of a line.
        text = self.manifest.table[columns].to_csv(index=False, lineterminator=_END)
        head, *lines = text.removesuffix(_END).split(_END)
        return head, pd.Series(lines, self.manifest.table.index)

    def run(self, seed: int, group: str, tags: Mapping[str, str]) -> Run:
        """Return the run of a seed.

        Raises
        ------
        ArtifactError
            The manifest was drawn without this seed.
        """
        parts = {name: self.manifest.part(seed, name) for name in ("train", "val")}
        head, lines = self._lines
        decides = {
            "fusion": self.fusion, "seed": seed, "settings": self.settings, "lidar": self.lidar,
            "spec": self.spec, "dataset": self.dataset, "environment": self.environment,
            "code": self.code,
            # By content: each line has a sample's digest.
            "samples": {
                name: digest_of("\n".join([head, *lines[rows.index], ""]).encode())
                for name, rows in parts.items()
            },
        }  # fmt: skip
        shown = {
            "fusion": self.fusion, "seed": seed, **self.settings, "lidar": self.lidar,
            "model": self.spec, "samples": {name: len(rows) for name, rows in parts.items()},
            "environment": self.environment,
        }  # fmt: skip
        return Run(
            digest_of(json.dumps(decides, sort_keys=True).encode()), f"{self.fusion} seed {seed}",
            group, "training", {"fusion": self.fusion, **tags}, flat(shown),
        )  # fmt: skip


def _code(fusion: str, corruptions: Sequence[str]) -> str:
    """Return what names the code that a training ran, as `training.recipe.code_digest`.

    Of what stood in dvc.lock's files then; without a dvc.lock that names them, of what is there.
    """
    from fusebench.inputs.corruption import code_of
    from fusebench.training.recipe import code_digest

    stages = read_lock(_LOCK.read_text("utf-8")) if _LOCK.is_file() else {}
    ran = {each.path: each.md5 for each in stages.get(f"train@{fusion}", LockedStage()).deps}
    digests = [
        f"{path} {ran[path]}" for path in sorted(ran) if path.startswith(("src/", "requirements"))
    ]
    if not digests:
        return code_digest(fusion, corruptions)
    # Results of another corruption's code are stale, and not told.
    digests += [f"{name} {code_of(name)}" for name in corruptions]
    return digest_of("\n".join(digests).encode())


def _dataset(samples: "Samples | Any") -> dict[str, Any]:
    """Return what the samples are; of samples, or of the description of a model."""
    from fusebench.samples.samples import StoredDataset

    angles = [[float(angle) for angle in axis] for axis in (samples.azimuth, samples.zenith)]
    stored = StoredDataset.of(samples.dataset).model_dump(mode="json")
    return {**stored, "angles": digest_of(json.dumps(angles).encode())}


def epoch_figures(record: "EpochFigures") -> dict[str, float]:
    """Return what is told of an epoch while training goes on."""
    found = {name: getattr(record, name, None) for name in _FIGURES}
    return {_FIGURES[name]: value for name, value in found.items() if value is not None}


def ended(runs: Mapping[int, Run], paths: "OutputPaths") -> Iterator[Event]:
    """Yield all epochs and the ends of runs, from what their training has written.

    Parameters
    ----------
    runs : mapping of int to Run
        By seed.

    Raises
    ------
    ArtifactError
        A file is missing or broken.
    """
    described = read_json(paths.models / "model.json")["seeds"]
    measured = read_json(paths.metrics)
    table = read_table(paths.curve, _RECORDS)
    for seed, run in runs.items():
        records = [
            {_FIGURES[name]: record[name] for name in _FIGURES}
            for record in table[table["seed"] == seed].to_dict("records")
        ]
        for record in records:
            yield run.epoch(int(record["epoch"]), record)
        of_seed = described[str(seed)]
        best = records[of_seed["best_epoch"] - 1]
        figures = {f"best_{name}": float(value) for name, value in best.items()} | {
            "seconds_per_epoch": float(measured["seconds_per_epoch"]["median"]),
            "memory_mb": float(measured["memory"]["peak_mb"]),
        }
        files = {
            f"model/{path.name}": path
            for path in (paths.models / f"seed_{seed}.safetensors", paths.models / "model.json")
        }
        yield run.end(Outcome(of_seed["weights"], figures, files=files))
