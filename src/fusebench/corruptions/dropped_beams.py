"""Beams that are missing."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class DroppedBeams(Corruption):
    """Whole beams have no return, drawn at random; a beam is a column, one zenith angle."""

    sensor, label = "lidar", "dropped beams"
    amount, unit = "beams that are dropped", "%"
    severities = (25, 50, 75, 95)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map without these beams."""
        ranges = recording.reading.copy()
        beams = ranges.shape[1]
        dropped = recording.draw.permutation(beams)[: round(amount / 100 * beams)]
        ranges[:, dropped] = np.float32(recording.geometry.max_range)
        return ranges
