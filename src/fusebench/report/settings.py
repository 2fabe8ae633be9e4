"""Section `compare`: which metric decides."""

from pydantic import field_validator

from fusebench.config import Section
from fusebench.evaluation.metrics import METRICS


class CompareParams(Section):
    """Section `compare`. One metric is declared before looking; the others only describe."""

    primary: str

    @field_validator("primary")
    @classmethod
    def _known(cls, primary: str) -> str:
        if primary not in METRICS:
            raise ValueError(f"'{primary}': must be one of {', '.join(METRICS)}")
        return primary
