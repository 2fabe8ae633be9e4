"""How fast scripts start: to their help, and to the first file that they miss."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.commands import Run, measured, succeeded
from benchmarks.conductor import ROOT, BenchmarkError, last_line
from benchmarks.figures import ratios, spread
from benchmarks.plan import FUSION
from benchmarks.stages import ARCHIVE, stage_command
from fusebench.config import PARAMS_FILE

WITHOUT_TORCH = {
    "split": ("data/samples", "data/split.csv"),
    "extract": (ARCHIVE, "data/samples"),
    "compare": (),
    "headline": (),
    "gallery": ("data/samples", "plots/samples.png"),
}
WITH_TORCH = {"train": (FUSION,), "evaluate": (FUSION,)}


def scripts() -> list[str]:
    """Return the names of all scripts."""
    return sorted(path.stem for path in (ROOT / "src").glob("*.py"))


def first_miss(name: str, arguments: Sequence[str], folder: Path) -> Run:
    """Run a stage where its input is not: all is imported, params are read, then a file is missed.

    Raises
    ------
    BenchmarkError
        It ended in another way.
    """
    run = measured(stage_command(name, *arguments), folder)
    said = run.errors.strip().splitlines()
    if run.code != 1 or len(said) != 1 or "no such file" not in said[0]:
        raise BenchmarkError(f"start of {name}: ended otherwise: {last_line(run.errors)}")
    return run


def measure_startup(repeats: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Start everything in turn, each time in a folder that holds only what params.yaml comes to.

    Returns
    -------
    dict
        Spreads of seconds: `import_torch`; `help` and `start` by script; and `ratio`, by script,
        of a start to the import of torch in the same round.
    """
    rounds = []
    with TemporaryDirectory(prefix="fusebench-") as name:
        folder = Path(name)
        shutil.copy(PARAMS_FILE, folder)
        succeeded(stage_command("check", "checked"), folder)
        for number in range(1, repeats + 1):
            rounds.append(_round(folder))
            show(f"starts: round {number} of {repeats}")
    imports = [each["import"]["torch"] for each in rounds]
    helps, starts = (
        {name: [each[kind][name] for each in rounds] for name in rounds[0][kind]}
        for kind in ("help", "start")
    )
    return {
        "import_torch": spread(imports),
        "help": {name: spread(seconds) for name, seconds in helps.items()},
        "start": {name: spread(seconds) for name, seconds in starts.items()},
        "ratio": {name: spread(ratios(starts[name], imports)) for name in WITH_TORCH},
    }


def _round(folder: Path) -> dict[str, dict[str, float]]:
    """Start everything once; return the seconds by kind and name."""
    started = WITHOUT_TORCH | WITH_TORCH
    return {
        "import": {"torch": succeeded([sys.executable, "-c", "import torch"], folder).seconds},
        "help": {
            name: succeeded(stage_command(name, "--help"), folder).seconds for name in scripts()
        },
        "start": {
            name: first_miss(name, arguments, folder).seconds for name, arguments in started.items()
        },
    }
