"""Archives at random: right samples or one error that names the archive, whatever was done to them.

`THOROUGH` cases have run; what they found stands as tests of its own beside the others.
"""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.archives import (
    CLASSES,
    IMAGE_SIZE,
    LIDAR_SIZE,
    MAX_RANGE,
    angle_array,
    encoded,
    image_array,
    members,
    npy,
    npy_with_header,
    params,
    png,
    range_array,
    raw_png,
    sensors,
)
from tests.reliability import Tally, counting

from fusebench.data.extract import extract
from fusebench.errors import ArchiveError
from fusebench.memory import peak_resident
from fusebench.samples.samples import open_samples

QUICK, THOROUGH = 40, 10_000
LIMITS = {"members": 200, "member_bytes": 200_000, "total_bytes": 1_000_000, "ratio": 500}
# What the reading of one archive may add to the memory of this process at any time, in bytes.
MOST_MEMORY = 256 << 20
IDS = dict.fromkeys(CLASSES, ("0", "1"))
RIGHT = members(IDS)

Edit = Callable[[bytes], bytes]


# --- Whole archives, of every kind that is read ---


def zipped(
    content: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, wide: bool = False,
    streamed: bool = False, comment: bytes = b"",
) -> bytes:  # fmt: skip
    """A zip; `wide` writes zip64 headers, `streamed` puts sizes after the data."""
    buffer = io.BytesIO()
    if streamed:
        buffer.seekable = lambda: False  # type: ignore[method-assign]
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = comment
        for name, data in content.items():
            info = zipfile.ZipInfo(f"r/{name}")
            info.compress_type = method
            with archive.open(info, "w", force_zip64=wide) as file:
                file.write(data)
    return buffer.getvalue()


@cache
def whole() -> tuple[bytes, ...]:
    return (
        zipped(RIGHT, zipfile.ZIP_STORED),
        zipped(RIGHT),
        zipped(RIGHT, zipfile.ZIP_BZIP2),
        zipped(RIGHT, zipfile.ZIP_LZMA),
        zipped(RIGHT, wide=True, comment=b"of some length"),
        zipped(RIGHT, streamed=True),
        zipped(dict(reversed(RIGHT.items())), zipfile.ZIP_STORED, wide=True, streamed=True),
    )


# --- What is done to their bytes ---

# Shares of a length, spread evenly: hypothesis likes small numbers.
PLACES = st.integers(0, 2**20).map(lambda number: number * 0.6180339887 % 1)
# Local header, entry of the directory, end, and the two records of zip64, with their lengths.
RECORDS = {b"PK\x03\x04": 30, b"PK\x01\x02": 46, b"PK\x05\x06": 22, b"PK\x06\x06": 56,
           b"PK\x06\x07": 20}  # fmt: skip
ODD_NUMBERS = st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0xFFFFFFFE, 0xFFFFFFFF])


def flipped(place: float, bit: int) -> Edit:
    def edit(content: bytes) -> bytes:
        changed = bytearray(content)
        if changed:
            changed[int(place * len(changed))] ^= 1 << bit
        return bytes(changed)

    return edit


def replaced(place: float, length: int, by: bytes) -> Edit:
    """Bytes in place of others: cut out, or put in."""

    def edit(content: bytes) -> bytes:
        start = int(place * len(content))
        return content[:start] + by + content[start + length :]

    return edit


def overwritten(place: float, by: bytes) -> Edit:
    return replaced(place, len(by), by)


def spliced(place: float, other: bytes, from_: float, length: int) -> Edit:
    start = int(from_ * len(other))
    return replaced(place, length, other[start : start + length])


def field_set(signature: bytes, which: float, offset: float, width: int, value: int) -> Edit:
    """A number in a record of the zip itself."""

    def edit(content: bytes) -> bytes:
        found = [at for at in range(len(content)) if content.startswith(signature, at)]
        if not found:
            return content
        start = found[int(which * len(found))] + 4 + int(offset * (RECORDS[signature] - 4))
        number = (value % (1 << 8 * width)).to_bytes(width, "little")
        return content[:start] + number + content[start + width :]

    return edit


NUMBERS = st.one_of(ODD_NUMBERS, st.integers(0, 2**32 - 1))
FLIPS = st.builds(flipped, PLACES, st.integers(0, 7))
FIELDS = st.builds(
    field_set, st.sampled_from(list(RECORDS)), PLACES, PLACES, st.sampled_from([1, 2, 4]), NUMBERS
)
EDITS = st.one_of(
    FLIPS,
    FIELDS,
    FIELDS,
    st.builds(overwritten, PLACES, st.binary(min_size=1, max_size=40)),
    st.builds(replaced, PLACES, st.integers(0, 40), st.binary(max_size=40)),
    st.builds(replaced, PLACES, st.sampled_from([1, 10**9]), st.just(b"")),
    st.builds(spliced, PLACES, st.deferred(lambda: st.sampled_from(whole())), PLACES,
              st.integers(1, 3000)),
)  # fmt: skip


