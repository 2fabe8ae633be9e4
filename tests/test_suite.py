"""Which tests each make target runs, and the lists of slow files."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import FIRST, SLOW
from tests.project import ROOT

TESTS = """import pytest
def test_plain(): pass
@pytest.mark.slow
def test_slow(): pass
@pytest.mark.thorough
def test_thorough(): pass
@pytest.mark.slow
@pytest.mark.thorough
def test_both(): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "run"),
    [
        ("test-quick", ["plain"]),
        ("test", ["plain", "slow"]),
        ("test-all", ["plain", "slow", "thorough", "both"]),
    ],
)
def test_a_target_runs_its_tests(target: str, run: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_marks.py").write_text(TESTS, "utf-8")
    shown = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (options,) = re.findall(r"-m pytest (.*)", shown)
    # It would write a page of this project.
    options = options.replace("--tally", "")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    place = ["-n", "0", "--quiet", "--collect-only", "-p", "no:cacheprovider", str(tmp_path)]
    listed = subprocess.run(
        [*command, *shlex.split(options), *place], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    assert re.findall(r"::test_(\w+)", listed) == run


@pytest.mark.parametrize("name", [*SLOW, *FIRST])
def test_what_is_listed_is_there(name: str) -> None:
    assert (ROOT / "tests" / name).exists()
