"""What trackers were told, read back as each of them reads its own."""

import csv
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fusebench.tracking.run import Table


@dataclass
class Reading:
    """A run as it was read back.

    Attributes
    ----------
    epochs : dict of str to list of (int, float)
        By metric, each value that was told, with its step; a value told twice stands here twice.
    files : dict of str to bytes
        None where the tracker's reader does not give the content.
    """

    params: dict[str, str]
    epochs: dict[str, list[tuple[int, float]]]
    figures: dict[str, float]
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    files: dict[str, bytes | None] = field(default_factory=dict)
    charts: set[str] = field(default_factory=set)
    status: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def read_dvclive(root: Path) -> dict[str, Reading]:
    """Read the files of DVCLive."""
    readings = {}
    for file in (root / "tracking/dvclive").glob("*/*/params.yaml"):
        folder = file.parent
        epochs: dict[str, list[tuple[int, float]]] = {}
        for curve in sorted((folder / "plots/metrics").rglob("*.tsv")):
            name = curve.relative_to(folder / "plots/metrics").with_suffix("").as_posix()
            with curve.open(newline="") as lines:
                rows = list(csv.DictReader(lines, delimiter="\t"))
            epochs[name] = [(int(row["step"]), float(row[curve.stem])) for row in rows]
        figures = json.loads((folder / "metrics.json").read_text())
        tables = {}
        for table in folder.glob("*.csv"):
            columns, *cells = csv.reader(table.read_text().splitlines())
            tables[table.stem] = Table(columns, [[_typed(cell) for cell in row] for row in cells])
        readings[_name(folder)] = Reading(
            {key: str(value) for key, value in yaml.safe_load(file.read_text()).items()},
            epochs,
            {key: value for key, value in figures.items() if not isinstance(value, dict)},
            tables,
            {path.stem for path in (folder / "plots/images").glob("*.png")},
            _files(folder / "artifacts"),
            {path.stem for path in (folder / "plots/custom").glob("*.json")},
        )
    return readings


def _typed(cell: str) -> Any:
    return yaml.safe_load(cell) if cell else None


def _name(folder: Path) -> str:
    return folder.name.rpartition(" ")[0]


def _files(folder: Path) -> dict[str, bytes | None]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def read_tensorboard(root: Path) -> dict[str, Reading]:
    """Read TensorBoard's files with its own EventAccumulator."""
    with warnings.catch_warnings(action="ignore"):
        from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
            EventAccumulator,
        )
        from tensorboard.plugins.hparams.plugin_data_pb2 import (  # type: ignore[import-untyped]
            HParamsPluginData,
        )
    readings = {}
    for folder in (root / "tracking/tensorboard").glob("*/*"):
        found = EventAccumulator(str(folder), {"scalars": 0, "images": 0, "tensors": 0})
        found.Reload()
        tags = found.Tags()
        scalars = {
            tag: [(event.step, event.value) for event in found.Scalars(tag)]
            for tag in tags["scalars"]
        }
        texts = {
            tag.removesuffix("/text_summary"): found.Tensors(tag)[-1].tensor_proto.string_val[0]
            for tag in tags["tensors"]
            if tag.endswith("/text_summary")
        }
        tables = {name: _of_markdown(text.decode()) for name, text in texts.items()}
        params = {
            str(name): "" if value is None else str(value)
            for name, value in tables.pop("params").rows
        }
        # Of a run that has ended, there is also a row in its table of params.
        with suppress(KeyError):
            known = found.PluginTagToContent("hparams")["_hparams_/session_start_info"]
            assert {*HParamsPluginData.FromString(known).session_start_info.hparams} == {*params}
        charts = set()
        if "custom_scalars__config__" in tags["tensors"]:
            (layout,) = found.Tensors("custom_scalars__config__")[-1].tensor_proto.string_val
            charts = {name for name in ("accuracy", "loss") if f"^{name}/".encode() in layout}
        files = _files(folder)
        readings[_name(folder)] = Reading(
            params,
            scalars,
            {tag: values[-1][1] for tag, values in scalars.items()},
            tables,
            {*tags["images"]},
            {name: text for name, text in files.items() if "tfevents" not in name},
            charts,
        )
    return readings


def _of_markdown(text: str) -> Table:
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
    ]
    return Table(head, [[_typed(cell) for cell in row] for row in rows])


