import contextlib
import io
import math
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import encoded, image_array, npy, npy_with_header, png, raw_png, sensors

from fusebench.data.decode import (
    BadMemberError,
    decode_angles,
    decode_image,
    decode_npy,
    decode_ranges,
)
from fusebench.data.sensors import LidarSensor

SIZE = (16, 32)
PICTURE = image_array("any", "picture", SIZE)
GREY = PICTURE[..., 0]

# --- Images ---


def paletted(**options: Any) -> tuple[bytes, NDArray[np.uint8]]:
    """A PNG with a palette and the colours that it stands for."""
    image = Image.fromarray(PICTURE).convert("P", palette=Image.Palette.ADAPTIVE, colors=200)
    return encoded(image, **options), np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("alpha", [255, 7, 0])
def test_transparency_is_dropped(alpha: int) -> None:
    image = Image.fromarray(np.dstack([PICTURE, np.full(SIZE, alpha, np.uint8)]))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(decode_image(encoded(image), SIZE), PICTURE)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_stands_in_all_three_channels(mode: str) -> None:
    image = Image.fromarray(GREY).convert(mode)
    decoded = decode_image(encoded(image), SIZE)
    np.testing.assert_array_equal(decoded, np.dstack([GREY] * 3))


@pytest.mark.parametrize("options", [{}, {"transparency": 3}, {"transparency": bytes(range(200))}])
def test_a_palette_gives_its_colours(options: dict[str, Any]) -> None:
    """With no, one or many transparent colours; no warning may reach the screen."""
    content, colours = paletted(**options)
    np.testing.assert_array_equal(decode_image(content, SIZE), colours)


def test_one_bit_is_black_or_white() -> None:
    bits = GREY > 127
    decoded = decode_image(encoded(Image.fromarray(bits)), SIZE)
    np.testing.assert_array_equal(decoded, np.dstack([bits * np.uint8(255)] * 3))


@pytest.mark.parametrize("transparency", [None, 5])
def test_sixteen_bit_grey_keeps_its_upper_byte(transparency: int | None) -> None:
    deep = (GREY.astype(np.uint16) << 8) + PICTURE[..., 1]
    image = Image.fromarray(deep)
    assert image.mode == "I;16"
    options: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    decoded = decode_image(encoded(image, **options), SIZE)
    np.testing.assert_array_equal(decoded, np.dstack([GREY] * 3))


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bit_colour_keeps_its_upper_byte(colour: int, channels: int) -> None:
    upper = np.dstack([PICTURE, GREY])[..., :channels]
    deep = (upper.astype(">u2") << 8) + 99
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in deep)
    expected = np.dstack([upper[..., 0]] * 3) if channels == 2 else upper[..., :3]
    decoded = decode_image(raw_png(SIZE[1], SIZE[0], 16, colour, rows), SIZE)
    np.testing.assert_array_equal(decoded, expected)


def test_two_bit_grey_is_scaled_to_the_full_range() -> None:
    content = raw_png(4, 1, 2, 0, b"\x00" + bytes([0b00011011]))
    decoded = decode_image(content, (1, 4))
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 85, 170, 255])


