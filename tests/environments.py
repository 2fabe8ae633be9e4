"""Environments of Python beside the tests' own: with its packages, and without a network."""

import subprocess
import sysconfig
import venv
from pathlib import Path

# What pip reads: it neither asks an index nor builds with other packages than those that are here.
# The value of the last means the opposite of what it says (pip, issue 5735).
OFFLINE = {
    "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
}  # fmt: skip


def make_environment(folder: Path) -> Path:
    """Make an environment that sees the packages of this one; return its Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    site = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    Path(site, "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    return python


def run(python: Path | str, *arguments: str, cwd: Path, environment: dict[str, str]) -> str:
    """Run a Python; return what it printed, or fail with it."""
    done = subprocess.run(
        [str(python), *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout
