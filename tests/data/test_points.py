"""Files of points: that all formats say the same, and what of them is refused."""

import base64
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.data.archives import EDITS, Edits, damaged, npy, npy_with_header
from tests.data.clouds import (
    WRITERS,
    Points,
    bin_of,
    lzf,
    packed,
    pcd_ascii,
    pcd_binary,
    pcd_compressed,
    pcd_head,
    ply_ascii,
    ply_head,
    ply_little,
)

from fusebench.data import fields, pcd
from fusebench.data.points import SUFFIXES, decode_points
from fusebench.data.unpack import BadMemberError

PROPERTY = settings(deadline=None, max_examples=100, derandomize=True, database=None)
POINTS: Points = np.random.default_rng(0).normal(0, 30, (40, 3)).astype(np.float32)
each_kind = pytest.mark.parametrize("kind", WRITERS)


def written(kind: str, points: Points = POINTS) -> tuple[bytes, str]:
    suffix, write = WRITERS[kind]
    return write(points), suffix


def refusal(content: bytes, suffix: str) -> str:
    with pytest.raises(BadMemberError) as caught:
        decode_points(content, suffix)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


def test_every_ending_has_a_kind_of_file_here() -> None:
    assert {suffix for suffix, _ in WRITERS.values()} == set(SUFFIXES)


@PROPERTY
@given(
    points=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 12), st.just(3)),
        elements=st.one_of(st.floats(width=32, allow_infinity=False), st.just(np.nan)),
    )
)  # fmt: skip
def test_all_formats_give_the_same_points_to_the_bit(points: Points) -> None:
    for kind in WRITERS:
        decoded = decode_points(*written(kind, points))
        assert decoded.dtype == np.float64, kind
        assert decoded.shape == points.shape, kind
        np.testing.assert_array_equal(decoded, points.astype(np.float64), kind)


@each_kind
def test_no_points_are_points_where_a_header_says_so(kind: str) -> None:
    """What a sensor saw nothing with; without a header it is a file that was cut off."""
    content, suffix = written(kind, POINTS[:0])
    if suffix == ".bin":
        assert "0 bytes; must be a multiple of 16, and not 0" in refusal(content, suffix)
    else:
        assert decode_points(content, suffix).shape == (0, 3)


@each_kind
def test_every_cut_and_every_addition_is_noticed(kind: str) -> None:
    content, suffix = written(kind, POINTS[:5])
    for length in range(len(content)):
        if suffix == ".bin" and length and length % 16 == 0:
            # It says nowhere how many points it has.
            continue
        if content[length:] == b"\n":
            # The end of the last line is no more than that.
            continue
        if "ascii" in kind and not content[length:].strip(b"0123456789.\n"):
            # As little does it say how many digits the last number has.
            continue
        refusal(content[:length], suffix)
    refusal(content + b"1", suffix)


@each_kind
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_infinite_coordinate_is_refused(kind: str, value: float, column: int) -> None:
    points = POINTS.copy()
    points[7, column] = value
    assert "holds an infinite coordinate; a point that did not come back is NaN" in refusal(
        *written(kind, points)
    )


@each_kind
@PROPERTY
@given(edits=EDITS, kept=st.sampled_from([1.0, 1.0, 0.9, 0.3]))
def test_damaged_points_are_refused_or_as_many_numbers(
    kind: str, edits: Edits, kept: float
) -> None:
    content, suffix = written(kind)
    # Half of the edits in the header.
    head = 200 / len(content)
    edits = [(place * head if value % 2 else place, value) for place, value in edits]
    try:
        points = decode_points(damaged(content, edits, kept), suffix)
    except BadMemberError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 500
        return
    assert points.dtype == np.float64
    assert points.shape[1:] == (3,)
    assert not np.isinf(points).any()


@PROPERTY
@given(content=st.binary(max_size=120), suffix=st.sampled_from(SUFFIXES))
def test_random_bytes_are_refused_or_as_many_numbers(content: bytes, suffix: str) -> None:
    heads = {
        ".npy": b"\x93NUMPY\x01\x00", ".bin": b"",
        ".pcd": pcd_head(3, "ascii")[:-6], ".ply": b"ply\nformat ascii 1.0\n",
    }  # fmt: skip
    for made in (content, heads[suffix] + content):
        try:
            points = decode_points(made, suffix)
        except BadMemberError as error:
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert points.shape == (len(points), 3)


