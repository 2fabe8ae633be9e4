"""The same again: what must not change a result, changes none of its bytes.

Each run has a folder of its own, so nothing is taken from a cache or from kept seeds.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.project import PARAMS, ROOT, SENSORS, Project, write_no_studies

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "tests/all_stages.py"
FOLDERS = ("checked", "data", "metrics", "models", "plots", "predictions", "stress")
# What is measured (README, Reproducibility): times and memory, and what is told of them.
MEASURED = (
    "metrics/training/", "metrics/cost/", "plots/pareto.png", "metrics/analysis.md",
    "metrics/comparison.md", "metrics/recommendation.json", "plots/report.html",
)  # fmt: skip
TABLE, PARETO = "metrics/comparison.csv", "plots/curves/pareto.csv"
ARCHIVE = "data/demo.zip"
MEASURED_COLUMNS = {
    TABLE: ["Time (s/epoch)", "Memory (MB)", "Latency (ms)", "Latency p95 (ms)",
            "Samples per Second", "Train Seconds"],
    PARETO: ["latency_ms", "on_front_latency"],
}  # fmt: skip
# Smaller still, and with threads that could come to another result.
CHANGES: dict[str, Any] = {
    "synthesize": {"counts": {"cubes": 30, "spheres": 20}},
    "train": {"epochs": 1, "batch_size": 8},
    "runtime": {"threads": 2},
}
# So that what the tests are run in decides nothing.
PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
DROPPED = ("COLUMNS", "DVC_", "LANG", "LC_", "NO_COLOR", "SOURCE_DATE_EPOCH", "PYTHON", "TERM")


@dataclass(frozen=True)
class Conditions:
    """What a run of the pipeline must not depend on; by default, as in the first run."""

    folder: str = "project"
    environment: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022
    terminal: bool = False
    reorder: bool = False
    looks: str = ""

    def run(self, around: Path, params: str) -> Path:
        """Run all stages in a new folder; return it."""
        root = around / self.folder
        _copy_project(root, params)
        if self.looks:
            (root / "matplotlibrc").write_text(self.looks, "utf-8")
        command = [sys.executable, str(SCRIPT), *(["reorder"] if self.reorder else [])]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
        environment = kept | PLAIN | self.environment
        run = _run_in_terminal if self.terminal else _run_in_pipe
        code, shown = run(command, cwd=root, env=environment, umask=self.umask)
        assert code == 0, shown
        return root

    @staticmethod
    def seen(root: Path) -> dict[str, Any]:
        """Return the conditions as the run itself saw them."""
        content: dict[str, Any] = json.loads((root / "conditions.json").read_text("utf-8"))
        return content


def _copy_project(root: Path, params: str) -> None:
    root.mkdir(parents=True)
    for folder in ("src", ".dvc/plots"):
        shutil.copytree(ROOT / folder, root / folder)
    for name in ("dvc.yaml", "requirements.txt"):
        shutil.copy(ROOT / name, root / name)
    (root / "params.yaml").write_text(params, "utf-8")
    (root / "data").mkdir()
    (root / "data/sensors.yaml").write_text(SENSORS, "utf-8")
    write_no_studies(root)


def _run_in_pipe(command: list[str], **options: Any) -> tuple[int, str]:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, **options,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")


def _run_in_terminal(command: list[str], **options: Any) -> tuple[int, str]:
    screen, terminal = pytest.importorskip("pty").openpty()
    shown = bytearray()

    def read() -> None:
        # The end of a terminal that nobody has open any more is an error.
        try:
            while text := os.read(screen, 65536):
                shown.extend(text)
        except OSError:
            pass

    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, **options)
    os.close(terminal)
    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait()
    reader.join()
    os.close(screen)
    return code, shown.decode(errors="replace")


def digests(root: Path, reordered: bool = False) -> dict[str, str]:
    """Return the digests of all files that the README says repeat.

    An archive whose members changed places is another one, and left out.
    """
    names = {
        path.relative_to(root).as_posix(): path
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file()
    }
    assert {"metrics/training/add.json", "metrics/cost/add.json", ARCHIVE} <= set(names)
    return {
        name: hashlib.sha256(_repeated(path, name)).hexdigest()
        for name, path in sorted(names.items())
        if not name.startswith(MEASURED) and not (reordered and name == ARCHIVE)
    }


def _repeated(path: Path, name: str) -> bytes:
    if name not in MEASURED_COLUMNS:
        return path.read_bytes()
    text: str = pd.read_csv(path, dtype=str).drop(columns=MEASURED_COLUMNS[name]).to_csv()
    return text.encode()


def _smaller_params() -> str:
    params = yaml.safe_load(PARAMS)
    for section, changes in CHANGES.items():
        params[section] |= changes
    return yaml.safe_dump(params, sort_keys=False)


SMALLER = _smaller_params()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a first run, under plain conditions."""
    return Conditions().run(tmp_path_factory.mktemp("first"), SMALLER)


