"""Params of demonstration archives."""

from typing import Any

from fusebench.synthetic.settings import SynthesizeParams

EASY = {"gap": 4.0, "objects": 2, "noise": 0.0}


def synthesize_params(
    task: str = "shape", counts: Any = "auto", seed: int = 0, **difficulty: float
) -> SynthesizeParams:
    return SynthesizeParams.model_validate(
        {"task": task, "counts": counts, "difficulty": {**EASY, **difficulty}, "seed": seed}
    )
