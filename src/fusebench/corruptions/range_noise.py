"""Noise on the ranges."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RangeNoise(Corruption):
    """Normal noise on the range of each return, independent.

    A range that comes to be negative is 0; one beyond the maximum range is no return.
    """

    sensor, label = "lidar", "noise on ranges"
    amount, unit = "standard deviation", "m"
    severities = (0.1, 0.5, 2, 5)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the noisy map."""
        ranges, largest = recording.reading, np.float32(recording.geometry.max_range)
        noise = recording.draw.normal(0, amount, ranges.shape).astype(np.float32)
        noisy: Reading = np.where(ranges < largest, np.clip(ranges + noise, 0, largest), ranges)
        return noisy
