import contextlib
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import (
    EDITS,
    Edits,
    damaged,
    encoded,
    image_array,
    png,
    png_head,
    png_of,
    raw_png,
)

from fusebench.data.images import decode_image
from fusebench.data.unpack import BadMemberError

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


def test_a_small_png_that_would_unpack_to_much_takes_little_memory() -> None:
    content = raw_png(4, 4, 8, 2, bytes(20 << 20))
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(BadMemberError, match="data go on after the last row"):
            decode_image(content, SIZE)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


# --- PNG, chunk by chunk ---

SMALL = (5, 7)
COLOURS = image_array("some", "small", SMALL)
ROWS = b"".join(b"\x00" + row.tobytes() for row in COLOURS)
HEAD, DATA, END = png_head(7, 5, 8, 2), (b"IDAT", zlib.compress(ROWS)), (b"IEND", b"")
NOTES = (b"tEXt", b"Comment\x00some words"), (b"gAMA", struct.pack(">I", 45455))
WHOLE = png_of(HEAD, *NOTES, DATA, NOTES[0], END)


@pytest.mark.parametrize("place", range(len(WHOLE)))
def test_a_bit_that_turns_in_a_png_is_always_noticed(place: int) -> None:
    """Whatever it belongs to: lengths, names, pixels, checksums."""
    np.testing.assert_array_equal(decode_image(WHOLE, SMALL), COLOURS)
    for bit in range(8):
        turned = bytearray(WHOLE)
        turned[place] ^= 1 << bit
        with pytest.raises(BadMemberError):
            decode_image(bytes(turned), SMALL)


PNGS = {
    "palette": png(PICTURE, "P"), "grey": png(PICTURE, "L"), "alpha": png(PICTURE, "RGBA"),
    "stored": encoded(Image.fromarray(PICTURE), compress_level=0),
}  # fmt: skip


@settings(deadline=None, max_examples=200, derandomize=True, database=None)
@given(kind=st.sampled_from(sorted(PNGS)), place=st.floats(0, 1, exclude_max=True),
       bit=st.integers(0, 7))  # fmt: skip
def test_a_bit_that_turns_in_any_png_never_gives_other_pixels(
    kind: str, place: float, bit: int
) -> None:
    turned = bytearray(PNGS[kind])
    turned[int(place * len(turned))] ^= 1 << bit
    with pytest.raises(BadMemberError):
        decode_image(bytes(turned), SIZE)


def test_a_png_cut_anywhere_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(BadMemberError):
            decode_image(WHOLE[:length], SMALL)


@pytest.mark.parametrize("whole", [WHOLE, encoded(Image.fromarray(COLOURS), "JPEG")])
def test_what_follows_an_images_end_is_passed_over(whole: bytes) -> None:
    np.testing.assert_array_equal(
        decode_image(whole + b"anything" * 9, SMALL), decode_image(whole, SMALL)
    )


PALETTE = (b"PLTE", bytes(range(9)))
POSITIONS = (b"IDAT", zlib.compress(b"\x00\x00\x01\x02" * 2))
THREE = png_head(3, 2, 8, 3)


def test_a_palette_of_its_own_size_is_enough() -> None:
    content = png_of(THREE, PALETTE, POSITIONS, END)
    expected = np.broadcast_to(np.arange(9, dtype=np.uint8).reshape(3, 3), (2, 3, 3))
    np.testing.assert_array_equal(decode_image(content, (2, 3)), expected)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([THREE, POSITIONS, END], "its palette is missing"),
        ([THREE, POSITIONS, PALETTE, END], "PLTE' is unknown or out of place"),
        ([THREE, (b"PLTE", bytes(6)), POSITIONS, END], "colour 2 of a palette of 2"),
        ([THREE, (b"PLTE", bytes(8)), POSITIONS, END], "PLTE' is unknown or out of place"),
        ([THREE, (b"PLTE", b""), POSITIONS, END], "PLTE' is unknown or out of place"),
        ([THREE, PALETTE, PALETTE, POSITIONS, END], "PLTE' is unknown or out of place"),
    ],
    ids=["missing", "late", "too small", "no triples", "empty", "twice"],
)
def test_a_palette_that_lacks_a_colour_is_refused(
    chunks: list[tuple[bytes, bytes]], message: str
) -> None:
    with pytest.raises(BadMemberError, match=message):
        decode_image(png_of(*chunks), (2, 3))


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([HEAD, DATA], "cut off before its end"),
        ([DATA, END], "does not begin with its size"),
        ([(b"CgBI", b"\x00" * 4), HEAD, DATA, END], "does not begin with its size"),
        ([HEAD, HEAD, DATA, END], "IHDR' is unknown or out of place"),
        ([HEAD, (b"NEWS", b""), DATA, END], "NEWS' is unknown or out of place"),
        ([HEAD, DATA, (b"tEXt", b"a\x00b"), DATA, END], "IDAT' is unknown or out of place"),
        ([HEAD, END], "data end before the last row"),
        ([HEAD, (b"IDAT", zlib.compress(ROWS)[:-4]), END], "its data have no end"),
        ([HEAD, (b"IDAT", zlib.compress(ROWS + b"x")), END], "go on after the last row"),
        ([HEAD, (b"IDAT", zlib.compress(ROWS[:-1])), END], "end before the last row"),
        ([png_head(7, 5, 8, 2, 1, 0, 0), DATA, END], "no such kind of PNG"),
        ([png_head(7, 5, 8, 2, 0, 1, 0), DATA, END], "no such kind of PNG"),
        ([png_head(7, 5, 8, 2, 0, 0, 2), DATA, END], "no such kind of PNG"),
        ([png_head(7, 5, 4, 2), DATA, END], "no such kind of PNG"),
        ([png_head(7, 5, 8, 5), DATA, END], "no such kind of PNG"),
    ],
    ids=["no end", "no head", "apple", "two heads", "unknown", "apart", "no data", "checksum",
         "long", "short", "packing", "filters", "interlacing", "depth", "colour"],
)  # fmt: skip
def test_a_png_that_is_not_by_its_format_is_refused(
    chunks: list[tuple[bytes, bytes]], message: str
) -> None:
    with pytest.raises(BadMemberError, match=message):
        decode_image(png_of(*chunks), SMALL)


