"""A model's spec that is quick to measure, and few runs of each measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fusebench.models.base import ModelSpec
    from fusebench.training.settings import TrainParams


@pytest.fixture
def spec() -> Callable[..., ModelSpec]:
    """Make the spec of a small model; keywords: fusion, precision, size."""
    from fusebench.device import Precision
    from fusebench.models.base import ModelSpec

    def make(fusion: str = "add", precision: Precision = "fp32", size: int = 16) -> ModelSpec:
        return ModelSpec(fusion, 2, (size, size), "max", precision)

    return make


@pytest.fixture
def settings() -> Callable[[int], TrainParams]:
    """Make settings with a batch size."""
    from tests.conftest import TRAIN

    from fusebench.training.settings import TrainParams

    return lambda batch: TrainParams.model_validate(TRAIN | {"batch_size": batch})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure each time in few runs."""
    from fusebench.cost import measure, speed

    monkeypatch.setattr(measure, "ONE_SAMPLE", speed.Runs(1, 3, 3, 0.0))
    monkeypatch.setattr(measure, "MANY", speed.Runs(0, 1, 1, 0.0))
    monkeypatch.setattr(measure, "BATCH", 4)
