"""From the bytes of a member to an array: images to RGB, .npy to checked float32."""

import ast
import io
import struct
import warnings
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

_MAGIC = b"\x93NUMPY"
_MAX_PIXELS = 64_000_000
# Pillow only warns of a huge image; here it is refused before it is decoded.
Image.MAX_IMAGE_PIXELS = None


class BadMemberError(Exception):
    """A member cannot be used; the message says what is wrong, without the member's name."""


def decode_image(content: bytes, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a PNG or JPEG of any size and mode as RGB.

    Transparency is dropped (in the real archive alpha is always 255), 16-bit grey keeps its upper
    byte, a JPEG's orientation tag is applied, and another size is resampled (bilinear over the
    whole footprint of a pixel).

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
        Not a PNG or JPEG, cut off, or larger than 64 million pixels.
    """
    try:
        rgb = _read_rgb(content)
    except UnidentifiedImageError:
        raise BadMemberError("not a PNG or JPEG image") from None
    except _BROKEN as error:
        raise BadMemberError(f"broken image ({error})") from None
    height, width = size
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(rgb)


# What Pillow and zlib raise where the bytes are not what the format says.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, KeyError, struct.error, zlib.error)


def _read_rgb(content: bytes) -> Image.Image:
    """Return an image in its own size."""
    with (
        # Pillow warns of broken EXIF data, which say nothing of the pixels.
        warnings.catch_warnings(action="ignore"),
        Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image,
    ):
        if image.width * image.height > _MAX_PIXELS:
            raise BadMemberError(
                f"{image.width}×{image.height} pixels; at most {_MAX_PIXELS:,} are allowed"
            )
        if image.format == "PNG":
            _check_png_rows(content)
            return _to_rgb(image)
        return _to_rgb(_upright(image))


def _upright(image: Image.Image) -> Image.Image:
    """Turn a photograph by its orientation tag; broken EXIF data count as none."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return image


def _check_png_rows(content: bytes) -> None:
    """Refuse a PNG whose data end before its last row, which Pillow would leave black."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    if interlaced:
        return
    data, start = [], 8
    while start + 8 <= len(content):
        length, chunk = struct.unpack(">I4s", content[start : start + 8])
        if chunk == b"IDAT":
            data.append(content[start + 8 : start + 8 + length])
        start += 12 + length
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    wanted = height * (1 + (width * channels * depth + 7) // 8)
    # No more than is wanted is unpacked: a small file may hold gigabytes of zeros.
    if len(zlib.decompressobj().decompress(b"".join(data), max(1, wanted))) < wanted:
        raise BadMemberError("broken image (data end before the last row)")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # convert() would clip 16-bit values at 255 instead of scaling them.
        upper = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(upper)
    if image.mode == "P" and "transparency" in image.info:
        # Pillow warns of the straight way, whose colours are the same.
        image = image.convert("RGBA")
    return image.convert("RGB")


@lru_cache(maxsize=64)
def _parse_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Return shape and dtype from an .npy header; cached, since most maps share theirs."""
    try:
        fields = ast.literal_eval(header.decode("latin1").strip())
        dtype = np.dtype(fields["descr"])
        if fields["fortran_order"] and len(fields["shape"]) > 1:
            raise BadMemberError("Fortran order; must be in C order")
        return tuple(fields["shape"]), dtype
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise BadMemberError("broken .npy header") from None


def decode_npy(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the array of an .npy file after checking its dtype, shape and that it is finite.

    Raises
    ------
    BadMemberError
        Not an .npy file, not float32, another shape, cut off, NaN or infinite.

    Notes
    -----
    The format is described in `numpy.lib.format`. Pickled objects are never read.
    """
    if content[:6] != _MAGIC or len(content) < 12:
        raise BadMemberError("not an .npy file")
    width, code = (2, "<H") if content[6] == 1 else (4, "<I")
    (length,) = struct.unpack_from(code, content, 8)
    start = 8 + width + length
    stored_shape, dtype = _parse_header(content[8 + width : start])
    if dtype.newbyteorder("<") != np.dtype("<f4"):
        raise BadMemberError(f"dtype {dtype}; must be float32")
    if stored_shape != shape:
        raise BadMemberError(f"shape {stored_shape}; must be {shape}")
    size = 4 * int(np.prod(shape))
    if len(content) - start != size:
        raise BadMemberError(f"{len(content) - start} bytes of values; must be {size}")
    values = np.frombuffer(content, dtype, offset=start).reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise BadMemberError(f"holds {bad}; all values must be finite")
    return values


def decode_ranges(
    content: bytes, shape: tuple[int, int], max_range: float
) -> npt.NDArray[np.float32]:
    """Return a LiDAR map, in metres, after checking that 0 ≤ range ≤ `max_range`.

    Raises
    ------
    BadMemberError
        As `decode_npy`, or a range outside the allowed ones.
    """
    ranges = decode_npy(content, shape)
    if ranges.min() < 0:
        raise BadMemberError(f"range {ranges.min():g}; must be 0 or more")
    if ranges.max() > np.float32(max_range):
        raise BadMemberError(
            f"range {ranges.max():g}; must be at most data.max_range {max_range:g}"
        )
    return ranges
