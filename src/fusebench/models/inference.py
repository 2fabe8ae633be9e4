"""What a model says of samples."""

import torch
from torch import Tensor

from fusebench.data.inputs import Inputs
from fusebench.models.fusion import Fusion


@torch.inference_mode()
def predict(model: Fusion, inputs: Inputs, batch_size: int) -> Tensor:
    """Return logits (N, k), float32, on the model's device."""
    model.eval()
    positions = torch.arange(len(inputs), device=inputs.labels.device)
    return torch.cat([model(inputs.batch(part)[0]) for part in torch.split(positions, batch_size)])
