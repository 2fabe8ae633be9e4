"""What studies read of an experiment's files, and intervals over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.errors import ArtifactError
from studies.common.experiments import Read, read_json

Values = npt.NDArray[np.float64]
"""A value per seed, shape (s,)."""

# What of metrics/training/<fusion>.json says where something was trained.
_ENVIRONMENT = ("device", "processor", "precision", "torch")


def read_metrics(read: Read, fusion: str, seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Return the test figures of each seed of a fusion, by the seed as text.

    Raises
    ------
    ArtifactError
        metrics/fusions/<fusion>.json is missing, broken, or of other seeds.
    """
    path = Path(f"metrics/fusions/{fusion}.json")
    content = read_json(read, path)
    try:
        found: dict[str, dict[str, Any]] = dict(content["test"]["seeds"])
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{path}: broken") from None
    if list(found) != [str(seed) for seed in seeds]:
        raise ArtifactError(f"{path}: seeds {list(found)}, not {list(seeds)}")
    return found


def read_environment(read: Read, fusions: Sequence[str]) -> dict[str, Any]:
    """Return where fusions were trained; where they differ, a text that lists what they were."""
    found = [read_json(read, Path(f"metrics/training/{name}.json")) for name in fusions]
    return {key: _joined([of["environment"] for of in found], key) for key in _ENVIRONMENT}


def _joined(environments: Sequence[Mapping[str, Any]], key: str) -> Any:
    values = list(dict.fromkeys(of[key] for of in environments))
    return values[0] if len(values) == 1 else ", ".join(map(str, values))
