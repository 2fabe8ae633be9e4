"""Section `runtime`: how a run is executed. No stage depends on it."""

from typing import Annotated, Literal

from pydantic import Field

from fusebench.config import Section


class RuntimeParams(Section):
    """Section `runtime`. Device and thread count enter the last bits of results, nothing else."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:(0|[1-9]\d{0,2}))?)$")] = Field(
        description="'auto', 'cpu', 'cuda' or 'cuda:<number>'"
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        description="'auto' or an integer from 1 to 1024"
    )
    progress: Literal["auto", "line", "plain", "off"] = Field(
        description="'auto', 'line', 'plain' or 'off'"
    )