@pytest.mark.parametrize(
    ("mode", "filled", "expected"),
    [
        ("RGB", (200, 30, 90), (200, 30, 90)),
        ("L", 77, (77, 77, 77)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("YCbCr", (255, 128, 128), (255, 255, 255)),
    ],
)
def test_jpeg_of_any_mode_gives_its_colour(
    mode: str, filled: Any, expected: tuple[int, int, int]
) -> None:
    content = encoded(Image.new(mode, (32, 16), filled), "JPEG", quality=95)
    decoded = decode_image(content, SIZE).astype(int)
    np.testing.assert_allclose(decoded, np.broadcast_to(expected, (*SIZE, 3)), atol=3)


@pytest.mark.parametrize("file_format", ["JPEG", "MPO"])
def test_a_photographs_orientation_is_applied(file_format: str) -> None:
    """Cameras store how they were held; those with two lenses write MPO, a JPEG with more."""
    upper_half = np.zeros((16, 16, 3), np.uint8)
    upper_half[:8] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # To be turned by 90° clockwise: the upper side becomes the right one.
    options: dict[str, Any] = {"exif": turned}
    if file_format == "MPO":
        options |= {"save_all": True, "append_images": [Image.new("RGB", (16, 16))]}
    content = encoded(Image.fromarray(upper_half), file_format, **options)
    decoded = decode_image(content, (16, 16))
    assert (decoded[:, :7] < 10).all()
    assert (decoded[:, 9:] > 245).all()


@pytest.mark.parametrize("damage", [b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02", b"Exif\x00\x00MM"])
def test_broken_exif_data_reach_neither_the_image_nor_the_screen(damage: bytes) -> None:
    whole = encoded(Image.new("RGB", (32, 16), (50, 60, 70)), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(damage) + 2) + damage
    decoded = decode_image(whole[:2] + segment + whole[2:], SIZE)
    np.testing.assert_array_equal(decoded, decode_image(whole, SIZE))


@pytest.mark.parametrize("stored", [(32, 16), (1, 1), (7, 300), (300, 7), (64, 48)])
@pytest.mark.parametrize("wanted", [(16, 32), (48, 16)])
def test_any_size_becomes_the_wanted_one(stored: tuple[int, int], wanted: tuple[int, int]) -> None:
    image = np.broadcast_to(np.array([10, 128, 250], np.uint8), (*stored, 3))
    decoded = decode_image(png(image), wanted)
    assert decoded.dtype == np.uint8
    assert decoded.shape == (*wanted, 3)
    np.testing.assert_array_equal(decoded, np.broadcast_to([10, 128, 250], (*wanted, 3)))


def test_resampling_keeps_rows_rows_and_columns_columns() -> None:
    corner = np.zeros((40, 60, 3), np.uint8)
    corner[:20, 30:] = 255
    decoded = decode_image(png(corner), (32, 16))
    assert (decoded[:14, 9:] == 255).all()
    assert (decoded[18:] == 0).all()
    assert (decoded[:, :7] == 0).all()


def test_resampling_averages_over_the_whole_footprint_of_a_pixel() -> None:
    board = np.indices((128, 128)).sum(0) % 2 * np.uint8(255)
    decoded = decode_image(png(np.dstack([board] * 3).astype(np.uint8)), (16, 16))
    np.testing.assert_allclose(decoded.astype(int), 127, atol=3)


WHOLE_PNG = png(PICTURE)
WHOLE_JPEG = encoded(Image.fromarray(PICTURE), "JPEG")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a PNG or JPEG"),
        (b"no image at all", "not a PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (encoded(Image.fromarray(PICTURE), "GIF"), "not a PNG or JPEG"),
        (encoded(Image.fromarray(PICTURE), "BMP"), "not a PNG or JPEG"),
        (encoded(Image.fromarray(PICTURE), "TIFF"), "not a PNG or JPEG"),
        (WHOLE_PNG[: len(WHOLE_PNG) // 2], "broken image"),
        (WHOLE_JPEG[: len(WHOLE_JPEG) // 2], "broken image"),
        (raw_png(4, 4, 8, 2, None), "broken image"),
        (raw_png(4, 4, 8, 2, b"\x00" + bytes(12)), "broken image"),
        (raw_png(4, 4, 8, 2, bytes(13 * 3) + b"\x00"), "broken image"),
        (raw_png(4, 4, 8, 2, b"\x09" + bytes(51)), "image"),
        (raw_png(10_000, 10_000, 8, 2, b""), "10000×10000 pixels; at most 64,000,000"),
        (raw_png(0, 4, 8, 2, b""), "image"),
    ],
    ids=["empty", "text", "signature", "gif", "bmp", "tiff", "half png", "half jpeg", "no data",
         "one of four rows", "three of four rows", "unknown filter", "huge", "no width"],
)  # fmt: skip
def test_what_is_no_whole_image_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BadMemberError, match=message):
        decode_image(content, SIZE)


def test_any_turned_byte_of_a_pngs_pixels_is_noticed() -> None:
    content = encoded(Image.fromarray(PICTURE), compress_level=0)
    start = content.index(b"IDAT") + 4
    for place in range(start, content.index(b"IEND") - 8, 7):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        with pytest.raises(BadMemberError):
            decode_image(bytes(damaged), SIZE)


def test_a_small_png_that_would_unpack_to_much_takes_little_memory() -> None:
    content = raw_png(4, 4, 8, 2, bytes(64 << 20))
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        with contextlib.suppress(BadMemberError):
            decode_image(content, SIZE)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


Edits = list[tuple[float, int]]
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)


def damaged(content: bytes, edits: Edits, kept: float) -> bytes:
    """Bytes with some replaced and the end cut off."""
    changed = bytearray(content[: max(1, round(kept * len(content)))])
    for place, value in edits:
        changed[int(place * len(changed))] = value
    return bytes(changed)


@settings(
    deadline=None,
    max_examples=400,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    content=st.sampled_from([WHOLE_PNG, WHOLE_JPEG, paletted()[0], png(PICTURE, "LA")]),
    edits=EDITS,
    kept=st.sampled_from([1.0, 1.0, 0.99, 0.5]),
)
def test_a_damaged_image_is_refused_or_of_the_wanted_shape(
    content: bytes, edits: Edits, kept: float
) -> None:
    try:
        decoded = decode_image(damaged(content, edits, kept), SIZE)
    except BadMemberError:
        return
    assert decoded.dtype == np.uint8
    assert decoded.shape == (*SIZE, 3)


# --- .npy ---

SHAPE = (6, 8)
RANGES = np.linspace(0, 50, 48, dtype=np.float32).reshape(SHAPE)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(
    array=hnp.arrays(
        st.sampled_from([np.dtype("<f4"), np.dtype(">f4")]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=7),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0)]),
)
def test_any_finite_float32_array_comes_back_to_the_bit(
    array: NDArray[np.float32], version: tuple[int, int]
) -> None:
    decoded = decode_npy(npy(array, version), array.shape)
    assert decoded.dtype == np.dtype("=f4")
    assert decoded.dtype.isnative
    assert decoded.tobytes() == array.astype("=f4").tobytes()


@pytest.mark.parametrize("dtype", ["|b1", "<c8", "|S4", "<U1", "<M8[s]", [("range", "<f4")]])
def test_what_is_no_real_number_is_refused_and_named(dtype: Any) -> None:
    with pytest.raises(BadMemberError, match="must be float32") as caught:
        decode_npy(npy(np.zeros(SHAPE, dtype)), SHAPE)
    assert str(np.dtype(dtype)) in str(caught.value)
    assert 'numpy.save(path, values.astype("float32"))' in str(caught.value)


NUMBERS = st.sampled_from(
    ["<f2", ">f2", "<f8", ">f8", "|i1", "<i2", "<i4", ">i8", "|u1", "<u2", "<u4", "<u8"]
).map(np.dtype)


def held_by_float32(value: Any) -> bool:
    """Tell by Python's own exact numbers whether float32 holds a value; NaN and infinity pass."""
    if isinstance(value, int):
        # Odd part below 2²⁴: that is what 24 binary digits hold. The exponent of 2⁶⁴ is no limit.
        while value and value % 2 == 0:
            value //= 2
        odd: int = abs(value)
        return odd < 2**24
    if not math.isfinite(value):
        return True
    try:
        return bool(struct.unpack("<f", struct.pack("<f", value))[0] == value)
    except OverflowError:
        return False


@settings(deadline=None, max_examples=400, derandomize=True, database=None)
@given(data=st.data(), dtype=NUMBERS)
def test_numbers_of_another_dtype_are_cast_if_and_only_if_each_keeps_its_value(
    data: st.DataObject, dtype: np.dtype[Any]
) -> None:
    any_value = hnp.from_dtype(dtype)
    small = any_value if dtype.kind == "f" else st.integers(0, 100)
    halves = st.floats(width=16) if dtype.kind == "f" else any_value
    values = data.draw(hnp.arrays(dtype, 3, elements=st.one_of(any_value, small, halves)))
    if all(map(held_by_float32, values.tolist())):
        decoded = decode_npy(npy(values), (3,))
        assert decoded.dtype == np.dtype("=f4")
        np.testing.assert_array_equal(decoded.astype(np.longdouble), values.astype(np.longdouble))
        return
    with pytest.raises(BadMemberError) as caught:
        decode_npy(npy(values), (3,))
    assert f"dtype {dtype} with values that float32 does not hold" in str(caught.value)
    assert 'numpy.save(path, values.astype("float32"))' in str(caught.value)
    assert "README.md, 'Your own data'" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "exact"),
    [
        (np.array([0.1]), False),
        (np.array([0.1], np.float32).astype(np.float64), True),
        (np.array([1e300]), False),
        (np.array([2**24 + 1]), False),
        (np.array([2**63 - 1]), False),
        (np.array([-(2**63)]), True),
        (np.array([2**64 - 1], np.uint64), False),
        (np.array([2**53 + 1]), False),
        (np.array([127], np.int8), True),
        (np.array([65504], np.float16), True),
    ],
    ids=str,
)
def test_values_near_the_ends_of_a_dtype(values: NDArray[Any], exact: bool) -> None:
    if exact:
        np.testing.assert_array_equal(decode_npy(npy(values), (1,)), values)
    else:
        with pytest.raises(BadMemberError, match="float32 does not hold"):
            decode_npy(npy(values), (1,))


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_opened(tmp_path: Path) -> None:
    trap = np.empty(SHAPE, object)
    trap[...] = Trap(tmp_path / "sprung")
    buffer = io.BytesIO()
    np.save(buffer, trap, allow_pickle=True)
    with pytest.raises(BadMemberError, match="dtype object; must be float32"):
        decode_npy(buffer.getvalue(), SHAPE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(8, 6), (48,), (1, 6, 8), (6, 8, 1), (6, 7), (7, 8), (0, 8), ()])