HEADER_WORDS = st.one_of(
    st.sampled_from(
        ["x", "y", "z", "4", "8", "0", "-1", "F", "I", "U", "1", "3", "1e3", "999999999999", "_",
         "9" * 30, "9" * 5000, "1_0", "\u0663", "FIELDS", "SIZE", "ascii", "binary", "\x00", "#"]
    ),
    st.text(max_size=4),
)  # fmt: skip
HEADER_KEYS = st.sampled_from(
    ["VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "POINTS", "DATA", "fields",
     "format", "element", "property", "comment", "element vertex", "property float",
     "property list uchar int", "format ascii", "format binary_little_endian"]
)  # fmt: skip
HEADER_LINES = st.tuples(HEADER_KEYS, st.lists(HEADER_WORDS, max_size=5).map(" ".join)).map(
    " ".join
)


@settings(deadline=None, max_examples=400, derandomize=True, database=None)
@given(
    lines=st.lists(HEADER_LINES, max_size=4),
    place=st.integers(0, 11),
    kind=st.sampled_from(["pcd ascii", "pcd binary", "pcd binary_compressed", "ply ascii",
                          "ply little-endian"]),
    replace=st.booleans(),
)  # fmt: skip
def test_any_header_is_read_or_refused_in_little_memory(
    lines: list[str], place: int, kind: str, replace: bool
) -> None:
    content, suffix = written(kind)
    whole = content.split(b"\n")
    whole[place : place + (len(lines) if replace else 0)] = [
        line.encode("utf-8", "replace") for line in lines
    ]
    tracemalloc.start()
    try:
        points = decode_points(b"\n".join(whole), suffix)
    except BadMemberError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 500
    else:
        assert points.shape == (len(points), 3)
    finally:
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert used < 4 << 20


# --- Numbers of points ---

MANY = 1_000_000_000_000


@pytest.mark.parametrize("number", [41, 10_000_001, 2**31, MANY, 10**15 - 1])
@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("suffix", [".pcd", ".ply"])
def test_a_header_that_claims_more_points_takes_no_memory(
    suffix: str, data: str, number: int
) -> None:
    body = {"ascii": pcd_ascii, "binary": pcd_binary, "binary_compressed": pcd_compressed}[data](
        POINTS
    ).partition(f"DATA {data}\n".encode())[2]
    forms = {"ascii": "ascii", "binary": "binary_little_endian"}
    head = (
        pcd_head(number, data) if suffix == ".pcd"
        else ply_head(number, forms.get(data, "binary_big_endian"))
    )  # fmt: skip
    tracemalloc.start()
    try:
        message = refusal(head + body, suffix)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    if number > 10_000_000:
        assert message == f"{number:,} points; at most 10,000,000 are allowed"


def test_an_npy_that_claims_more_points_takes_no_memory() -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({MANY}, 3)}}".encode()
    assert "bytes of values; must be" in refusal(npy_with_header(header, bytes(120)), ".npy")


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "npy of float64"])
def test_more_points_than_allowed_are_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_MOST", len(POINTS))
    decode_points(*written(kind))
    monkeypatch.setattr(fields, "_MOST", len(POINTS) - 1)
    assert refusal(*written(kind)) == "40 points; at most 39 are allowed"


# --- .npy ---


@pytest.mark.parametrize("shape", [(4,), (3, 4, 1), (5, 2), (5, 5), (3, 5), (0,), ()])
def test_an_npy_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    message = refusal(npy(np.zeros(shape, np.float32)), ".npy")
    assert message.startswith(f"shape {shape}; points must be (n, 3) or (n, 4): x, y, z and")


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "<i2", "|u1", ">i8"])
def test_an_npy_may_hold_any_real_numbers(dtype: str) -> None:
    values = np.arange(24).reshape(8, 3).astype(dtype)
    np.testing.assert_array_equal(decode_points(npy(values), ".npy"), np.arange(24).reshape(8, 3))


@pytest.mark.parametrize("dtype", ["|b1", "<c8", "|S4", [("x", "<f4"), ("y", "<f4")]])
def test_an_npy_of_anything_else_is_refused(dtype: Any) -> None:
    assert "must be float32" in refusal(npy(np.zeros((5, 3), dtype)), ".npy")


