"""What a script imports before it begins: a library that it does not need costs every run."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.project import PARAMS, ROOT, SENSORS

# Runs a script up to its first missing file, then says which of the heavy modules it has loaded.
PROBE = """
import runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
sys.path.insert(0, str(__import__("pathlib").Path(script).parent))
sys.argv[0] = script
try:
    runpy.run_path(script, run_name="__main__")
except SystemExit:
    pass
print("loaded", *[name for name in HEAVY if name in sys.modules])
"""
HEAVY = ("torch", "matplotlib", "sklearn", "scipy", "pandas", "dvc", "rich", "numpy", "pydantic")
SCRIPTS = sorted(path.name for path in (ROOT / "src").glob("*.py"))


def _loaded(folder: Path, script: str, *arguments: str) -> tuple[set[str], str]:
    """Return which heavy modules a script had loaded when it ended, and its last words."""
    text = PROBE.replace("HEAVY", repr(HEAVY))
    command = [sys.executable, "-c", text, str(ROOT / "src" / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    first, *names = done.stdout.splitlines()[-1].split()
    assert first == "loaded"
    return set(names), done.stderr


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("extract.py", ["data/samples"]),
        ("baseline.py", []),
        ("compare.py", []),
        ("analysis.py", []),
        ("gallery.py", ["data/samples", "plots/samples.png"]),
        ("check_inputs.py", ["data/samples", "data/inputs.json"]),
        ("report.py", ["plots/report.html"]),
    ],
)
def test_a_stage_that_trains_nothing_loads_no_torch(
    script: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sensors.yaml").write_text(SENSORS, "utf-8")
    loaded, errors = _loaded(tmp_path, script, *arguments)
    assert "no such file" in errors
    assert not loaded & {"torch", "dvc"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_loads_nothing_heavy(script: str, tmp_path: Path) -> None:
    assert _loaded(tmp_path, script, "--help") == (set(), "")
