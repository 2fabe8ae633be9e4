"""Time and memory of the data stages, and of a `dvc repro` that has nothing to do."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.commands import Run, measured, succeeded
from benchmarks.conductor import ROOT
from benchmarks.figures import spread
from fusebench.config import PARAMS_FILE

ARCHIVE = "data/demo.zip"
_COMMANDS = {"synthesize": (ARCHIVE,), "extract": (ARCHIVE, "data/samples")}
_DVC = (sys.executable, "-m", "dvc", "repro")


def stage_command(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a stage's script."""
    return [sys.executable, str(ROOT / f"src/{name}.py"), *arguments]


def measure_data(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Render the archive of params.yaml and extract it, in a folder of its own.

    Returns
    -------
    dict
        By stage: spreads of `seconds` and of `peak_mb`.
    """
    runs: dict[str, list[Run]] = {name: [] for name in _COMMANDS}
    with TemporaryDirectory(prefix="fusebench-") as name:
        folder = Path(name)
        shutil.copy(PARAMS_FILE, folder)
        for _ in range(repeats):
            for stage, arguments in _COMMANDS.items():
                run = succeeded(stage_command(stage, *arguments), folder)
                show(f"{stage}: {run.seconds:.2f} s, {run.peak_mb:.0f} MB")
                runs[stage].append(run)
    return {
        stage: {
            "seconds": spread([run.seconds for run in made]),
            "peak_mb": spread([run.peak_mb for run in made], digits=1),
        }
        for stage, made in runs.items()
    }


def measure_no_op(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Measure `dvc repro` where nothing is to be done; where something is, it is not run.

    Returns
    -------
    dict
        A spread of seconds, or the reason under `not_measured`.
    """
    # Not --allow-missing: what is missing would be made, and that takes minutes.
    dry = measured([*_DVC, "--dry"], Path())
    if dry.code != 0 or "up to date" not in dry.output:
        return {"not_measured": "the workspace is not up to date, 'dvc repro' brings it there"}
    seconds = [succeeded(_DVC, Path()).seconds for _ in range(repeats)]
    show(f"dvc repro with nothing to do: {min(seconds):.2f} s")
    return spread(seconds)