def test_numbers_that_no_float64_holds_are_infinite() -> None:
    values = np.full((2, 3), np.longdouble("1e400"))
    if values.dtype.itemsize > 8:
        assert "infinite" in refusal(npy(values), ".npy")


def test_a_signalling_nan_is_a_nan() -> None:
    content = bytearray(bin_of(POINTS))
    content[:4] = b"\x01\x00\x80\x7f"
    assert np.isnan(decode_points(bytes(content), ".bin")[0, 0])


@pytest.mark.parametrize("suffix", [".txt", "", ".las", ".PCD"])
def test_another_ending_is_refused_with_those_that_are_read(suffix: str) -> None:
    assert refusal(b"", suffix) == "files of points must end in .npy, .bin, .pcd, .ply"


# --- .pcd ---


def test_lzf_is_unpacked_as_its_own_library_packs_it() -> None:
    """Packed by liblzf 3.6."""
    content = (
        b"".join(bytes([number % 7]) * (number % 11) for number in range(60))
        + b"fusebench fusebench" + bytes(300) + bytes(range(40))
    )  # fmt: skip
    data = base64.b64decode(
        "BgECAgMDAwQgAAAFQAAABmAAAACAAAABoAAAAsAAICmgACAoICNAH2AbgBUgREAAQEdAAGBKQAAgKaAAICggIeAAHI"
        "AVQEUgAGBIIACASyAAICmgACAooCAgFsAYQEUgAEBgQACASyAAICmgACBBoCAgFsAYIGFAACBGYACgYWApoAAgQSAh"
        "QB0JZnVzZWJlbmNoIOAACSBH4P8A4BkAHwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gBiEiIyQlJic="
    )
    assert pcd._lzf(packed(content), len(content)) == content
    sizes = packed(content)[4:8]
    assert pcd._lzf(len(data).to_bytes(4, "little") + sizes + data, len(content)) == content


@PROPERTY
@given(
    content=st.one_of(
        st.binary(max_size=400),
        st.lists(st.sampled_from([b"a", b"ab", b"abc", bytes(9), bytes(300)])).map(b"".join),
    )
)
def test_lzf_of_anything_comes_back(content: bytes) -> None:
    assert pcd._lzf(packed(content), len(content)) == content


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        (b"", 1, "they end early"),
        (b"\x00a\x20", 9, "they end early"),
        (b"\x00a\xe0", 300, "they end early"),
        (b"\x00a\xe0\x10", 300, "they end early"),
        (b"\x00a\x20\x01", 4, "they look back too far"),
        (b"\x3f\xff", 3, "they look back too far"),
        (b"\x04ab", 5, "they unpack to another size"),
        (b"\x01ab", 3, "they unpack to another size"),
        (b"\x01ab", 1, "they unpack to another size"),
        (b"\x00a" + b"\xe0\xff\x00" * 50, 264, "they unpack to another size"),
    ],
)
def test_broken_lzf_is_refused(data: bytes, size: int, message: str) -> None:
    body = len(data).to_bytes(4, "little") + size.to_bytes(4, "little") + data
    with pytest.raises(BadMemberError, match=message):
        pcd._lzf(body if data else b"\x00" * 7, size)