# What Windows lacks and does otherwise, see there. The second is of the copied project.
WINDOWS = {"PYTHONPATH": f"{ROOT / 'tests/windows'}{os.pathsep}src"}
FAR = {"TZ": "<+1245>-12:45", "SOURCE_DATE_EPOCH": "86400"}
# A user's own settings of matplotlib, which it looks for in the working directory, too.
LOOKS = "axes.facecolor: 202020\nlines.linestyle: :\nsvg.id: mine\npdf.compression: 0\n"
OTHER = {
    "terminal": Conditions(
        terminal=True, environment={"TERM": "xterm-256color", "COLUMNS": "50"}
    ),
    "locale": Conditions(environment={"LC_ALL": "C"}),
    "ascii": Conditions(
        environment={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ),
    "time": Conditions(environment=FAR),
    "hash": Conditions(environment={"PYTHONHASHSEED": "4242"}),
    "umask": Conditions(umask=0o077),
    "openmp": Conditions(environment={"OMP_NUM_THREADS": "3"}),
    "folder": Conditions(folder="my data/größe – 測定/ein Ordner"),
    "archive": Conditions(reorder=True),
    "looks": Conditions(looks=LOOKS),
    "windows": Conditions(environment=WINDOWS),
}  # fmt: skip
ALL = Conditions(
    folder="my data/größe – 測定/ein Ordner",
    environment={
        "LC_ALL": "C", "TERM": "xterm-256color", "COLUMNS": "50", "PYTHONHASHSEED": "4242",
        "OMP_NUM_THREADS": "3", **FAR, **WINDOWS,
    },
    umask=0o077, terminal=True, reorder=True, looks=LOOKS,
)  # fmt: skip


def test_nothing_around_a_run_changes_a_byte_of_it(clean: Project, tmp_path: Path) -> None:
    again = ALL.run(tmp_path, PARAMS)
    seen = Conditions.seen(again)
    assert (seen["terminal"], seen["umask"], seen["time"]) == (True, 0o077, ["+1245", -45900])
    assert seen["line end"] == "\r\n"
    assert digests(again, reordered=True) == digests(clean.root, reordered=True)


@pytest.mark.thorough
@pytest.mark.parametrize("name", OTHER)
def test_no_single_condition_changes_a_byte(name: str, first: Path, tmp_path: Path) -> None:
    other = OTHER[name].run(tmp_path, SMALLER)
    if name not in ("archive", "looks"):
        assert Conditions.seen(other) != Conditions.seen(first), "it took effect"
    reordered = OTHER[name].reorder
    assert digests(other, reordered) == digests(first, reordered)


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef on this machine")
def test_a_decimal_comma_changes_no_byte(first: Path, tmp_path: Path) -> None:
    made = tmp_path / "locales/de_DE.UTF-8"
    made.parent.mkdir()
    if subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(made)]).returncode:
        pytest.skip("no sources of locales on this machine")
    german = Conditions(environment={"LC_ALL": made.name, "LOCPATH": str(made.parent)})
    other = german.run(tmp_path, SMALLER)
    assert made.name in Conditions.seen(other)["locale"]
    assert digests(other) == digests(first)