def test_pixels_may_be_cut_into_chunks_anywhere() -> None:
    name, data = DATA
    parts = [(name, data[at : at + 3]) for at in range(0, len(data), 3)]
    content = png_of(HEAD, (name, b""), *parts, (name, b""), END)
    np.testing.assert_array_equal(decode_image(content, SMALL), COLOURS)


def interlaced(array: NDArray[np.uint8], lost: int = 0) -> bytes:
    """A PNG in seven passes, which Pillow does not write; `lost` bytes lack at its end."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1))  # fmt: skip
    rows = b"".join(
        b"\x00" + line.tobytes()
        for row, column, down, right in passes
        for line in array[row::down, column::right]
        if line.size
    )
    height, width = array.shape[:2]
    data = zlib.compress(rows[: len(rows) - lost])
    return png_of(png_head(width, height, 8, 2, 0, 0, 1), (b"IDAT", data), END)


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1), (3, 3), (5, 7), (16, 32), (17, 9)])
def test_an_interlaced_png_is_read_and_one_that_ends_early_refused(size: tuple[int, int]) -> None:
    array = image_array("some", "interlaced", size)
    np.testing.assert_array_equal(decode_image(interlaced(array), size), array)
    with pytest.raises(BadMemberError, match="data end before the last row"):
        decode_image(interlaced(array, lost=1), size)


def test_an_animation_is_refused() -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    content = encoded(frames[0], save_all=True, append_images=frames[1:])
    assert b"acTL" in content
    with pytest.raises(BadMemberError, match="animated image; save the one that is meant"):
        decode_image(content, SIZE)


@pytest.mark.parametrize("orientation", range(10))
def test_a_png_is_turned_upright_as_a_jpeg_is(orientation: int) -> None:
    """Each corner has its own grey; where they end up is what EXIF says."""
    corners = np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.dstack([corners] * 3))
    of_png = decode_image(encoded(image, exif=exif), (16, 16))
    of_jpeg = decode_image(encoded(image, "JPEG", exif=exif, quality=95), (16, 16))
    np.testing.assert_allclose(of_png.astype(int), of_jpeg, atol=12)
    upright = {
        2: [80, 0, 240, 160], 3: [240, 160, 80, 0], 4: [160, 240, 0, 80], 5: [0, 160, 80, 240],
        6: [160, 0, 240, 80], 7: [240, 80, 160, 0], 8: [80, 240, 0, 160],
    }  # fmt: skip
    shown = of_png[2::12, 2::12, 0].ravel().tolist()
    assert shown == upright.get(orientation, [0, 80, 160, 240])


def test_an_orientation_behind_the_pixels_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    notes = (b"eXIf", exif.tobytes().removeprefix(b"Exif\x00\x00"))
    content = png_of(HEAD, DATA, notes, END)
    np.testing.assert_array_equal(decode_image(content, SMALL), COLOURS[::-1, ::-1])


def test_broken_notes_of_a_png_do_not_reach_its_pixels() -> None:
    content = png_of(HEAD, (b"eXIf", b"II*\x00\x08\x00\x00\x00\x02"), DATA, END)
    np.testing.assert_array_equal(decode_image(content, SMALL), COLOURS)


# --- JPEG ---


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_a_jpeg_cut_anywhere_is_refused(options: dict[str, Any]) -> None:
    content = encoded(Image.fromarray(COLOURS), "JPEG", **options)
    decode_image(content, SMALL)
    for length in range(len(content)):
        with pytest.raises(BadMemberError):
            decode_image(content[:length], SMALL)


def test_a_turned_bit_in_a_jpeg_may_go_unnoticed() -> None:
    """A JPEG has no checksum: docs/archives.md says so, and the zip's CRC has to tell."""
    whole = encoded(Image.fromarray(PICTURE), "JPEG")
    right, other = decode_image(whole, SIZE), 0
    for place in range(len(whole) // 2, len(whole) - 2, 7):
        turned = bytearray(whole)
        turned[place] ^= 1
        with contextlib.suppress(BadMemberError):
            other += not np.array_equal(decode_image(bytes(turned), SIZE), right)
    assert other > 0


def test_the_end_of_a_picture_in_the_notes_is_not_the_jpegs() -> None:
    content = encoded(Image.fromarray(COLOURS), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    noted = content[:2] + segment + content[2:]
    np.testing.assert_array_equal(decode_image(noted, SMALL), decode_image(content, SMALL))
    with pytest.raises(BadMemberError, match="broken image"):
        decode_image(noted[:-2], SMALL)


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
