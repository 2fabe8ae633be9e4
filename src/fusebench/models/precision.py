"""In which number format a model computes. Weights, optimiser and logits are fp32 in any case."""

from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def arithmetic(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which convolutions and linear layers compute in `precision`.

    bf16 keeps eight significant bits of their inputs and outputs; sums are made in fp32
    (Micikevicius et al., "Mixed precision training", ICLR 2018, with bf16 in place of fp16).
    """
    # Each weight is rounded once per pass, so there is nothing to keep; and a kept copy would
    # outlive the optimiser's step if somebody called the model inside a context of their own.
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=precision == "bf16", cache_enabled=False
    )