def test_a_lzf_bomb_takes_no_more_memory_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """264 bytes of each three."""
    data = b"\x00a" + b"\xe0\xff\x00" * 100_000
    for size in (1_600, 26_400_001):
        body = len(data).to_bytes(4, "little") + size.to_bytes(4, "little") + data
        content = pcd_head(size // 16, "binary_compressed") + body
        monkeypatch.setattr(pcd, "_MOST_UNPACKED", 1 << 20)
        tracemalloc.start()
        try:
            message = refusal(content, ".pcd")
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
        finally:
            tracemalloc.stop()
        assert message == (
            "broken .pcd data (they unpack to another size)" if size == 1_600
            else "broken .pcd data (other sizes than its header says)"
        )  # fmt: skip
    size = 26_400_000
    body = len(data).to_bytes(4, "little") + size.to_bytes(4, "little") + data
    message = refusal(pcd_head(size // 16, "binary_compressed") + body, ".pcd")
    assert message == "unpacks to 26,400,000 bytes; at most 1,048,576 are allowed"


def pcd_of(fields: str, sizes: str, kinds: str, counts: str, dtype: Any, data: str) -> bytes:
    """Points in fields of any types, x, y and z among them."""
    values = np.zeros(len(POINTS), dtype)
    for column, name in enumerate("xyz"):
        values[name] = POINTS[:, column]
    head = (
        f"VERSION .7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {kinds}\nCOUNT {counts}\n"
        f"POINTS {len(POINTS)}\nDATA {data}\n"
    )
    if data == "binary":
        return head.encode() + values.tobytes()
    if data == "binary_compressed":
        return head.encode() + packed(
            b"".join(values[name].tobytes() for name in values.dtype.names)
        )
    rows = (" ".join(map(str, np.concatenate([np.ravel(v) for v in row]))) for row in values)
    return head.encode() + "\n".join(rows).encode()


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_x_y_and_z_may_stand_anywhere_among_other_fields(data: str) -> None:
    dtype = [("ring", "<u2"), ("z", "<f4"), ("normal", "<f4", 3), ("x", "<f4"), ("t", "<f8"),
             ("y", "<f4")]  # fmt: skip
    content = pcd_of(
        "ring z normal x t y", "2 4 4 4 8 4", "U F F F F F", "1 1 3 1 1 1", dtype, data
    )
    np.testing.assert_array_equal(decode_points(content, ".pcd"), POINTS.astype(np.float64))


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_coordinates_may_be_doubles_or_whole_numbers(data: str) -> None:
    dtype = [("x", "<f8"), ("y", "<i2"), ("z", "<i4")]
    content = pcd_of("x y z", "8 2 4", "F I I", "1 1 1", dtype, data)
    expected = np.column_stack([POINTS[:, 0], np.trunc(POINTS[:, 1:])])
    np.testing.assert_array_equal(decode_points(content, ".pcd"), expected)


def test_a_header_may_have_comments_other_line_ends_and_no_counts() -> None:
    content = pcd_binary(POINTS).replace(b"COUNT 1 1 1 1\n", b"# COUNT 2 2 2 2\n\n", 1)
    head, data, body = content.partition(b"DATA binary\n")
    for made in (content, head.replace(b"\n", b"\r\n") + b"DATA binary\r\n" + body,
                 head.replace(b"FIELDS", b"COLUMNS") + data + body):  # fmt: skip
        np.testing.assert_array_equal(decode_points(made, ".pcd"), POINTS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"FIELDS x y z", b"FIELDS x y w", "fields x y w intensity; must have x, y and z, each"),
        (b"FIELDS x y z i", b"FIELDS x x z i", "must have x, y and z, each once"),
        (b"FIELDS x y z intensity", b"FIELDS x y z x", "must have x, y and z, each once"),
        (b"FIELDS x y z intensity", b"FIELDS x y z", "broken .pcd header"),
        (b"FIELDS", b"NAMES", "broken .pcd header"),
        (b"SIZE 4", b"SIZE 3", "broken .pcd header"),
        (b"SIZE 4", b"SIZE -4", "broken .pcd header ('-4' is no number)"),
        (b"SIZE 4", b"SIZE 0", "broken .pcd header"),
        (b"SIZE 4", b"SIZE 1_6", "broken .pcd header ('1_6' is no number)"),
        (b"TYPE F", b"TYPE O", "broken .pcd header ('O')"),
        (b"TYPE F", b"TYPE f", "broken .pcd header ('f')"),
        (b"COUNT 1", b"COUNT 2", "COUNT of x, y and z must be 1"),
        (b"COUNT 1", b"COUNT 0", "COUNT of x, y and z must be 1"),
        (b"COUNT 1 1 1 1", b"COUNT 1 1 1 999999999999999", "broken .pcd header"),
        (b"POINTS 40", b"POINTS", "broken .pcd header"),
        (b"POINTS 40", b"POINTS 39", "640 bytes of points; must be 624, as its header says"),
        (b"POINTS 40", b"POINTS -1", "broken .pcd header ('-1' is no number)"),
        (b"POINTS 40", b"POINTS " + b"9" * 4000, "broken .pcd header"),
        (b"POINTS 40", b"POINTS 4e1", "broken .pcd header ('4e1' is no number)"),
        (b"DATA binary", b"DATA", "broken .pcd header"),
        (b"DATA binary", b"DATA packed", ".pcd data 'packed'; must be ascii, binary or binary_co"),
        (b"DATA binary", b"", "its header has no line DATA"),
    ],
)
def test_a_broken_pcd_header_is_refused(old: bytes, new: bytes, message: str) -> None:
    content = pcd_binary(POINTS)
    assert content.count(old) == 1
    assert message in refusal(content.replace(old, new), ".pcd")


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize(
    ("names", "counts"),
    [
        # In numpy's 32 bits, these come to few bytes, or to fewer than none.
        ("x a y b z", "1 536870911 1 536870911 1"),
        ("x a b y z", "1 536870911 536870911 1 1"),
        ("x y z a", "1 1 1 500000000"),
    ],
)
def test_fields_wider_than_any_point_are_refused(names: str, counts: str, data: str) -> None:
    head = pcd_head(1, data, names).replace(
        b"COUNT" + b" 1" * len(names.split()), b"COUNT " + counts.encode()
    )
    for body in (b"", bytes(4), bytes(8), packed(bytes(4))):
        assert "more than 65,536 bytes a point" in refusal(head + body, ".pcd")


@pytest.mark.parametrize("pose", [b"10 0 0 1 0 0 0", b"0 0 0 0 1 0 0", b"0 0 0", b"a 0 0 1 0 0 0"])
def test_points_seen_from_elsewhere_are_refused(pose: bytes) -> None:
    content = pcd_binary(POINTS).replace(b"VIEWPOINT 0 0 0 1 0 0 0", b"VIEWPOINT " + pose)
    assert "must be in the frame of the sensor" in refusal(content, ".pcd")


def test_a_file_that_names_no_place_of_the_sensor_is_read() -> None:
    content = pcd_binary(POINTS).replace(b"VIEWPOINT 0 0 0 1 0 0 0\n", b"")
    np.testing.assert_array_equal(decode_points(content, ".pcd"), POINTS)


def test_a_long_line_takes_little_memory() -> None:
    line = b"1 " * 2_000_000
    tracemalloc.start()
    try:
        assert "must be 4" in refusal(pcd_head(1, "ascii") + line, ".pcd")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(line)


def test_a_header_without_end_is_refused_at_once() -> None:
    for suffix in (".pcd", ".ply"):
        start = b"ply\n" if suffix == ".ply" else b""
        assert "its header has no" in refusal(start + b"comment\n" * 100_000, suffix)


# --- .ply ---


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_what_follows_the_vertices_is_passed_over(form: str) -> None:
    faces = "element face 2\nproperty list uchar int vertex_indices"
    if form == "ascii":
        body = ply_ascii(POINTS).partition(b"end_header\n")[2] + b"3 0 1 2\n3 1 2 3\n"
    else:
        order = "<" if "little" in form else ">"
        values = np.frombuffer(bin_of(POINTS), "<f4").astype(f"{order}f4")
        body = values.tobytes() + b"\x03" * 13
    content = ply_head(len(POINTS), form, after=faces) + body
    np.testing.assert_array_equal(decode_points(content, ".ply"), POINTS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("name", "code"),
    [("char", "i1"), ("int8", "i1"), ("uchar", "u1"), ("short", "i2"), ("uint16", "u2"),
     ("int", "i4"), ("uint32", "u4"), ("float32", "f4"), ("double", "f8"), ("float64", "f8")],
)  # fmt: skip
def test_each_type_of_a_ply_is_read_in_either_order(name: str, code: str, order: str) -> None:
    values = np.zeros(5, [("y", f"{order}{code}"), ("red", "u1"), ("x", f"{order}f8"),
                          ("z", f"{order}{code}")])  # fmt: skip
    values["x"], values["y"], values["z"] = np.linspace(-1, 1, 5), range(5), range(5, 10)
    form = "binary_little_endian" if order == "<" else "binary_big_endian"
    head = (
        f"ply\r\nformat {form} 1.0\r\nobj_info here\r\nelement vertex 5\r\nproperty {name} y\r\n"
        f"property uchar red\r\nproperty double x\r\nproperty {name} z\r\nend_header\r\n"
    )
    expected = np.column_stack([np.linspace(-1, 1, 5), range(5), range(5, 10)])
    np.testing.assert_array_equal(decode_points(head.encode() + values.tobytes(), ".ply"), expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"ply\n", b"PLY\n", "no .ply file"),
        (b"format binary_little_endian 1.0", b"format binary 1.0", "broken .ply header ('binary')"),
        (b"format binary_little_endian 1.0\n", b"", "broken .ply header"),
        (b"element vertex 40", b"element point 40", "its first element must be 'vertex'"),
        (b"element vertex 40", b"element vertex", "broken .ply header"),
        (b"element vertex 40", b"element vertex -4", "broken .ply header ('-4' is no number)"),
        (b"element vertex 40", b"element vertex 4_0", "broken .ply header ('4_0' is no number)"),
        (b"element vertex 40", b"element vertex 41", "640 bytes of points; must be 656"),
        (b"element vertex 40", b"element a 0\nelement vertex 40", "first element must be 'vertex'"),
        (b"property float x", b"property list uchar float x", "broken .ply header"),
        (b"property float x", b"property half x", "broken .ply header ('half')"),
        (b"property float x", b"property float w", ".ply with fields w y z intensity; must have"),
        (b"property float intensity", b"property float x", "must have x, y and z, each once"),
        (b"end_header\n", b"", "its header has no end"),
    ],
)
def test_a_broken_ply_header_is_refused(old: bytes, new: bytes, message: str) -> None:
    content = ply_little(POINTS)
    assert content.count(old) == 1
    assert message in refusal(content.replace(old, new), ".ply")


