"""MLflow: a server where the environment names one, else a folder; mlflow-skinny suffices."""

import os
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from fusebench.tracking.run import Run, Table
from fusebench.tracking.tracker import LOCAL, PROJECT, Told, Tracker, without_passwords

_FOLDER = LOCAL / "mlflow"
_ID, _PICTURES = "fusebench.id", "pictures"
# Where the environment says nothing of them. Nobody is to be called but the server that is named;
# one that does not answer is given up in less than a minute; and a folder of runs is refused by
# MLflow 3 unless it is allowed: databases take a package that mlflow-skinny does not bring.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_ALLOW_FILE_STORE": "true",
}  # fmt: skip


class MLflow(Tracker):
    """MLFLOW_TRACKING_URI, or tracking/mlflow/."""

    packages = ("mlflow",)

    @classmethod
    def destination(cls) -> str:
        """Return server or folder, and the experiment."""
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        place = without_passwords(uri) if uri else str(_FOLDER)
        return f"{place}, experiment {_experiment_name()}"

    def open(self, run: Run, *, again: bool) -> Told:
        """Begin a run, or go on with the one that has its id as a tag."""
        for name, text in _DEFAULTS.items():
            os.environ.setdefault(name, text)
        _take_password()
        from mlflow import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or (self.root / _FOLDER).resolve().as_uri()
        client = MlflowClient(uri)
        tags = {_ID: run.id, "fusebench.kind": run.kind, "fusebench.group": run.group} | {
            f"fusebench.{tag}": text for tag, text in run.tags.items()
        }
        experiment = _experiment(client)
        before = client.search_runs([experiment], f"tags.`{_ID}` = '{run.id}'")
        if again:
            for old in before:
                client.delete_run(old.info.run_id)
            before.clear()
        if before:
            of = before[0]
            client.update_run(of.info.run_id, status="RUNNING")
        else:
            # With its id at once: a kill is to leave no run that nobody finds.
            of = client.create_run(experiment, tags=tags, run_name=run.name)
        name, params = of.info.run_id, of.data.params
        # Of one that was there, tags may be others by now.
        _log(client, name, params={key: run.params[key] for key in {*run.params} - {*params}},
             tags=tags)  # fmt: skip
        return _Told(client, name)


def _take_password() -> None:
    """Move a password out of the address, which stands in messages, to variables of its own."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    address = urlsplit(uri)
    if address.scheme in ("http", "https") and address.username and address.password:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(address.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(address.password)
        os.environ["MLFLOW_TRACKING_URI"] = without_passwords(uri)


def _experiment_name() -> str:
    if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return f"number {number}"
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT


def _experiment(client: Any) -> str:
    """Return the id of the experiment, which is made where it is not there."""
    from mlflow.exceptions import MlflowException

    if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return number
    name = _experiment_name()
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            # Another run has made it meanwhile; else this raises what is wrong.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _log(
    client: Any,
    run: str,
    metrics: Mapping[str, float] | None = None,
    step: int = 0,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log many at once; a request takes up to 100 params."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    logged = [Metric(name, value, now, step) for name, value in (metrics or {}).items()]
    tagged = [RunTag(name, text) for name, text in (tags or {}).items()]
    given = [Param(name, str(value)) for name, value in (params or {}).items()]
    client.log_batch(run, logged, given[:100], tagged)
    for first in range(100, len(given), 100):
        client.log_batch(run, params=given[first : first + 100])


class _Told(Told):
    def __init__(self, client: Any, run: str) -> None:
        self._client, self._run = client, run

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        _log(self._client, self._run, figures, epoch)

    def figures(self, figures: Mapping[str, float]) -> None:
        _log(self._client, self._run, figures)

    def table(self, name: str, table: Table) -> None:
        file = f"{name}.json"
        # A table that is there would get the rows a second time.
        if file not in [each.path for each in self._client.list_artifacts(self._run)]:
            columns = {column: table.column(column) for column in table.columns}
            self._client.log_table(self._run, columns, file)

    def pictures(self, pictures: Mapping[str, Path]) -> None:
        for path in pictures.values():
            self._client.log_artifact(self._run, str(path), _PICTURES)

    def files(self, files: Mapping[str, Path]) -> None:
        for name, path in files.items():
            folder = PurePosixPath(name).parent
            self._client.log_artifact(self._run, str(path), str(folder) if folder.name else None)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")
