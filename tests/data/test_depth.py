"""Depth images: which PNG is one, and that each value comes out as it was written."""

import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import (
    EDITS,
    Edits,
    damaged,
    encoded,
    image_array,
    npy,
    png,
    png_head,
    png_of,
    raw_png,
    sensors,
)

from fusebench.data.depth import decode_depth
from fusebench.data.projection import LidarFiles
from fusebench.data.unpack import BadMemberError
from fusebench.samples.sensors import LidarSensor

SIZE = (6, 8)
STEP = 0.01
Values = NDArray[np.uint16]
VALUES: Values = np.linspace(0, 65_535, 48).astype(np.uint16).reshape(SIZE)
PROPERTY = settings(deadline=None, max_examples=100, derandomize=True, database=None)


def written(values: Values) -> bytes:
    """A grey 16-bit PNG byte by byte: rows without a filter, each number's upper byte first."""
    height, width = values.shape
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
    return raw_png(width, height, 16, 0, rows)


def interlaced(values: Values) -> bytes:
    """The same in the seven passes of Adam7."""
    height, width = values.shape
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))  # fmt: skip
    parts = (values[row::down, column::right] for column, row, right, down in passes)
    rows = b"".join(
        b"\x00" + row.astype(">u2").tobytes() for part in parts if part.size for row in part
    )
    head = png_head(width, height, 16, 0, 0, 0, 1)
    return png_of(head, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


def sensor(**changes: Any) -> LidarSensor:
    of_depth = {"format": "depth", "step": STEP, "size": list(SIZE), "max_range": 700.0}
    return sensors(**{**of_depth, **changes}).lidar


def decoded(content: bytes, **changes: Any) -> NDArray[np.float32]:
    return LidarFiles(sensor(**changes), {}).decode(content, "some.png")


any_values = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


@PROPERTY
@given(values=any_values, step=st.floats(1e-4, 1e3))
def test_each_value_is_so_many_steps(values: Values, step: float) -> None:
    expected = [[np.float32(int(value) * step) for value in row] for row in values]
    for content in (
        written(values),
        encoded(Image.fromarray(values)),
        encoded(Image.fromarray(values), optimize=True),
        interlaced(values),
    ):
        ranges = decode_depth(content, values.shape, step)
        assert ranges.dtype == np.float32
        np.testing.assert_array_equal(ranges, expected)


def test_the_upper_byte_comes_first() -> None:
    content = raw_png(3, 1, 16, 0, b"\x00" + bytes([0, 1, 1, 0, 0xFF, 0xFE]))
    assert decode_depth(content, (1, 3), 1.0).tolist() == [[1.0, 256.0, 65_534.0]]


def test_a_range_is_that_of_its_place() -> None:
    """Rows from top to bottom, columns from left to right."""
    values = np.arange(48, dtype=np.uint16).reshape(SIZE)
    np.testing.assert_array_equal(decode_depth(written(values), SIZE, 1.0), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a PNG image"),
        (b"depth", "not a PNG image"),
        (npy(VALUES), "not a PNG image"),
        (encoded(Image.fromarray(VALUES), "TIFF"), "not a PNG image"),
        (encoded(Image.fromarray(image_array("a", "b", SIZE)), "JPEG"), "not a PNG image"),
        (png(image_array("a", "b", SIZE), "L"), "image of mode L; must be grey with 16 bits"),
        (png(image_array("a", "b", SIZE), "LA"), "image of mode LA; must be grey with 16 bits"),
        (png(image_array("a", "b", SIZE), "RGB"), "image of mode RGB; must be grey with 16 bits"),
        (png(image_array("a", "b", SIZE), "RGBA"), "image of mode RGBA; must be grey with 16 "),
        (png(image_array("a", "b", SIZE), "P"), "image of mode P; must be grey with 16 bits"),
        (png(image_array("a", "b", SIZE), "1"), "image of mode 1; must be grey with 16 bits"),
        (raw_png(8, 6, 16, 2, bytes(6 * 49)), "must be grey with 16 bits"),
        (raw_png(8, 6, 16, 4, bytes(6 * 33)), "must be grey with 16 bits"),
        (raw_png(8, 6, 16, 6, bytes(6 * 65)), "must be grey with 16 bits"),
        (raw_png(8, 6, 4, 0, bytes(6 * 5)), "must be grey with 16 bits"),
        (raw_png(8, 6, 16, 3, bytes(6 * 17)), "no such kind of PNG"),
        (raw_png(8, 6, 16, 0, bytes(5 * 17)), "data end before the last row"),
        (raw_png(8, 6, 16, 0, bytes(7 * 17)), "data go on after the last row"),
        (raw_png(8, 6, 16, 0, None), "broken image"),
        (raw_png(60_000, 60_000, 16, 0, b""), "60000×60000 pixels; at most 64,000,000"),
        (raw_png(6, 8, 16, 0, bytes(8 * 13)), r"shape \(8, 6\); must be \(6, 8\), as lidar.size"),
        (raw_png(1, 1, 16, 0, bytes(3)), r"shape \(1, 1\); must be \(6, 8\), as lidar.size"),
    ],
)  # fmt: skip
def test_what_is_no_depth_image_of_the_size_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BadMemberError, match=message) as caught:
        decoded(content)
    assert str(caught.value).isprintable()