# --- Lines of numbers ---


def lines_of(suffix: str, *lines: str) -> bytes:
    head = pcd_head(2, "ascii") if suffix == ".pcd" else ply_head(2, "ascii")
    return head + "\n".join(lines).encode()


@pytest.mark.parametrize("suffix", [".pcd", ".ply"])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1 2 3 4"], "too few for 2 points"),
        (["1 2 3 4" + " " * 40], "1 lines of points; must be 2"),
        (["1 2 3 4"] * 3, "more lines of points than 2"),
        (["1 2 3 4", "1 2 300"], "point 1: 3 numbers; must be 4"),
        (["1 2 3 4 5", "1 2 3 4"], "point 0: 5 numbers; must be 4"),
        (["1 2 x 4", "1 2 3 4"], "point 0: holds what is no number"),
        (["1 2 3 4", "1,5 2 3 4"], "point 1: holds what is no number"),
        (["1_0 2 3 4", "1 2 3 4"], "point 0: holds what is no number"),
        (["0x1 2 3 4", "1 2 3 4"], "point 0: holds what is no number"),
        (["1e999 2 3 4", "1 2 3 4"], "holds an infinite coordinate"),
        (["inf 2 3 4", "1 2 3 4"], "holds an infinite coordinate"),
    ],
)
def test_lines_that_are_no_points_are_refused(suffix: str, lines: list[str], message: str) -> None:
    assert message in refusal(lines_of(suffix, *lines), suffix)