def test_another_shape_is_refused_and_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadMemberError, match=r"must be \(6, 8\)") as caught:
        decode_npy(npy(np.zeros(shape, np.float32)), SHAPE)
    assert f"shape {shape};" in str(caught.value)
    assert "lidar.size" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "holds nan; all ranges must be finite, or lidar.no_return must list nan"),
        (np.inf, "holds inf; all ranges must be finite, or lidar.no_return must list inf"),
        (-np.inf, r"holds -inf; all ranges must be finite \(README"),
        (-1.0, "range -1; must be 0 or more"),
        (-1e-30, "range -1e-30; must be 0 or more"),
        (50.5, r"range 50\.5; must be at most lidar\.max_range 50"),
        (np.nextafter(np.float32(50), np.float32(99)), r"must be at most lidar\.max_range 50"),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [(0, 0), (5, 7)])
def test_one_wrong_range_is_enough(value: float, message: str, place: tuple[int, int]) -> None:
    ranges = RANGES.copy()
    ranges[place] = value
    with pytest.raises(BadMemberError, match=message):
        decode_ranges(npy(ranges), lidar())


def lidar(**changes: Any) -> LidarSensor:
    """The LiDAR sensor of this module's maps."""
    return sensors(size=list(SHAPE), **changes).lidar


