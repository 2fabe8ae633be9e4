"""Returns that are lost."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class MissingReturns(Corruption):
    """Each return is lost with the same probability, independent: as in rain, or on dark paint."""

    sensor, label = "lidar", "missing returns"
    amount, unit = "returns that are lost", "%"
    severities = (25, 50, 75, 95)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map with fewer returns."""
        lost = recording.draw.random(recording.reading.shape) < amount / 100
        thinner: Reading = np.where(
            lost, np.float32(recording.geometry.max_range), recording.reading
        )
        return thinner
