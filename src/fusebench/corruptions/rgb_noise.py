"""Noise on the values of the image."""

import numpy as np

from fusebench.inputs.corruption import Corruption, Reading, Recording


class RgbNoise(Corruption):
    """Normal noise on each value of each pixel, independent, in % of full scale.

    References
    ----------
    Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and
    perturbations", ICLR 2019 (Gaussian noise).
    """

    sensor, label = "rgb", "noise in the image"
    amount, unit = "standard deviation", "% of full scale"
    severities = (5, 10, 20, 40)

    def corrupt(self, recording: Recording, amount: float) -> Reading:
        """Return the noisy image."""
        image = recording.reading
        noise = recording.draw.normal(0, amount / 100 * 255, image.shape)
        noisy: Reading = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        return noisy
