"""What a measurement depends on: python -m benchmarks.machine prints it as JSON.

torch is asked in a process of its own, since the one that measures must not import it.
"""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, BenchmarkError, environment, last_line

# From strongest to weakest, as torch calls them, and as results are named.
INSTRUCTION_SETS = {"amx_bf16": "amx", "avx512_bf16": "avx512-bf16", "avx512_f": "avx512"}


def probe() -> dict[str, Any]:
    """Return the environment as a worker finds it, and the project's commit.

    Raises
    ------
    BenchmarkError
        torch cannot be asked.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.machine"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchmarkError(f"environment: {last_line(done.stderr)}")
    facts: dict[str, Any] = json.loads(done.stdout)
    cores, sets = facts["threads"], facts["instruction_sets"]
    return {
        "machine": slug(facts["processor"], cores, sets),
        **facts,
        "os": platform.platform(),
        "commit": commit(ROOT),
    }


def slug(processor: str, cores: int, instruction_sets: Mapping[str, bool]) -> str:
    """Return a name for files; with the instruction set, since clouds name processors vaguely.

    "Intel(R) Xeon(R) Processor", 2 cores with AMX → "intel-xeon-processor-2-cores-amx"
    """
    plain = re.sub(r"\((R|TM|C)\)", "", processor, flags=re.IGNORECASE).lower()
    words = re.findall(r"[a-z0-9]+", plain)
    return "-".join([*words, str(cores), "cores", strongest(instruction_sets)])


def strongest(instruction_sets: Mapping[str, bool]) -> str:
    """Return the instruction set that counts most for convolutions, or "none" of those known."""
    present = (name for key, name in INSTRUCTION_SETS.items() if instruction_sets.get(key))
    return next(present, "none")


def commit(root: Path) -> str:
    """Return the commit of a checkout, "-dirty" added if something differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _facts() -> dict[str, Any]:
    import torch

    from fusebench import device
    from fusebench.device import RuntimeParams

    cpu = device.prepare(
        RuntimeParams(
            device="cpu",
            threads="auto",
            portable=False,
            progress="off",
            save_every=10,
            work_limit=5,
            stacked=False,
        )
    )
    precision = device.resolve_precision("auto", cpu)
    capabilities = torch.cpu.get_capabilities()
    facts: dict[str, Any] = dict(device.environment(cpu, precision))
    facts["instruction_sets"] = {
        name: bool(capabilities.get(name, False)) for name in INSTRUCTION_SETS
    }
    facts["gpu"], facts["gpu_precision"] = None, None
    if torch.cuda.is_available():
        gpu = device.Device(torch.device("cuda", 0), "benchmark", cpu.threads)
        facts["gpu"], facts["gpu_precision"] = gpu.name, device.resolve_precision("auto", gpu)
    return facts


if __name__ == "__main__":
    print(json.dumps(_facts()))
