"""All of params.yaml, for the first stage, which refuses a wrong file before any work is done."""

from typing import Any

from pydantic import Field, field_validator

from fusebench.data.archive import DataParams
from fusebench.data.split import SplitParams
from fusebench.device import RuntimeParams
from fusebench.inputs.lidar import LidarParams
from fusebench.models.registry import StrategyParams, checked_fusion
from fusebench.report.settings import CompareParams
from fusebench.synthetic.archive import SynthesizeParams
from fusebench.training.settings import TrainOverride, TrainParams


class Params(StrategyParams):
    """The whole file: the sections that the rooms of the library declare."""

    data: DataParams = Field(description="a mapping")
    synthesize: SynthesizeParams = Field(description="a mapping")
    split: SplitParams = Field(description="a mapping")
    lidar: LidarParams = Field(description="a mapping")
    train: TrainParams = Field(description="a mapping")
    override: dict[str, TrainOverride | None] = Field(description="a mapping of fusions")
    compare: CompareParams = Field(description="a mapping")
    runtime: RuntimeParams = Field(description="a mapping")

    @field_validator("override")
    @classmethod
    def _known(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in overrides:
            checked_fusion(name)
        return overrides
