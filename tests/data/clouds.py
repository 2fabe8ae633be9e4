"""Files of points in each format, written here from their descriptions."""

import struct
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from tests.data.archives import npy

Points = NDArray[np.float32]
INTENSITY = 0.25


def bin_of(points: Points) -> bytes:
    """As KITTI has it: x, y, z and intensity."""
    return np.column_stack([points, np.full(len(points), INTENSITY)]).astype("<f4").tobytes()


def pcd_head(number: int, data: str, fields: str = "x y z intensity") -> bytes:
    """The header of a .pcd file of float32."""
    count = len(fields.split())
    lines = [
        "# .PCD v0.7 - Point Cloud Data file format", "VERSION 0.7", f"FIELDS {fields}",
        "SIZE" + " 4" * count, "TYPE" + " F" * count, "COUNT" + " 1" * count, f"WIDTH {number}",
        "HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0", f"POINTS {number}", f"DATA {data}", "",
    ]  # fmt: skip
    return "\n".join(lines).encode()


def _lines(points: Points) -> bytes:
    rows = (" ".join(map(str, [*row.tolist(), INTENSITY])) for row in points)
    return "".join(f"{row}\n" for row in rows).encode()


def pcd_ascii(points: Points) -> bytes:
    return pcd_head(len(points), "ascii") + _lines(points)


def pcd_binary(points: Points) -> bytes:
    return pcd_head(len(points), "binary") + bin_of(points)


def pcd_compressed(points: Points) -> bytes:
    """Each field as a column of its own, packed by LZF."""
    columns = np.frombuffer(bin_of(points), "<f4").reshape(-1, 4).T.tobytes()
    return pcd_head(len(points), "binary_compressed") + packed(columns)


def packed(content: bytes) -> bytes:
    """What stands behind the header of a .pcd that is compressed."""
    data = lzf(content)
    return struct.pack("<II", len(data), len(content)) + data


def lzf(content: bytes) -> bytes:
    """Pack by LZF: what was there before, three bytes or more, is named by where it was."""
    out, literal, at = bytearray(), bytearray(), 0
    last: dict[bytes, int] = {}

    def end_literal() -> None:
        for start in range(0, len(literal), 32):
            part = literal[start : start + 32]
            out.append(len(part) - 1)
            out.extend(part)
        literal.clear()

    while at < len(content):
        key = content[at : at + 3]
        found = last.get(key, -1)
        last[key] = at
        if found < 0 or len(key) < 3 or at - found > 8192:
            literal.append(content[at])
            at += 1
            continue
        length, back = 3, at - found - 1
        while (
            length < 264
            and at + length < len(content)
            and content[found + length] == content[at + length]
        ):
            length += 1
        end_literal()
        short = min(length - 2, 7)
        out.append(short << 5 | back >> 8)
        if short == 7:
            out.append(length - 9)
        out.append(back & 0xFF)
        at += length
    end_literal()
    return bytes(out)


def ply_head(number: int, form: str, properties: str = "x y z intensity", after: str = "") -> bytes:
    """The header of a .ply file of float32."""
    lines = [
        "ply", f"format {form} 1.0", "comment made here", f"element vertex {number}",
        *(f"property float {name}" for name in properties.split()), *after.splitlines(),
        "end_header", "",
    ]  # fmt: skip
    return "\n".join(lines).encode()


def ply_ascii(points: Points) -> bytes:
    return ply_head(len(points), "ascii") + _lines(points)


def ply_little(points: Points) -> bytes:
    return ply_head(len(points), "binary_little_endian") + bin_of(points)


def ply_big(points: Points) -> bytes:
    values = np.frombuffer(bin_of(points), "<f4").astype(">f4")
    return ply_head(len(points), "binary_big_endian") + values.tobytes()


WRITERS: Mapping[str, tuple[str, Callable[[Points], bytes]]] = {
    "npy": (".npy", npy),
    "npy with intensity": (".npy", lambda points: npy(np.column_stack([points, points[:, 0]]))),
    "npy of float64": (".npy", lambda points: npy(points.astype(">f8"))),
    "bin": (".bin", bin_of),
    "pcd ascii": (".pcd", pcd_ascii),
    "pcd binary": (".pcd", pcd_binary),
    "pcd binary_compressed": (".pcd", pcd_compressed),
    "ply ascii": (".ply", ply_ascii),
    "ply little-endian": (".ply", ply_little),
    "ply big-endian": (".ply", ply_big),
}
"""Ending and writer of each kind of file."""
