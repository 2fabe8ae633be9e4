"""Samples as pictures that stand in the page itself: PNG as data URIs."""

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image

from fusebench.page.markup import Markup, tag
from fusebench.samples.samples import Samples

# Pixels of the longer side at most; smaller pictures stay as they are, and are shown larger.
_SIDE = 128
_NO_RETURN = (134, 140, 148)
_MAP = "viridis_r"
# Per cent of ranges between which colours are spread.
_SPREAD = (2, 98)
_STOPS = 9


class Pictures:
    """Images, and LiDAR maps coloured by range, all with the same colours.

    Parameters
    ----------
    samples : Samples
    rows : sequence of int
        Positions of the samples to be shown, one or more.
    """

    def __init__(self, samples: Samples, rows: Sequence[int]) -> None:
        self._samples = samples
        ranges = samples.ranges(rows)
        hits = ranges[self._hit(ranges)]
        self._near, self._far = (
            (float(limit) for limit in np.percentile(hits, _SPREAD))
            if len(hits)
            else (0.0, samples.dataset.max_range)
        )

    def _hit(self, ranges: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        hit: npt.NDArray[np.bool_] = np.isfinite(ranges) & (
            ranges < self._samples.dataset.max_range
        )
        return hit

    def image(self, row: int, words: str) -> Markup:
        """Return the image of a sample; `words` say what it is."""
        return _element(self._samples.images([row])[0], words)

    def ranges(self, row: int, words: str) -> Markup:
        """Return the LiDAR map of a sample, turned as the image is; grey: no return."""
        ranges = self._samples.ranges([row])[0]
        span = max(self._far - self._near, 1e-9)
        shares = np.clip((ranges - self._near) / span, 0, 1)
        colours = mpl.colormaps[_MAP](shares, bytes=True)[..., :3]
        colours[~self._hit(ranges)] = _NO_RETURN
        # rot90 turns the other way round.
        return _element(np.rot90(colours, -self._samples.dataset.sensors.lidar.turns), words)

    @property
    def legend(self) -> Markup:
        """Return which colour is which range."""
        stops = [
            "#{:02x}{:02x}{:02x}".format(*mpl.colormaps[_MAP](place, bytes=True)[:3])
            for place in np.linspace(0, 1, _STOPS).tolist()
        ]
        bar = tag(
            "span", class_="ramp", style=f"background:linear-gradient(90deg,{','.join(stops)})"
        )
        turned = ", turned as the image is" if self._samples.dataset.sensors.lidar.turns % 4 else ""
        return tag(
            "p", f"Left: image. Right: LiDAR range{turned}, {self._near:.1f} m ", bar,
            f" {self._far:.1f} m, grey: no return.", class_="note",
        )  # fmt: skip


def _element(pixels: npt.NDArray[np.uint8], words: str) -> Markup:
    """Return an image element of pixels (H, W, 3)."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_SIDE, _SIDE))
    with io.BytesIO() as file:
        picture.save(file, "png", optimize=True)
        content = base64.b64encode(file.getvalue()).decode()
    return tag("img", src=f"data:image/png;base64,{content}", alt=words)
