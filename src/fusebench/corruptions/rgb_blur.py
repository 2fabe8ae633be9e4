"""A blurred image."""

import torch
from torchvision.transforms.v2 import functional as transforms

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RgbBlur(Corruption):
    """A Gaussian blur, as of a lens out of focus."""

    sensor, label = "rgb", "blur"
    amount, unit = "standard deviation", "pixels"
    severities = (0.5, 1, 2, 4)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the blurred image."""
        image_chw = torch.from_numpy(recording.reading.transpose(2, 0, 1).copy()).float()
        # First along the one side, then along the other: the same, and many times faster.
        for side in range(2):
            # Three deviations, and no more than can be mirrored at the border.
            reach = min(int(3 * amount), image_chw.shape[2 - side] - 1)
            size, deviation = [1, 1], [amount] * 2
            size[side] = 2 * reach + 1
            image_chw = transforms.gaussian_blur(image_chw, size, deviation)
        made: Reading = image_chw.round().to(torch.uint8).permute(1, 2, 0).numpy()
        return made
