import io
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tests.data.archives import (
    EDITS,
    Edits,
    damaged,
    image_array,
    npy,
    npy_with_header,
    png,
    sensors,
)

from fusebench.data.npy import decode_angles, decode_npy, open_npy
from fusebench.data.projection import LidarFiles
from fusebench.data.unpack import BadMemberError
from fusebench.samples.sensors import LidarSensor

PNG = png(image_array("any", "picture"))
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
    assert "docs/your-data.md" in str(caught.value)


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


@pytest.mark.parametrize(
    ("version", "length", "code"), [((1, 0), 2, "<H"), ((2, 0), 4, "<I"), ((3, 0), 4, "<I")]
)
def test_each_version_of_the_format_is_read(
    version: tuple[int, int], length: int, code: str
) -> None:
    content = npy(RANGES, version)
    assert tuple(content[6:8]) == version
    assert struct.unpack_from(code, content, 8)[0] + 8 + length == len(content) - RANGES.nbytes
    np.testing.assert_array_equal(decode_npy(content, SHAPE), RANGES)


@pytest.mark.parametrize("version", [(0, 0), (1, 1), (3, 1), (4, 0), (255, 255)])
def test_a_version_that_numpy_does_not_write_is_refused(version: tuple[int, int]) -> None:
    content = bytearray(npy(RANGES))
    content[6:8] = version
    with pytest.raises(BadMemberError, match=rf"\.npy version {version[0]}\.{version[1]}; must be"):
        decode_npy(bytes(content), SHAPE)


@pytest.mark.parametrize("length", [10_001, 2**32 - 1])
def test_a_header_of_gigabytes_is_refused(length: int) -> None:
    content = b"\x93NUMPY\x02\x00" + struct.pack("<I", length) + b"{" * 20_000
    with pytest.raises(BadMemberError, match=rf"\.npy header of {length:,} bytes; at most 10,000"):
        decode_npy(content, SHAPE)


def test_fortran_order_is_refused_and_its_remedy_named() -> None:
    with pytest.raises(BadMemberError, match=r"Fortran order; .*numpy\.ascontiguousarray"):
        decode_npy(npy(np.asfortranarray(RANGES)), SHAPE)


def test_big_endian_numbers_are_read() -> None:
    for dtype in (">f4", ">f8", ">f2"):
        values = np.arange(48, dtype=dtype).reshape(SHAPE)
        np.testing.assert_array_equal(decode_npy(npy(values), SHAPE), values.astype("f4"))


def test_negative_zero_is_a_zero() -> None:
    ranges = np.full(SHAPE, -0.0, np.float32)
    assert (decode_ranges(npy(ranges), lidar()) == 0).all()
    assert (decode_ranges(npy(ranges), lidar(no_return=["zero"])) == 50).all()


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
        (-np.inf, r"holds -inf; all ranges must be finite \(docs"),
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


def decode_ranges(content: bytes, sensor: LidarSensor) -> NDArray[np.float32]:
    return LidarFiles(sensor, {}).decode(content, "some.npy")


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


@pytest.mark.parametrize("same", [0.0, 0.1, -3.0])
def test_angles_that_are_all_equal_are_refused(same: float) -> None:
    """All points would lie on one line."""
    with pytest.raises(BadMemberError, match=rf"all 3 angles are {same:g}; must be those of the"):
        decode_angles(npy(np.full(3, same, np.float32)), 3)
    assert decode_angles(npy(np.full(1, same, np.float32)), 1) == np.float32(same)


@pytest.mark.parametrize("degrees", [(0, 90, 180), (350, 355, 0, 5), (3, 2, 1), (5, 1, 5, 2)])
def test_angles_may_stand_in_any_order(degrees: tuple[float, ...]) -> None:
    """A sensor may begin anywhere on its way round."""
    angles = np.radians(degrees).astype("f4")
    np.testing.assert_array_equal(decode_angles(npy(angles), len(degrees)), angles)


def test_angles_in_degrees_are_told_by_their_size() -> None:
    with pytest.raises(BadMemberError, match=r"angle 7; must be at most 2π.*numpy\.radians"):
        decode_angles(npy(np.array([0, -7], np.float32)), 2)
    decode_angles(npy(np.array([0, 2 * np.pi], np.float32)), 2)


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


@pytest.mark.parametrize("shape", ["(4611686018427387904, 0)", "(0, 4611686018427387904)"])
def test_a_shape_that_no_array_has_is_refused(shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with pytest.raises(BadMemberError, match="an array can have none such"):
        open_npy(npy_with_header(header))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("0000.npy", npy(RANGES))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUM",
        b"1.0, 2.0, 3.0",
        png(image_array("any", "picture")),
        zipped(),
        b"\x80\x04N.",
        bytes(500),
    ],
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
        b"{'descr': '<f4', 'fortran_order': None, 'shape': (6, 8)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': [6, 8]}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (6.0, 8)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (0x" + b"f" * 8000 + b", 8)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1," * 99 + b")}",
        b"{'descr': 'a5', 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': '(2,)f4', 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': [('\\r\\x1b', '<f4')], 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': '\\d', 'fortran_order': False, 'shape': (6, 8)}",
        b"{'descr': '<m8[7s]', 'fortran_order': False, 'shape': (6, 8)}",
        b"__import__('os').getcwd()",
        b"\x00" * 60,
        b"\xff" * 60,
        b"(" * 5000,
        b"-" * 20000 + b"1",
    ],
    ids=lambda header: repr(header[:50]),
)
def test_a_wrong_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadMemberError) as caught:
        decode_npy(npy_with_header(header, bytes(192)), SHAPE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


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
