"""A LiDAR that is not where it is taken to be."""

import math

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording
from fusebench.inputs.moved import moved


class LidarShifted(Corruption):
    """The scene is shifted against the LiDAR, across its view, in a direction drawn per sample.

    Each return is moved as a point and falls into the cell that looks at it then.
    """

    sensor, label = "lidar", "LiDAR shifted against the image"
    amount, unit = "shift", "m"
    severities = (1, 2, 4, 8)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map of the shifted scene."""
        angle = recording.draw.uniform(0, 2 * math.pi)
        shift = amount * np.array([math.cos(angle), 0.0, math.sin(angle)])
        return moved(recording.reading, recording.geometry, np.eye(3), shift)
