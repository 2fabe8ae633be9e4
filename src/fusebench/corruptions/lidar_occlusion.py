"""Something before the LiDAR that lets nothing through and returns nothing."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording
from fusebench.inputs.occlusion import rectangle


class LidarOcclusion(Corruption):
    """No return from a rectangle of the map's proportions, anywhere within the map."""

    sensor, label = "lidar", "occlusion of the LiDAR"
    amount, unit = "area", "%"
    severities = (10, 25, 50, 80)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map without what is behind the rectangle."""
        height, width = recording.reading.shape
        top, left, high, wide = rectangle((height, width), amount / 100, recording.draw)
        covered = recording.reading.copy()
        covered[top : top + high, left : left + wide] = np.float32(recording.geometry.max_range)
        return covered
