"""Time and memory of the data stages, and how fast scripts and `dvc repro` start."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import (
    ROOT,
    BenchmarkError,
    CompletedRun,
    last_line,
    run_checked,
    run_measured,
)
from benchmarks.timing import FUSION, ratios, spread
from fusebench.config import PARAMS_FILE, read

_ARCHIVE = "data/demo.zip"
_DATA_STAGES = {"synthesize": (_ARCHIVE,), "extract": ("data/samples",)}
_DVC = (sys.executable, "-m", "dvc", "repro")

# Scripts whose start is timed, with their arguments; those that import torch are set against it.
WITHOUT_TORCH = {
    "split": ("data/samples", "data/split.csv"),
    "extract": ("data/samples",),
    "check_inputs": ("data/samples", "data/inputs.json"),
    "compare": (),
    "headline": (),
    "gallery": ("data/samples", "plots/samples.png"),
}
WITH_TORCH = {"train": (FUSION,), "predict_parts": (FUSION,)}


def stage_command(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a stage's script."""
    return [sys.executable, str(ROOT / f"src/{name}.py"), *arguments]


def measure_data(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Render the archive of params.yaml and extract it, in a temporary folder.

    Returns
    -------
    dict
        By stage: spreads of `seconds` and of `peak_mb`.
    """
    runs: dict[str, list[CompletedRun]] = {name: [] for name in _DATA_STAGES}
    with TemporaryDirectory(prefix="fusebench-") as name:
        folder = Path(name)
        _copy_params(folder)
        run_checked(stage_command("check", "checked"), folder)
        for _ in range(repeats):
            for stage, arguments in _DATA_STAGES.items():
                run = run_checked(stage_command(stage, *arguments), folder)
                show(f"{stage}: {run.seconds:.2f} s, {run.peak_mb:.0f} MB")
                runs[stage].append(run)
    return {
        stage: {
            "seconds": spread([run.seconds for run in of_stage]),
            "peak_mb": spread([run.peak_mb for run in of_stage], digits=1),
        }
        for stage, of_stage in runs.items()
    }


def _copy_params(folder: Path) -> None:
    """Copy params.yaml, and the file of sensors that it names."""
    sensors = Path(read(PARAMS_FILE)["data"]["sensors"])
    for path in (PARAMS_FILE, sensors):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path)


def measure_no_op(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Measure `dvc repro` where nothing is to be done; where something is, it is not run.

    Returns
    -------
    dict
        A spread of seconds, or the reason under `not_measured`.
    """
    # Not --allow-missing: what is missing would be made, and that takes minutes.
    dry = run_measured([*_DVC, "--dry"], Path())
    if dry.code != 0 or "up to date" not in dry.output:
        return {"not_measured": "the workspace is not up to date, 'dvc repro' brings it there"}
    seconds = [run_checked(_DVC, Path()).seconds for _ in range(repeats)]
    show(f"dvc repro with nothing to do: {min(seconds):.2f} s")
    return spread(seconds)


def measure_startup(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Start every script in each round, in a folder that holds only what params.yaml comes to.

    Returns
    -------
    dict
        Spreads of seconds: `import_torch`; `help` and `start` by script; and `ratio`, by script,
        of a start to the import of torch in the same round.
    """
    rounds = []
    with TemporaryDirectory(prefix="fusebench-") as name:
        folder = Path(name)
        _copy_params(folder)
        run_checked(stage_command("check", "checked"), folder)
        for number in range(1, repeats + 1):
            rounds.append(_start_all(folder))
            show(f"starts: round {number} of {repeats}")
    imports = [seconds["import"]["torch"] for seconds in rounds]
    helps, starts = (
        {name: [seconds[group][name] for seconds in rounds] for name in rounds[0][group]}
        for group in ("help", "start")
    )
    return {
        "import_torch": spread(imports),
        "help": {name: spread(seconds) for name, seconds in helps.items()},
        "start": {name: spread(seconds) for name, seconds in starts.items()},
        "ratio": {name: spread(ratios(starts[name], imports)) for name in WITH_TORCH},
    }


def _start_all(folder: Path) -> dict[str, dict[str, float]]:
    """Start everything once; return the seconds by group and name."""
    scripts = sorted(path.stem for path in (ROOT / "src").glob("*.py"))
    return {
        "import": {"torch": run_checked([sys.executable, "-c", "import torch"], folder).seconds},
        "help": {
            name: run_checked(stage_command(name, "--help"), folder).seconds for name in scripts
        },
        "start": {
            name: _start(name, arguments, folder).seconds
            for name, arguments in (WITHOUT_TORCH | WITH_TORCH).items()
        },
    }


def _start(name: str, arguments: Sequence[str], folder: Path) -> CompletedRun:
    """Run a stage where its input is missing: it imports all, reads params, and ends there.

    Raises
    ------
    BenchmarkError
        It ended for another reason.
    """
    run = run_measured(stage_command(name, *arguments), folder)
    lines = run.errors.strip().splitlines()
    if run.code != 1 or len(lines) != 1 or "no such file" not in lines[0]:
        raise BenchmarkError(
            f"start of {name}: must end with one line, 'no such file'; it said: "
            f"{last_line(run.errors)}"
        )
    return run
