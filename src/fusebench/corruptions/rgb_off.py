"""A camera that delivers nothing."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RgbOff(Corruption):
    """The image is black in a share of the samples."""

    sensor, label = "rgb", "camera off"
    amount, unit = "samples without image", "%"
    severities = (25, 50, 75, 100)
    of_samples = True

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the image, or a black one."""
        fails = recording.draw.random() < amount / 100
        return np.zeros_like(recording.reading) if fails else recording.reading