def read_wandb(root: Path) -> dict[str, Reading]:
    """Read W&B's files with its own command; several of one id are one run, as on its server."""
    readings: dict[str, Reading] = {}
    for folder in sorted((root / "tracking/wandb").glob("offline-run-*")):
        (file,) = folder.glob("*.wandb")
        lines = _printed("wandb", "leet", "inspect", "--json", str(file))
        records = [json.loads(line) for line in lines]
        # A kill leaves a file with no record.
        about = next((record["run"] for record in records if record["type"] == "run"), None)
        if about is None:
            continue
        of = readings.setdefault(about["display_name"], Reading({}, {}, {}))
        config = {key: str(value) for key, value in about["config"]["update"].items()}
        of.tags |= {key: config.pop(key) for key in [*config] if key.startswith("fusebench.")}
        of.tags["shown"] = ", ".join(about.get("tags", ()))
        of.params |= {key: value for key, value in config.items() if key != "_wandb"}
        for record in records:
            content = record[record["type"]]
            match record["type"]:
                case "history":
                    _read_history(of, content["item"], folder / "files")
                case "summary":
                    told = content.get("update", {})
                    of.figures |= {k: v for k, v in told.items() if isinstance(v, int | float)}
                case "artifact" if content["type"] in ("model", "report"):
                    for entry in content["manifest"]["contents"]:
                        of.files[entry["path"]] = Path(entry["local_path"]).read_bytes()
                case "exit":
                    of.status = "finished" if content.get("exit_code", 0) == 0 else "failed"
    return readings


def _read_history(of: Reading, item: dict[str, Any], files: Path) -> None:
    pictures = {k: v for k, v in _nested(item).items() if v.get("_type") == "image-file"}
    of.pictures |= {*pictures}
    for key, value in item.items():
        if isinstance(value, int | float) and not key.startswith("_"):
            of.epochs.setdefault(key, []).append((int(item.get("epoch", -1)), value))
    for key, value in _nested(item).items():
        if value.get("_type") == "table-file":
            table = json.loads((files / value["path"]).read_text())
            if key.startswith("charts/"):
                of.charts.add(key.removeprefix("charts/").removesuffix("_table"))
            else:
                of.tables[key] = Table(table["columns"], table["data"])


def _nested(item: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the media of a line of history; their keys come dotted, one for each part."""
    media: dict[str, dict[str, Any]] = {}
    for key, value in item.items():
        if isinstance(value, dict):
            media[key] = value
        elif "." in key:
            whole, _, part = key.rpartition(".")
            media.setdefault(whole, {})[part] = value
    return media


_MLFLOW = """
import json, sys, tempfile, pathlib
from mlflow import MlflowClient
client, runs = MlflowClient(sys.argv[1]), {}
for run in client.search_runs([client.get_experiment_by_name("fusebench").experiment_id]):
    name = run.info.run_id
    folder = pathlib.Path(client.download_artifacts(name, "", tempfile.mkdtemp(dir=sys.argv[2])))
    epochs = {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(name, key)]
        for key in run.data.metrics
    }
    assert run.info.run_name not in runs, "two runs of one name"
    runs[run.info.run_name] = (
        run.data.params, epochs, run.data.metrics, str(folder), run.info.status, run.data.tags,
    )
print(json.dumps(runs))
"""


def read_mlflow(root: Path, address: str = "") -> dict[str, Reading]:
    """Read runs of MLflow with its client: of a server, or of the folder."""
    address = address or (root / "tracking/mlflow").as_uri()
    (line,) = _printed(sys.executable, "-c", _MLFLOW, address, str(root))
    readings = {}
    for name, (params, epochs, figures, folder, status, tags) in json.loads(line).items():
        files = _files(Path(folder))
        tables = {}
        for file in [name for name in files if "/" not in name and name.endswith(".json")]:
            content = json.loads(files.pop(file) or b"")
            tables[file.removesuffix(".json")] = Table(content["columns"], content["data"])
            assert file in tags["mlflow.loggedArtifacts"]
        pictures = {Path(file).stem for file in files if file.startswith("pictures/")}
        files = {name: text for name, text in files.items() if not name.startswith("pictures/")}
        pairs = {key: [(step, value) for step, value in told] for key, told in epochs.items()}
        of_ours = {key: text for key, text in tags.items() if key.startswith("fusebench.")}
        readings[name] = Reading(
            params, pairs, figures, tables, pictures, files, status=status, tags=of_ours
        )
    return readings


def _printed(*command: str) -> list[str]:
    environment = os.environ | {
        "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


READERS: dict[str, Callable[[Path], dict[str, Reading]]] = {
    "dvclive": read_dvclive, "mlflow": read_mlflow, "tensorboard": read_tensorboard,
    "wandb": read_wandb,
}  # fmt: skip
