"""The image of another sample, as where sensors have lost their common clock."""

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RgbSwapped(Corruption):
    """The image is another sample's, of any class, in a share of the samples."""

    sensor, label = "rgb", "image of another sample"
    amount, unit = "samples with another image", "%"
    severities = (25, 50, 75, 100)
    of_samples = True

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the image, or another sample's."""
        swapped = recording.draw.random() < amount / 100
        return recording.another() if swapped else recording.reading
