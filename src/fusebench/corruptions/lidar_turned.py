"""A LiDAR that does not look where it is taken to."""

import math

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording
from fusebench.inputs.moved import moved


class LidarTurned(Corruption):
    """The scene is turned about the LiDAR's vertical axis, to a side drawn per sample.

    What leaves the field of view is lost.
    """

    sensor, label = "lidar", "LiDAR turned against the image"
    amount, unit = "angle", "°"
    severities = (2, 5, 10, 20)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map of the turned scene."""
        angle = math.radians(amount) * (1 if recording.draw.random() < 0.5 else -1)
        cosine, sine = math.cos(angle), math.sin(angle)
        rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return moved(recording.reading, recording.geometry, rotation, np.zeros(3))
