"""The LiDAR map of another sample, as where sensors have lost their common clock."""

from fusebench.inputs.corruption import Corruption, Reading, Recording


class LidarSwapped(Corruption):
    """The map is another sample's, of any class, in a share of the samples."""

    sensor, label = "lidar", "LiDAR map of another sample"
    amount, unit = "samples with another map", "%"
    severities = (25, 50, 75, 100)
    of_samples = True

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the map, or another sample's."""
        swapped = recording.draw.random() < amount / 100
        return recording.another() if swapped else recording.reading
