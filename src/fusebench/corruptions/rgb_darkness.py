"""Too little light."""

import torch
from torchvision.transforms.v2 import functional as transforms

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RgbDarkness(Corruption):
    """A share of the brightness is missing; what is left is cut to whole values."""

    sensor, label = "rgb", "darkness"
    amount, unit = "brightness that is missing", "%"
    severities = (50, 80, 95, 99)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the darkened image."""
        image_chw = torch.from_numpy(recording.reading.transpose(2, 0, 1).copy())
        darker = transforms.adjust_brightness(image_chw, 1 - amount / 100)
        made: Reading = darker.permute(1, 2, 0).numpy()
        return made