def test_a_depth_image_cut_anywhere_is_refused() -> None:
    whole = written(VALUES)
    for length in range(len(whole)):
        with pytest.raises(BadMemberError):
            decoded(whole[:length])


@PROPERTY
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), which=st.booleans())
def test_a_bit_that_turns_is_always_noticed(place: float, bit: int, which: bool) -> None:
    content = bytearray((written if which else interlaced)(VALUES))
    # What follows the last chunk's beginning is passed over.
    content[int(place * len(content))] ^= 1 << bit
    with pytest.raises(BadMemberError):
        decoded(bytes(content))


@PROPERTY
@given(content=st.binary(max_size=300), edits=EDITS)
def test_random_bytes_are_refused(content: bytes, edits: Edits) -> None:
    for made in (content, b"\x89PNG\r\n\x1a\n" + content, damaged(written(VALUES), edits, 0.9)):
        with pytest.raises(BadMemberError) as caught:
            decoded(made)
        assert str(caught.value).isprintable()


def test_zero_means_no_return_where_it_is_listed_and_is_a_range_elsewhere() -> None:
    """As most depth images have it."""
    ranges = decoded(written(VALUES), no_return=["zero"])
    assert ranges[0, 0] == np.float32(700)
    np.testing.assert_array_equal(ranges.ravel()[1:], decoded(written(VALUES)).ravel()[1:])
    assert decoded(written(VALUES))[0, 0] == 0


def test_a_value_beyond_the_maximum_range_is_refused() -> None:
    """As 65535 where it stands for nothing: lidar.max_range says what does."""
    with pytest.raises(
        BadMemberError, match=r"range 655\.35; must be at most lidar\.max_range 655"
    ):
        decoded(written(VALUES), max_range=655.0)
    for max_range in (655.35, 656):
        assert decoded(written(VALUES), max_range=max_range).max() == np.float32(655.35)


def test_a_map_with_a_zenith_per_row_is_turned() -> None:
    """An azimuth per row, the last column first."""
    ranges = decoded(written(VALUES), rows="zenith")
    np.testing.assert_array_equal(ranges, decoded(written(VALUES)).T[::-1])


def test_what_follows_its_end_is_passed_over() -> None:
    np.testing.assert_array_equal(decoded(written(VALUES) + b"more"), decoded(written(VALUES)))


def test_gamma_and_text_beside_it_change_no_value() -> None:
    height, width = SIZE
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in VALUES)
    content = png_of(
        png_head(width, height, 16, 0), (b"gAMA", (45_455).to_bytes(4, "big")),
        (b"sBIT", b"\x0c"), (b"tRNS", b"\x00\x00"), (b"tEXt", b"unit\x00mm"),
        (b"IDAT", zlib.compress(rows)), (b"IEND", b""),
    )  # fmt: skip
    np.testing.assert_array_equal(decoded(content), decoded(written(VALUES)))
    assert Image.open(io.BytesIO(content)).mode == "I;16"
