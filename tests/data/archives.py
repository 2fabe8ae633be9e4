"""Small archives in the real layout, whole or with one thing wrong with them."""

import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fusebench.data.settings import DataParams
from fusebench.samples.sensors import Sensors

CLASSES = ("cubes", "spheres")
IMAGE_SIZE = (16, 32)
LIDAR_SIZE = (6, 8)
MAX_RANGE = 50.0
LIMITS = {
    "members": 10_000, "member_bytes": 100_000_000, "total_bytes": 1_000_000_000, "ratio": 500,
}  # fmt: skip
IDS: Mapping[str, Sequence[str]] = {
    "cubes": ("0000", "0001", "0002", "0003"),
    "spheres": ("0001", "0002", "0005"),
}


def _numbers(*names: object) -> np.random.Generator:
    """Return a stream that is a function of the names, so that a sample has its own content."""
    return np.random.default_rng(int.from_bytes(blake2b(repr(names).encode()).digest()[:8]))


def image_array(class_name: str, key: str, size: tuple[int, int] = IMAGE_SIZE) -> NDArray[np.uint8]:
    """The RGB image of a sample, never black."""
    return _numbers("rgb", class_name, key).integers(1, 256, (*size, 3), dtype=np.uint8)


def range_array(
    class_name: str, key: str, size: tuple[int, int] = LIDAR_SIZE
) -> NDArray[np.float32]:
    """The LiDAR map of a sample: half of it without return, never 0."""
    numbers = _numbers("lidar", class_name, key)
    ranges: NDArray[np.float32] = numbers.uniform(20, 30, size).astype(np.float32)
    ranges[numbers.random(size) < 0.5] = MAX_RANGE
    return ranges


