"""The golden training: the same bits on every kind of processor, and who has confirmed it.

`python -m tests.golden concat late`, run in a project's root, trains and predicts with the stages'
own scripts and prints what came out. golden.json holds one entry per kind of processor; `judge`
says what a new one means.
"""

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).with_suffix(".json")
ENOUGH = 3
"""Kinds of processors on which the claim must have held before another result is a failure."""

Outcome = Literal["confirmed", "to add", "to look at", "failed"]


@dataclass(frozen=True)
class Golden:
    """What one kind of processor made of the golden training.

    Attributes
    ----------
    kind : str
        As `processor.processor_kind` calls it.
    versions : str
        torch, with the libraries built into it, and numpy: others may give other bits.
    digest : str
        Of all weights and logits.
    """

    kind: str
    versions: str
    digest: str


def read(path: Path = FILE) -> list[Golden]:
    """Return the entries that are kept."""
    return [Golden(**entry) for entry in json.loads(path.read_text("utf-8"))]


def judge(known: Sequence[Golden], seen: Golden) -> tuple[Outcome, str]:
    """Return what a result means beside those that are kept, and a sentence about it.

    Only entries of the same versions count. The claim has held where all of those have one digest,
    and on `ENOUGH` kinds: from then on another digest is a failure.
    """
    alike = [entry for entry in known if entry.versions == seen.versions]
    kinds, digests = {entry.kind for entry in alike}, {entry.digest for entry in alike}
    if digests == {seen.digest}:
        if seen.kind in kinds:
            return "confirmed", ""
        return "to add", f"a new kind of processor with the bits of {len(kinds)} other(s)"
    if not alike:
        return "to add", "no entry has these versions"
    if len(digests) == 1 and len(kinds) >= ENOUGH:
        return "failed", f"other bits than {len(kinds)} kinds of processors agree on"
    return "to look at", f"other bits than {', '.join(sorted(kinds))}"


def line(seen: Golden, why: str) -> str:
    """Return what the tests' summary says of a result that is not kept yet, and what to do."""
    return f"{why}; if that is right, add to tests/{FILE.name}: {json.dumps(asdict(seen))}"


def versions() -> str:
    """Return the versions that the bits depend on."""
    import re

    import numpy as np
    import torch

    built = torch.__config__.show()
    names = {"oneDNN": r"MKL-DNN v([\w.]+)", "MKL": r"Math Kernel Library Version ([\w.]+)"}
    found = {name: re.search(pattern, built) for name, pattern in names.items()}
    inside = [f"{name} {match[1]}" for name, match in found.items() if match]
    return ", ".join([f"torch {torch.__version__}", *inside, f"numpy {np.__version__}"])


def digest(fusions: Sequence[str]) -> str:
    """Return a digest of all weights and logits of fusions, by name and value."""
    import numpy as np
    from safetensors.numpy import load_file

    total = sha256()
    for fusion in fusions:
        for path in sorted(Path("models", fusion).glob("*.safetensors")):
            arrays = load_file(path)
            for name in sorted(arrays):
                total.update(f"{fusion} {path.name} {name} {arrays[name].shape}".encode())
                total.update(arrays[name].tobytes())
        for path in sorted(Path("predictions", fusion).glob("*.npz")):
            logits = np.load(path)["logits"]
            total.update(f"{fusion} {path.name} {logits.shape}".encode() + logits.tobytes())
    return total.hexdigest()[:32]


def run_stages(fusions: Sequence[str]) -> None:
    """Train and predict as DVC would, in this process."""
    for fusion in fusions:
        for script in ("train.py", "predict_parts.py"):
            sys.argv = [script, fusion]
            try:
                runpy.run_path(str(ROOT / "src" / script), run_name="__main__")
            except SystemExit as end:
                if end.code != 0:
                    raise


if __name__ == "__main__":
    wanted = sys.argv[1:]
    run_stages(wanted)
    from fusebench.processor import processor_kind

    print(json.dumps(asdict(Golden(processor_kind(), versions(), digest(wanted)))))