NO_RETURN = {"zero": 0.0, "nan": np.nan, "inf": np.inf}


@settings(deadline=None, max_examples=200, derandomize=True, database=None)
@given(
    ranges=hnp.arrays(
        st.sampled_from(["f4", "f8"]).map(np.dtype),
        (2, 3),
        elements=st.one_of(
            st.floats(0, 50, width=32), st.sampled_from([*NO_RETURN.values(), -np.inf, -1.0])
        ),
    ),
    listed=st.lists(st.sampled_from(sorted(NO_RETURN)), unique=True),
)
def test_what_no_return_lists_becomes_the_maximum_range_and_nothing_else_changes(
    ranges: NDArray[Any], listed: list[str]
) -> None:
    means = np.zeros(ranges.shape, np.bool_)
    for word in listed:
        means |= np.isnan(ranges) if word == "nan" else ranges == NO_RETURN[word]
    sensor = lidar(no_return=listed).model_copy(update={"size": (2, 3)})
    rest = ranges[~means]
    if np.isfinite(rest).all() and (rest >= 0).all():
        expected = np.where(means, 50, ranges).astype(np.float32)
        np.testing.assert_array_equal(decode_ranges(npy(ranges), sensor), expected)
    else:
        with pytest.raises(BadMemberError, match=r"holds (-?inf|nan)|range -1; must be 0 or more"):
            decode_ranges(npy(ranges), sensor)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_angles_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(BadMemberError, match="all angles must be finite"):
        decode_angles(npy(np.array([0, bad], np.float32)), 2)