def angle_array(count: int) -> NDArray[np.float32]:
    """Angles in steps of half a degree around 0, radians."""
    degrees = (np.arange(count) - count // 2) * 0.5
    return np.asarray(np.radians(degrees), np.float32)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(array: NDArray[np.uint8], mode: str = "RGBA") -> bytes:
    """An array (h, w, 3) as a PNG of the given mode."""
    return encoded(Image.fromarray(array).convert(mode))


def npy(array: NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    """An array as the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npy_with_header(header: bytes, values: bytes = b"") -> bytes:
    """An .npy file with a header of one's own."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG chunk by chunk, for what Pillow does not write; each with its right checksum."""
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        checksum = struct.pack(">I", zlib.crc32(name + body))
        content += struct.pack(">I", len(body)) + name + body + checksum
    return content


def png_head(width: int, height: int, depth: int, colour: int, *rest: int) -> tuple[bytes, bytes]:
    """The first chunk of a PNG; `rest` is compression, filters and interlacing, by default 0."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, *(rest or (0, 0, 0)))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes | None) -> bytes:
    """A PNG of these rows; without image data if they are None."""
    data = [] if rows is None else [(b"IDAT", zlib.compress(rows))]
    return png_of(png_head(width, height, depth, colour), *data, (b"IEND", b""))


def members(
    ids: Mapping[str, Sequence[str]] = IDS,
    *,
    image_size: tuple[int, int] = IMAGE_SIZE,
    lidar_size: tuple[int, int] = LIDAR_SIZE,
    mode: str = "RGBA",
    suffix: str = ".png",
) -> dict[str, bytes]:
    """The members of a whole archive, by their names below the folder of the classes."""
    content: dict[str, bytes] = {}
    for class_name, keys in ids.items():
        content[f"{class_name}/azimuth.npy"] = npy(angle_array(lidar_size[0]))
        content[f"{class_name}/zenith.npy"] = npy(angle_array(lidar_size[1]))
        for key in keys:
            image = png(image_array(class_name, key, image_size), mode)
            content[f"{class_name}/rgb/{key}{suffix}"] = image
            content[f"{class_name}/lidar/{key}.npy"] = npy(range_array(class_name, key, lidar_size))
    return content


def write_zip(
    path: Path,
    content: Mapping[str, bytes],
    *,
    prefix: str = "assessment/",
    overrides: Mapping[str, bytes] | None = None,
    omit: Collection[str] = (),
    beside: Mapping[str, bytes] | None = None,
    comment: bytes = b"",
    compression: int = zipfile.ZIP_DEFLATED,
    shuffle: int | None = None,
) -> Path:
    """Write a zip.

    Parameters
    ----------
    content : mapping of str to bytes
        Members below `prefix`.
    overrides : mapping of str to bytes
        Members below `prefix` that are other than in `content`, or more.
    omit : collection of str
        Members of `content` that are left out.
    beside : mapping of str to bytes
        Members that do not lie below `prefix`.
    shuffle : int
        Seed of the members' order; without it they stand as given.
    """
    unknown = set(omit) - content.keys()
    if unknown:
        raise KeyError(f"not in the archive: {unknown}")
    below = {**content, **(overrides or {})}
    items = [(f"{prefix}{name}", data) for name, data in below.items() if name not in omit]
    items += (beside or {}).items()
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(items))
        items = [items[position] for position in order]
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.comment = comment
        for name, data in items:
            archive.writestr(name, data)
    return path


def write_folder(path: Path, content: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def params(archive: Path | str, /, **changes: Any) -> DataParams:
    """Section `data` for the archives of this module."""
    content: dict[str, Any] = {
        "archive": str(archive),
        "layout": "class_folders",
        "manifest": None,
        "kitti": {"min_height": 25.0, "max_occlusion": 1, "max_truncation": 0.3, "margin": 0.1},
        "classes": list(CLASSES),
        "sensors": "data/sensors.yaml",
        "positive": CLASSES[1],
        "on_bad_sample": "error",
        "limits": LIMITS,
    }
    return DataParams.model_validate({**content, **changes})


def sensors(**changes: Any) -> Sensors:
    """The sensors for the archives of this module; keys of both sections, by their own names."""
    camera: dict[str, Any] = {"image_size": list(IMAGE_SIZE), "focal_length": 73.3}
    lidar: dict[str, Any] = {
        "format": "ranges", "size": list(LIDAR_SIZE), "rows": "azimuth", "azimuth": "stored",
        "zenith": "stored", "step": None, "axes": None, "max_range": MAX_RANGE,
        "quarter_turns": 1, "no_return": [],
    }  # fmt: skip
    for key, value in changes.items():
        section = camera if key in camera else lidar
        assert key in section, key
        section[key] = value
    return Sensors.model_validate({"camera": camera, "lidar": lidar})


def _start_of(path: Path, name: str) -> tuple[zipfile.ZipInfo, int]:
    """Where a member's content begins in the zip."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    content = path.read_bytes()
    lengths = struct.unpack_from("<HH", content, info.header_offset + 26)
    return info, info.header_offset + 30 + sum(lengths)


def damage_member(path: Path, name: str) -> None:
    """Turn one byte in the middle of what the zip stores of a member."""
    info, start = _start_of(path, name)
    content = bytearray(path.read_bytes())
    content[start + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)


def _entry_of(content: bytearray, name: str) -> int:
    """Where a member's entry in the directory begins."""
    entry = content.rindex(name.encode()) - 46
    if content[entry : entry + 4] != b"PK\x01\x02":
        raise ValueError(f"no entry of the directory: {name}")
    return entry


def encrypt_member(path: Path, name: str) -> None:
    """Mark a member as encrypted, in its own header and in the directory."""
    info, _ = _start_of(path, name)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 6] |= 1
    content[_entry_of(content, name) + 8] |= 1
    path.write_bytes(content)


def claim_size(path: Path, name: str, size: int) -> None:
    """Let the directory say that a member has this many bytes when it is unpacked."""
    write_entry(path, name, 24, "<I", size)


def write_entry(path: Path, name: str, offset: int, form: str, value: Any) -> None:
    """Write a field of a member's entry in the directory."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, _entry_of(content, name) + offset, value)
    path.write_bytes(content)


def write_header(path: Path, name: str, offset: int, form: str, value: Any) -> None:
    """Write a field of the header that stands before a member."""
    info, _ = _start_of(path, name)
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, info.header_offset + offset, value)
    path.write_bytes(content)


def at_both(path: Path, name: str, in_header: int, form: str, value: Any) -> None:
    """Write a field of a member in its header and in the directory, which has it later."""
    write_header(path, name, in_header, form, value)
    write_entry(path, name, in_header + 2, form, value)


Edits = list[tuple[float, int]]
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)


def damaged(content: bytes, edits: Edits, kept: float) -> bytes:
    """Bytes with some replaced and the end cut off."""
    changed = bytearray(content[: max(1, round(kept * len(content)))])
    for place, value in edits:
        changed[int(place * len(changed))] = value
    return bytes(changed)
