"""From the bytes of a 16-bit PNG to ranges."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from fusebench.data.headers import shown
from fusebench.data.images import BROKEN_IMAGE
from fusebench.data.paths import GUIDE
from fusebench.data.png import SIGNATURE, check_png, check_size
from fusebench.data.unpack import BadMemberError


def decode_depth(content: bytes, size: tuple[int, int], step: float) -> npt.NDArray[np.float32]:
    """Return the values of a grey 16-bit PNG times a step, in metres.

    Each is the range along the ray of its cell, not the distance from the camera's plane.

    Parameters
    ----------
    size : (int, int)
        Rows and columns that it must have.
    step : float
        Metres per unit.

    Returns
    -------
    array of float32, shape `size`

    Raises
    ------
    BadMemberError
        No PNG, broken, not grey with 16 bits, or of another size.
    """
    values = open_depth(content)
    if values.shape != size:
        raise BadMemberError(f"shape {values.shape}; must be {size}, as lidar.size says ({GUIDE})")
    return np.asarray(values.astype(np.float64) * step, np.float32)


def open_depth(content: bytes) -> npt.NDArray[np.uint16]:
    """Return the values of a grey 16-bit PNG of any size; errors as `decode_depth`."""
    if not content.startswith(SIGNATURE):
        raise BadMemberError(f"not a PNG image ({GUIDE})")
    try:
        check_png(content)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            check_size(image.width, image.height)
            image.load()
            mode, values = image.mode, np.asarray(image)
    except BROKEN_IMAGE as error:
        raise BadMemberError(f"broken image ({shown(str(error))})") from None
    if mode not in ("I;16", "I;16B"):
        raise BadMemberError(f"image of mode {mode}; must be grey with 16 bits ({GUIDE})")
    return values
