"""Ctrl-C in a run of the real DVC: what is said, and that following it leads where it says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.project import Project, environment, stages_run, started

pytestmark = pytest.mark.slow

# Long enough to be interrupted.
ENDLESS = 100_000


def _interrupted(project: Project, *arguments: str) -> list[str]:
    """Run DVC until it trains, then press Ctrl-C; return the error's lines, DVC's own left out."""
    lines = []
    with started(project, *arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("add (fusion ") and ": seeds 0, 1 on" in line:
                # To all of the terminal's processes, as a terminal does.
                os.killpg(process.pid, signal.SIGINT)
    assert process.returncode != 0
    assert "Traceback" not in "\n".join(lines)
    (start,) = (number for number, line in enumerate(lines) if line.startswith("error: "))
    end = next(number for number in range(start, len(lines)) if lines[number].startswith("ERROR"))
    return [line for line in lines[start:end] if line]


def _command(line: str) -> str:
    """Return the command that goes back."""
    return line.partition("back to HEAD: ")[2]


def _assert_as_committed(project: Project) -> None:
    assert project.git("status", "--porcelain") == ""
    assert project.changed_stages() == set()


def test_after_ctrl_c_in_repro_the_advice_goes_back_or_on(clean: Project) -> None:
    clean.set_params({"train.epochs": ENDLESS})
    said, advice = _interrupted(clean, "repro")
    assert said.startswith("error: interrupted; DVC has removed this stage's old outputs and keeps")
    assert max(len(said), len(advice)) <= 100
    assert not (clean.root / "models/add").exists(), "as was said"
    assert _command(advice)
    # The change of params.yaml is the user's own, and stays.
    clean.run("sh", "-c", _command(advice))
    assert clean.git("status", "--porcelain").split() == ["M", "params.yaml"]
    clean.git("checkout", "params.yaml")
    _assert_as_committed(clean)


def test_after_ctrl_c_in_an_experiment_the_advice_goes_back(clean: Project) -> None:
    said, advice = _interrupted(clean, "exp", "run", "-S", f"train.epochs={ENDLESS}")
    assert said.startswith("error: interrupted; params.yaml stays changed, and DVC has removed")
    assert max(len(said), len(advice)) <= 105
    assert f"epochs: {ENDLESS}" in (clean.root / "params.yaml").read_text("utf-8")
    clean.run("sh", "-c", _command(advice))
    _assert_as_committed(clean)


@pytest.mark.thorough
# Different rates: what one has trained is in the run cache for the other.
@pytest.mark.parametrize(("run", "rate"), [(("repro",), 0.002), (("exp", "run"), 0.003)])
def test_after_ctrl_c_the_run_goes_on(run: tuple[str, ...], rate: float, clean: Project) -> None:
    if run == ("repro",):
        clean.set_params({"train.lr": rate})
        _, advice = _interrupted(clean, *run, "predict@add")
    else:
        _, advice = _interrupted(clean, *run, "-S", f"train.lr={rate}", "predict@add")
    assert f"dvc {' '.join(run)} goes on" in advice
    ran = stages_run(clean.dvc(*run, "predict@add"))
    assert ran == ["train@add", "predict@add"], "what was done before is not done again"


def test_after_ctrl_c_in_a_folder_of_its_own_the_workspace_is_as_it_was(clean: Project) -> None:
    (said,) = _interrupted(clean, "exp", "run", "--temp", "-S", f"train.epochs={ENDLESS}")
    assert said == (
        "error: interrupted; this experiment has a folder of its own: the workspace is as it was"
    )
    _assert_as_committed(clean)


def test_without_dvc_nothing_is_said_of_it(clean: Project, tmp_path: Path) -> None:
    # As in tests/test_cli.py, but for a script that DVC did not start in a project of DVC.
    script = tmp_path / "script.py"
    script.write_text(
        "from fusebench import cli\ndef work():\n    raise KeyboardInterrupt\ncli.run(work)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=clean.root, capture_output=True, text=True, check=False,
        env=environment() | {"PYTHONPATH": str(clean.root / "src")},
    )  # fmt: skip
    assert done.stderr == (
        "error: interrupted; nothing half-written was left in place, run the same command again\n"
    )
