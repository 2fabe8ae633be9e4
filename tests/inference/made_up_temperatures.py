"""Temperatures of stage compare beside models, and a dvc.lock by which they are of them."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from fusebench.files import dvc_digest, write_json, write_table
from fusebench.report.probabilities import PROBABILITIES, PROBABILITY_KINDS
from fusebench.report.results import SOURCES


def write_temperatures(root: Path, temperatures: Mapping[int, float], fusion: str = "add") -> None:
    """Write what stage compare would of one fusion, and what DVC would of the stages before."""
    figures = dict.fromkeys([*PROBABILITY_KINDS][3:], 0.5)
    rows = [
        {"fusion": fusion, "seed": seed, "temperature": value, **figures}
        for seed, value in temperatures.items()
    ]
    write_table(root / PROBABILITIES, pd.DataFrame(rows, columns=[*PROBABILITY_KINDS]))
    write_lock(root, fusion)
    predictions = dvc_digest(root / "predictions" / fusion)
    write_json(root / SOURCES, {"predictions": {fusion: predictions}})


def write_lock(root: Path, fusion: str = "add") -> None:
    """Write a dvc.lock by which stages train, predict and compare made what is there."""

    def listed(path: str) -> list[dict[str, str]]:
        return [{"path": path, "md5": dvc_digest(root / path)}]

    models, predictions = f"models/{fusion}", f"predictions/{fusion}"
    stages = {
        f"train@{fusion}": {"outs": listed(models)},
        f"predict@{fusion}": {"deps": listed(models), "outs": listed(predictions)},
        "compare": {"outs": listed(str(PROBABILITIES))},
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}), "utf-8")
