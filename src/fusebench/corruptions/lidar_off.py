"""A LiDAR that delivers nothing."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class LidarOff(Corruption):
    """The map has no return in a share of the samples."""

    sensor, label = "lidar", "LiDAR off"
    amount, unit = "samples without return", "%"
    severities = (25, 50, 75, 100)
    of_samples = True

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map, or one without return."""
        if recording.draw.random() >= amount / 100:
            return recording.reading
        return np.full_like(recording.reading, recording.geometry.max_range)
