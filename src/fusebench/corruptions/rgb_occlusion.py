"""Something black before the camera."""

import torch
from torchvision.transforms.v2 import functional as transforms

from fusebench.inputs.corruption import Corruption, Reading, Recording
from fusebench.inputs.occlusion import rectangle


class RgbOcclusion(Corruption):
    """A black rectangle of the image's proportions, anywhere within the image.

    References
    ----------
    DeVries & Taylor, "Improved regularization of convolutional neural networks with cutout",
    arXiv:1708.04552, 2017.
    """

    sensor, label = "rgb", "occlusion of the image"
    amount, unit = "area", "%"
    severities = (10, 25, 50, 80)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the image with the rectangle."""
        height, width = recording.reading.shape[:2]
        top, left, high, wide = rectangle((height, width), amount / 100, recording.draw)
        image_chw = torch.from_numpy(recording.reading.transpose(2, 0, 1).copy())
        nothing = torch.zeros((), dtype=torch.uint8)
        covered = transforms.erase(image_chw, top, left, high, wide, nothing)
        made: Reading = covered.permute(1, 2, 0).numpy()
        return made