# --- What is put into them ---

ODD_DTYPES = ["<f2", ">f4", "<f8", "|b1", "<c8", "|S4", "<M8[s]", "<i8", "|u1", [("a", "<f4")]]
ODD_VALUES = [np.nan, np.inf, -np.inf, -1, -0.0, 0, 51, 1e-40]
JPEG = encoded(Image.fromarray(image_array("cubes", "0")), "JPEG")
ODD_IMAGES = [
    b"", JPEG, JPEG[:-2], JPEG[: len(JPEG) // 2], JPEG + b"more", png(image_array("a", "b"), "P"),
    encoded(Image.fromarray(image_array("a", "b")).convert("CMYK"), "JPEG"),
    raw_png(8, 8, 16, 2, bytes(49 * 8)), raw_png(8, 8, 2, 3, bytes(3 * 8)),
    raw_png(60_000, 60_000, 1, 0, b""), raw_png(4, 4, 8, 2, bytes(200_000)),
    raw_png(2**31 - 1, 1, 8, 6, b""),
]  # fmt: skip


def odd_array(dtype: Any, shape: Sequence[int], value: float, order: Any, version: int) -> bytes:
    array = np.full(shape, 3, np.dtype(dtype) if dtype != "O" else object, order=order)
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        if array.size and array.dtype.kind in "fiu":
            array.flat[0] = np.asarray(value).astype(array.dtype)
    return npy(array, (version, 0))


SHAPES = st.sampled_from([LIDAR_SIZE, LIDAR_SIZE, LIDAR_SIZE[::-1], (6,), (8,), (), (0, 8), (48,)])
ODD_MEMBERS = st.one_of(
    st.sampled_from(ODD_IMAGES),
    st.binary(max_size=60),
    st.builds(odd_array, st.sampled_from(ODD_DTYPES), SHAPES, st.sampled_from(ODD_VALUES),
              st.sampled_from("CF"), st.integers(1, 3)),
    st.builds(npy_with_header, st.binary(max_size=80), st.binary(max_size=200)),
    st.builds(
        lambda *values: npy_with_header(repr(dict(zip(("descr", "fortran_order", "shape"), values,
                                                      strict=True))).encode(), bytes(192)),
        st.sampled_from(["<f4", "<f16", "O", "V8", "(2,)f4", "a5", "", 3, None, "<m8[7s]"]),
        st.sampled_from([False, True, 0, None]),
        st.sampled_from([LIDAR_SIZE, [6, 8], (6, -8), (6.0, 8), (True, 48), (10**30,), (1,) * 70]),
    ),
)  # fmt: skip
PARTS = st.sampled_from(
    ["cubes", "spheres", "Cubes", "rgb", "lidar", "0.png", "1.npy", "azimuth.npy", "zenith.npy",
     "..", ".", "", "C:", "a\\b", "\x00", "x\r.png", "\u0308", "é.png", "e\u0301.png", "0.PNG",
     "x" * 300 + ".png", "\u2028.npy", "__MACOSX", "r", "A.png", "a.npy", "0.jpg"]
)  # fmt: skip
RIGHT_NAMES = st.sampled_from(sorted(RIGHT))
ODD_NAMES = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(["rgb", "lidar"]), PARTS).map("/".join),
    st.text(max_size=12),
)
ODD_PAIRS = st.tuples(
    st.sampled_from(["2", "e\u0301", "x\r", "0", "A", "a", "C:\\0", "y" * 300]),
    st.sampled_from(["rgb/{}.png", "rgb/{}.JPG", "lidar/{}.npy"]),
).map(lambda parts: f"cubes/{parts[1].format(parts[0])}")


@st.composite
def odd_archives(draw: st.DrawFn) -> bytes:
    """A zip that somebody wrote on purpose: its headers are right, its members odd."""
    content = RIGHT | draw(st.dictionaries(RIGHT_NAMES, ODD_MEMBERS, max_size=3))
    content |= draw(st.dictionaries(ODD_PAIRS, ODD_MEMBERS, max_size=2))
    if draw(st.integers(0, 3)) == 3:
        content |= draw(st.dictionaries(ODD_NAMES, ODD_MEMBERS, max_size=2))
    left_out = draw(RIGHT_NAMES) if draw(st.integers(0, 9)) == 9 else ""
    link = draw(RIGHT_NAMES) if draw(st.integers(0, 9)) == 9 else ""
    method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w") as archive:
        for name, data in draw(st.permutations(sorted(content.items()))):
            info = zipfile.ZipInfo()
            # Assigned, since ZipInfo cuts a name that it is given at a NUL.
            info.filename = info.orig_filename = f"r/{name}"
            info.create_system = 3
            info.external_attr = (0o120777 if name == link else 0o644) << 16
            if name != left_out:
                archive.writestr(info, data, method)
    return buffer.getvalue()


