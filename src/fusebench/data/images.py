"""From the bytes of an image file to RGB."""

import io
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from fusebench.data.headers import shown
from fusebench.data.jpeg import JPEG_START, check_jpeg
from fusebench.data.png import SIGNATURE, check_png, check_size
from fusebench.data.unpack import BadMemberError

# Pillow only warns of a huge image; here it is refused before it is decoded.
Image.MAX_IMAGE_PIXELS = None

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""How the names of images end."""


def decode_image(content: bytes, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a PNG or JPEG of any size and mode as RGB.

    Transparency is dropped (in the real archive alpha is always 255), 16 bits keep their upper
    byte, the orientation tag is applied, and another size is resampled (bilinear over the whole
    footprint of a pixel). Profiles of colour are not applied.

    Parameters
    ----------
    size : (int, int)
        Height and width of the result.

    Returns
    -------
    array of uint8, shape (height, width, 3)

    Raises
    ------
    BadMemberError
        Not a PNG or JPEG, broken, an animation, or larger than 64 million pixels.
    """
    rgb = decode_whole(content)
    height, width = size
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(rgb)


def decode_whole(content: bytes) -> Image.Image:
    """Return an image in its own size; else as `decode_image`."""
    try:
        return _read_rgb(content)
    except UnidentifiedImageError:
        raise BadMemberError("not a PNG or JPEG image") from None
    except BROKEN_IMAGE as error:
        raise BadMemberError(f"broken image ({shown(str(error))})") from None


# What Pillow and zlib raise where the bytes are not what the format says.
BROKEN_IMAGE = (OSError, SyntaxError, ValueError, EOFError, KeyError, struct.error, zlib.error)


def _read_rgb(content: bytes) -> Image.Image:
    """Return an image in its own size."""
    colours = 0
    if content.startswith(SIGNATURE):
        colours = check_png(content)
    elif content.startswith(JPEG_START):
        check_jpeg(content)
    with (
        # Pillow warns of broken EXIF data, which say nothing of the pixels.
        warnings.catch_warnings(action="ignore"),
        Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image,
    ):
        check_size(image.width, image.height)
        image.load()
        if colours:
            _check_palette(image, colours)
        return _to_rgb(_upright(image))


def _check_palette(image: Image.Image, colours: int) -> None:
    """Refuse a pixel without a colour, which Pillow would make black."""
    largest = int(np.asarray(image).max())
    if largest >= colours:
        raise BadMemberError(
            f"broken image (colour {largest} of a palette of {colours}, counted from 0)"
        )


def _upright(image: Image.Image) -> Image.Image:
    """Turn a photograph by its orientation tag; broken EXIF data count as none."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # convert() would clip 16-bit values at 255 instead of scaling them.
        upper = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(upper)
    # What is transparent has a colour all the same.
    image.info.pop("transparency", None)
    return image.convert("RGB")
