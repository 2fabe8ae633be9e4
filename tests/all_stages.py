"""Run as a script in a project's root: all stages of dvc.yaml, one after another, in one process.

What takes long in a small project is to start Python and to import torch for each stage.
"""

import json
import locale
import os
import runpy
import shlex
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CONDITIONS = Path("conditions.json")
FUSION = "${item.fusion}"


def commands(stages: dict[str, Any], params: dict[str, Any]) -> Iterator[list[str]]:
    """Return the command of each stage, in the order of dvc.yaml, which is one DVC could take."""
    for stage in stages.values():
        text = stage["cmd"]
        for fusion in params["fusions"] if FUSION in text else [""]:
            yield shlex.split(text.replace(FUSION, fusion))


def reorder(archive: Path) -> None:
    """Write the members of a zip the other way round, stored, and with the time of now."""
    with zipfile.ZipFile(archive) as before:
        members = {name: before.read(name) for name in before.namelist()}
        comment = before.comment
    with zipfile.ZipFile(archive, "w") as after:
        after.comment = comment
        for name, content in reversed(members.items()):
            after.writestr(name, content)


def conditions() -> dict[str, Any]:
    """Return what a run must not depend on, as this process sees it."""
    os.umask(umask := os.umask(0))
    return {
        "terminal": sys.stdout.isatty() and sys.stderr.isatty(),
        "encoding": sys.stdout.encoding,
        "locale": locale.setlocale(locale.LC_ALL, None),
        "time": [time.tzname[0], time.timezone],
        "hash": hash("fusebench"),
        "umask": umask,
        "openmp": os.environ.get("OMP_NUM_THREADS"),
        "folder": Path.cwd().name,
        # See tests/windows.
        "line end": os.linesep,
    }


def main() -> None:
    """Run the stages; with the argument "reorder", the archive's members change places."""
    CONDITIONS.write_text(json.dumps(conditions()), "utf-8")
    wanted = sys.argv[1:]
    stages = yaml.safe_load(Path("dvc.yaml").read_text("utf-8"))["stages"]
    params = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    # As `python src/<stage>.py` has it.
    sys.path[0] = str(Path("src").resolve())
    for _, script, *arguments in commands(stages, params):
        sys.argv = [script, *arguments]
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
        if script == "src/synthesize.py" and "reorder" in wanted:
            reorder(Path(params["data"]["archive"]))


if __name__ == "__main__":
    main()
