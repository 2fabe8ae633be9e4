"""A checkout that trackers are told from, and a real MLflow server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fusebench.tracking import session

_OF_TRACKERS = ("DVC_", "DVCLIVE_", "MLFLOW_", "WANDB_", "NETRC", "PYTHONPATH", "FUSEBENCH_")


def enter(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Go to a new checkout in a folder, where nobody is logged in anywhere; return it."""
    for name in [name for name in os.environ if name.startswith(_OF_TRACKERS)]:
        patch.delenv(name)
    root, home = folder / "checkout", folder / "home"
    root.mkdir()
    home.mkdir()
    patch.setenv("HOME", str(home))
    # Other tests run beside these.
    patch.setattr(session, "SECONDS", 300)
    patch.chdir(root)
    return root


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout to work in."""
    return enter(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server with a database, on this machine."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/runs.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # fmt: skip
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                break
            assert server.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.1)
        yield address
    finally:
        # With the processes that it started.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        shutil.rmtree(folder)