@pytest.mark.parametrize("suffix", [".pcd", ".ply"])
def test_lines_may_have_any_space_between_and_around_them(suffix: str) -> None:
    content = lines_of(suffix, "", "  1\t2.5   -3e0 x\r", "", "nan NaN 0 _", "", "")
    np.testing.assert_array_equal(
        decode_points(content, suffix), [[1, 2.5, -3], [np.nan, np.nan, 0]]
    )


@pytest.mark.parametrize("suffix", [".pcd", ".ply"])
def test_a_number_with_few_digits_is_the_one_of_its_type(suffix: str) -> None:
    """As float32, 0.1 is another number than as float64; in bytes it is the former."""
    content = lines_of(suffix, "0.1 0.2 0.3 0", "1.100000024 1e-3 7 0")
    expected = np.array([[0.1, 0.2, 0.3], [1.1, 1e-3, 7]], np.float32)
    np.testing.assert_array_equal(decode_points(content, suffix), expected.astype(np.float64))


def test_lines_take_no_list_of_them() -> None:
    content = pcd_head(20_000, "ascii") + b"0 0 0 0\n" * 20_000
    tracemalloc.start()
    try:
        points = decode_points(content, ".pcd")
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The points, their test for infinity, and the content once more.
    assert used < 1.3 * points.nbytes + 2 * len(content)


def test_packed_points_are_smaller_here_too() -> None:
    """That the packer of these tests packs: else unpacking would not be tested."""
    assert len(lzf(bytes(1000))) < 20