# --- What must come of it ---


@contextmanager
def tried(content: bytes, *, skip: bool = False) -> Iterator[Path | None]:
    """Extract; yield the folder of it, or none after checking the error and what is left."""
    with TemporaryDirectory(prefix="fusebench-") as name:
        folder = Path(name)
        path = folder / "some.zip"
        path.write_bytes(content)
        of_data = params(path, on_bad_sample="skip" if skip else "error", limits=LIMITS)
        refusal = ""
        try:
            extract(of_data, sensors(), folder / "samples", folder / "data.json")
        except ArchiveError as error:
            refusal = str(error)
        if refusal:
            assert refusal.startswith(f"{path}: ")
            assert all(line.isprintable() for line in refusal.split("\n"))
            assert [left.name for left in folder.iterdir()] == ["some.zip"]
        yield None if refusal else folder


def assert_right(folder: Path) -> None:
    """What was extracted is samples of the whole archive, each to the bit."""
    samples = open_samples(folder / "samples")
    rows = list(zip(samples.table["class"], samples.table["id"], strict=True))
    assert rows == [key for key in ((c, i) for c, ids in IDS.items() for i in ids) if key in rows]
    for row, key in enumerate(rows):
        assert samples.rgb[row].tobytes() == image_array(*key).tobytes()
        assert samples.lidar[row].tobytes() == range_array(*key).tobytes()
    assert samples.azimuth.tobytes() == angle_array(LIDAR_SIZE[0]).tobytes()


def changed_bytes(base: int, edits: list[Edit], skip: bool) -> None:
    content = whole()[base]
    for edit in edits:
        content = edit(content)
    with tried(content, skip=skip) as folder:
        if folder:
            assert_right(folder)


def changed_png(edits: list[Edit]) -> None:
    """The zip is right, its checksums too: what is broken is inside an image."""
    name = "cubes/rgb/0.png"
    content = RIGHT[name]
    for edit in edits:
        content = edit(content)
    with tried(zipped({**RIGHT, name: content})) as folder:
        if folder:
            assert_right(folder)


def odd_members(content: bytes, skip: bool) -> None:
    with tried(content, skip=skip) as folder:
        if folder:
            samples = open_samples(folder / "samples")
            assert samples.rgb.shape[1:] == (*IMAGE_SIZE, 3)
            assert samples.lidar.min() >= 0
            assert samples.lidar.max() <= MAX_RANGE
            assert samples.table["id"].map(str.isprintable).all()


BASES = st.integers(0, len(whole()) - 1)
CHANGES = st.lists(EDITS, min_size=1, max_size=3)
FAMILIES: dict[Callable[..., None], dict[str, st.SearchStrategy[Any]]] = {
    changed_bytes: {"base": BASES, "edits": CHANGES, "skip": st.booleans()},
    changed_png: {"edits": st.lists(FLIPS, min_size=1, max_size=2)},
    odd_members: {"content": odd_archives(), "skip": st.booleans()},
}  # fmt: skip


# How docs/reliability.md calls them.
HEADINGS = {
    changed_bytes: "archives with changed bytes",
    changed_png: "archives with changed bits in an image, the zip's own checks right",
    odd_members: "archives with odd members",
}
THOROUGHLY = pytest.param(THOROUGH, marks=[pytest.mark.thorough, pytest.mark.slow])


@pytest.mark.parametrize("cases", [QUICK, THOROUGHLY], ids=["quick", "thorough"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_any_archive_is_read_rightly_or_refused(
    family: Callable[..., None], cases: int, tally: Tally
) -> None:
    before = peak_resident()
    run = settings(
        deadline=None, max_examples=-(-cases // len(FAMILIES)), derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with counting(tally, HEADINGS[family]) as count:

        @run
        @given(**FAMILIES[family])
        def each(**drawn: Any) -> None:
            count()
            family(**drawn)

        each()
    assert peak_resident() - before < MOST_MEMORY


@pytest.mark.parametrize("base", range(len(whole())))
def test_the_archives_are_right_before_they_are_changed(base: int) -> None:
    with tried(whole()[base]) as folder:
        assert folder is not None
        assert_right(folder)
        assert len(open_samples(folder / "samples").table) == 4
