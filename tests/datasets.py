"""Samples and what they were recorded with, made up for tests."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from tests.project import SENSORS

from fusebench import yaml12
from fusebench.config import validate
from fusebench.samples.samples import SAMPLE_COLUMNS, Dataset
from fusebench.samples.sensors import Sensors

CLASSES = ("cubes", "spheres")


def sensors_of(**changes: Any) -> Sensors:
    """Return tests/sensors.yaml with other values of keys, each named without its section."""
    content: dict[str, dict[str, Any]] = yaml12.load(SENSORS)
    for key, value in changes.items():
        (section,) = [section for section in content.values() if key in section]
        section[key] = value
    return validate(Sensors, content, "sensors")


def dataset_of(
    classes: tuple[str, ...] = CLASSES,
    positive: str | None = None,
    *,
    synthetic: bool = True,
    task: str | None = None,
    **sensors: Any,
) -> Dataset:
    """Return a dataset whose last class is positive unless said; see `sensors_of`."""
    return Dataset(
        classes, positive or classes[-1], sensors_of(**sensors), synthetic, "class_folders", task
    )


def table_of(
    ids: Sequence[str],
    labels: Sequence[int],
    classes: Sequence[str] = CLASSES,
    *,
    groups: Sequence[str] | None = None,
    digests: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return samples.csv; each id is a group unless they are given."""
    count = len(ids)
    columns = {
        "row": range(count), "id": ids, "group": ids if groups is None else groups,
        "class": [classes[label] for label in labels], "label": labels,
        "digest": [f"{row:032x}" for row in range(count)] if digests is None else digests,
    }  # fmt: skip
    return pd.DataFrame(columns)[list(SAMPLE_COLUMNS)]
