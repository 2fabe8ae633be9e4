"""From the bytes of a member to an array: images to RGB, .npy to checked float32."""

import ast
import io
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from fusebench.data.archive import GUIDE
from fusebench.data.sensors import LidarSensor, NoReturn

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
            raise BadMemberError(
                "Fortran order; must be in C order: numpy.save(path, numpy.ascontiguousarray("
                f"values)) ({GUIDE})"
            )
        return tuple(fields["shape"]), dtype
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise BadMemberError("broken .npy header") from None


def decode_npy(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the numbers of an .npy file as float32, if each is what it was.

    NaN and infinity pass: what they mean is known where the values are used.

    Raises
    ------
    BadMemberError
        Not an .npy file, no real numbers, another shape, cut off, or a value that float32 does
        not hold exactly.

    Notes
    -----
    The format is described in `numpy.lib.format`. Pickled objects are never read.
    """
    if content[:6] != _MAGIC or len(content) < 12:
        raise BadMemberError(f"not an .npy file; numpy.save writes one ({GUIDE})")
    width, code = (2, "<H") if content[6] == 1 else (4, "<I")
    (length,) = struct.unpack_from(code, content, 8)
    start = 8 + width + length
    stored_shape, dtype = _parse_header(content[8 + width : start])
    if dtype.kind not in "fiu":
        raise BadMemberError(f"dtype {dtype}; must be float32{_CONVERTER}")
    if stored_shape != shape:
        raise BadMemberError(f"shape {stored_shape}; must be {shape}, as lidar.size says ({GUIDE})")
    size = dtype.itemsize * int(np.prod(shape))
    if len(content) - start != size:
        raise BadMemberError(f"{len(content) - start} bytes of values; must be {size}")
    return _exact_float32(np.frombuffer(content, dtype, offset=start).reshape(shape))


# Rounding a sample is for its owner to decide, who sees by how much.
_CONVERTER = f': numpy.save(path, values.astype("float32")) ({GUIDE})'


def _exact_float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return values as float32, or raise BadMemberError if that changes one of them."""
    if values.dtype.newbyteorder("<") == np.dtype("<f4"):
        return values.astype(np.float32)
    # Too large a value becomes infinite, and so unequal.
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if values.dtype.kind == "f":
        same = (single == values) | (np.isnan(single) & np.isnan(values))
    else:
        # Compared as integers: as floats, two large ones would be equal that are not.
        limits, wide = np.iinfo(values.dtype), single.astype(np.float64)
        inside = (wide >= float(limits.min)) & (wide < float(limits.max // 2 + 1) * 2)
        same = inside & (np.where(inside, wide, 0).astype(values.dtype) == values)
    if not same.all():
        raise BadMemberError(
            f"dtype {values.dtype} with values that float32 does not hold, e.g. "
            f"{values[~same][0]}; round them yourself{_CONVERTER}"
        )
    return single


def decode_angles(content: bytes, length: int) -> npt.NDArray[np.float32]:
    """Return the angles of one axis, in radians, after checking that they are finite and ≤ 2π.

    Raises
    ------
    BadMemberError
        As `decode_npy`, or an angle that is none.
    """
    angles = decode_npy(content, (length,))
    if not np.isfinite(angles).all():
        raise BadMemberError(f"holds {_first_not_finite(angles)}; all angles must be finite")
    largest = np.abs(angles).max()
    if largest > 2 * np.pi:
        raise BadMemberError(
            f"angle {largest:g}; must be at most 2π, for angles are in radians: "
            f'numpy.save(path, numpy.radians(values).astype("float32")) ({GUIDE})'
        )
    return angles


def decode_ranges(content: bytes, lidar: LidarSensor) -> npt.NDArray[np.float32]:
    """Return a LiDAR map, in metres; what `lidar.no_return` lists becomes `lidar.max_range`.

    Raises
    ------
    BadMemberError
        As `decode_npy`, or a range outside 0 ≤ range ≤ `lidar.max_range`, NaN and infinity too
        unless they are listed.
    """
    ranges = decode_npy(content, lidar.size)
    for value in lidar.no_return:
        ranges[_MEANS[value](ranges)] = lidar.max_range
    if not np.isfinite(ranges).all():
        bad = _first_not_finite(ranges)
        word = "nan" if np.isnan(bad) else "inf"
        # Negative infinity is no measurement and no convention.
        listed = "" if bad == -np.inf else f", or lidar.no_return must list {word}"
        raise BadMemberError(f"holds {bad}; all ranges must be finite{listed} ({GUIDE})")
    if ranges.min() < 0:
        raise BadMemberError(f"range {ranges.min():g}; must be 0 or more ({GUIDE})")
    if ranges.max() > np.float32(lidar.max_range):
        raise BadMemberError(
            f"range {ranges.max():g}; must be at most lidar.max_range {lidar.max_range:g}, in "
            f"metres ({GUIDE})"
        )
    return ranges


_MEANS: Mapping[NoReturn, Callable[[npt.NDArray[np.float32]], npt.NDArray[np.bool_]]] = {
    "zero": lambda ranges: ranges == 0,
    "nan": np.isnan,
    "inf": np.isposinf,
}


def _first_not_finite(values: npt.NDArray[np.float32]) -> np.float32:
    first: np.float32 = values[~np.isfinite(values)][0]
    return first