@pytest.mark.parametrize("max_range", [50.0, 50.1, 49.9, 1 / 3])
def test_the_ends_of_the_range_are_allowed(max_range: float) -> None:
    """Also where float32 lies above the number that is written in the params."""
    ranges = np.array([[0.0, -0.0, max_range]], np.float32)
    sensor = lidar(max_range=max_range).model_copy(update={"size": (1, 3)})
    np.testing.assert_array_equal(decode_ranges(npy(ranges), sensor), ranges)


def test_every_cut_and_every_addition_is_noticed() -> None:
    whole = npy(RANGES)
    np.testing.assert_array_equal(decode_npy(whole, SHAPE), RANGES)
    for length in range(len(whole)):
        with pytest.raises(BadMemberError):
            decode_npy(whole[:length], SHAPE)
    with pytest.raises(BadMemberError, match="193 bytes of values; must be 192"):
        decode_npy(whole + b"\x00", SHAPE)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("0000.npy", npy(RANGES))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUM", b"1.0, 2.0, 3.0", WHOLE_PNG, zipped(), b"\x80\x04N.", bytes(500)],
    ids=["empty", "cut", "text", "png", "npz", "pickle", "zeros"],
)
def test_what_is_no_npy_file_is_refused(content: bytes) -> None:
    with pytest.raises(BadMemberError, match=r"not an \.npy file"):
        decode_npy(content, SHAPE)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"{'descr'}",
        b"None",
        b"{'descr': '<f4', 'fortran_order': False}",
        b"{'descr': '<f4', 'shape': (6, 8)}",
        b"{'descr': '<q9', 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': [1], 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': 48}",
        b"{'descr': '<f4', 'fortran_order': True, 'shape': 48}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': None}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, -8)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 8)}",
        b"{'descr': '<f4', 'fortran_order': True, 'shape': (6, 8)}",
        b"__import__('os').getcwd()",
        b"\x00" * 60,
        b"\xff" * 60,
        b"(" * 5000,
        b"-" * 20000 + b"1",
    ],
    ids=lambda header: repr(header[:50]),
)
def test_a_wrong_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadMemberError):
        decode_npy(npy_with_header(header, bytes(192)), SHAPE)


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(edits=EDITS, kept=st.sampled_from([1.0, 0.9, 0.2]))
def test_a_damaged_map_is_refused_or_within_the_range(edits: Edits, kept: float) -> None:
    whole = npy(RANGES)
    # Half of the edits in the header, which is the first 128 bytes.
    edits = [(place * 128 / len(whole) if value % 2 else place, value) for place, value in edits]
    try:
        decoded = decode_ranges(damaged(whole, edits, kept), lidar())
    except BadMemberError:
        return
    assert decoded.dtype == np.float32
    assert decoded.shape == SHAPE
    assert decoded.min() >= 0
    assert decoded.max() <= 50
