"""Zips that lie, are broken, or would unpack to more than there is room for."""

import os
import stat
import struct
import tracemalloc
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.data.archives import (
    CLASSES,
    LIMITS,
    at_both,
    image_array,
    members,
    npy,
    png,
    range_array,
    write_entry,
    write_header,
    write_zip,
)
from tests.data.place import Place

from fusebench.data import directory, layout
from fusebench.data.container import Container
from fusebench.data.directory import Entry, count_entries, find_directory, read_entries
from fusebench.data.images import decode_image
from fusebench.data.opened import open_container
from fusebench.data.settings import Limits
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError, BadSamplesError

NAME = "assessment/cubes/rgb/0001.png"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A whole archive, to be spoilt."""
    place = Place(tmp_path)
    write_zip(place.zip, members())
    return place


def opened(path: Path, **changes: int) -> Container:
    return open_container(path, Limits.model_validate(LIMITS | changes))


def refusal(place: Place, **changes: object) -> str:
    """The one error of an archive that is refused as a whole; nothing is left."""
    with pytest.raises(ArchiveError) as caught:
        place.extract(on_bad_sample="skip", **changes)
    assert place.contents() == {}
    message = str(caught.value)
    assert message.startswith(f"{place.zip}: ")
    assert message.isprintable()
    return message


def bad_sample(place: Place) -> str:
    """The line of the one sample that is bad; left out, the others are read."""
    before = place.contents()
    with pytest.raises(BadSamplesError) as caught:
        place.extract()
    assert place.contents() == before
    (problem,) = caught.value.problems
    assert problem.isprintable()
    assert place.extract(on_bad_sample="skip")["bad_samples"] == 1
    return problem


# --- Two places that say the same ---


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (8, "<H", 12, "own header and the directory differ"),
        (14, "<L", 1, "own header and the directory differ"),
        (18, "<L", 1, "own header and the directory differ"),
        (22, "<L", 1, "own header and the directory differ"),
        (30, "<B", ord("b"), "its own header names it 'bssessment/cubes/rgb/0001.png'"),
        (6, "<H", 1, "encrypted"),
        (0, "<H", 0, "no member where the directory says"),
    ],
    ids=["method", "crc", "packed size", "size", "name", "flags", "signature"],
)
def test_a_member_whose_header_says_otherwise_is_a_bad_sample(
    place: Place, offset: int, form: str, value: int, message: str
) -> None:
    """Another program might believe the other."""
    write_header(place.zip, NAME, offset, form, value)
    line = bad_sample(place)
    assert line.startswith(f"{NAME}: ")
    assert message in line


@pytest.mark.parametrize("value", [0, 10**6])
def test_a_wrong_crc_or_size_in_both_places_is_a_bad_sample(place: Place, value: int) -> None:
    at_both(place.zip, NAME, 22, "<L", value)
    assert "other bytes than its size and CRC say" in bad_sample(place)


def test_an_entry_that_points_elsewhere_is_a_bad_sample(place: Place) -> None:
    for offset in (place.zip.stat().st_size - 30, 2**32 - 2):
        write_entry(place.zip, NAME, 42, "<L", offset)
        assert "broken in the zip (it begins behind the directory)" in bad_sample(place)


def test_overlapping_members_are_bad_samples(place: Place) -> None:
    """The way of bombs without a nested zip: many entries over the same bytes."""
    inner = Place(place.zip.parent / "inner")
    inner.zip.parent.mkdir()
    write_zip(inner.zip, {"cubes/rgb/0002.png": png(image_array("cubes", "0002"))})
    name = "assessment/cubes/rgb/0002.png"
    # All of the inner zip up to its directory: a member with its header.
    header = inner.zip.read_bytes().partition(b"PK\x01\x02")[0]
    outer = {**members(), "cubes/rgb/0001.png": header}
    write_zip(place.zip, outer, compression=zipfile.ZIP_STORED)
    inside = place.zip.read_bytes().index(header)
    with zipfile.ZipFile(inner.zip) as archive:
        info = archive.getinfo(name)
    for offset, form, value in ((42, "<L", inside), (10, "<H", info.compress_type),
                                (20, "<L", info.compress_size)):  # fmt: skip
        write_entry(place.zip, name, offset, form, value)
    assert bad_sample(place) == f"{NAME}: broken in the zip (it overlaps another member)"


@pytest.mark.parametrize("streamed", [False, True])
def test_zip64_and_sizes_after_the_data_are_read(place: Place, streamed: bool) -> None:
    def write(wide: bool) -> None:
        with place.zip.open("wb") as file, zipfile.ZipFile(file, "w", 8) as archive:
            if streamed:
                file.seekable = lambda: False  # type: ignore[method-assign]
            for name, data in members().items():
                info = zipfile.ZipInfo(f"a/{name}")
                with archive.open(info, "w", force_zip64=wide) as member:
                    member.write(data)

    write(wide=False)
    place.extract()
    before = place.contents()
    write(wide=True)
    place.extract()
    assert place.contents() == before


def test_a_zip64_directory_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.extract()
    before = place.contents()
    # Above this many members zipfile writes a directory in zip64's form.
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    write_zip(place.zip, members(), comment=b"x" * 65_535)
    assert b"PK\x06\x06" in place.zip.read_bytes()
    place.extract()
    assert place.contents() == before


def test_a_zip64_end_that_is_not_there_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    write_zip(place.zip, members())
    place.zip.write_bytes(place.zip.read_bytes().replace(b"PK\x06\x06", b"PK\x00\x00"))
    assert "its zip64 end is not where it should be" in refusal(place)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda whole: whole + b"\n", "1 bytes follow its end"),
        (lambda whole: whole + whole, "bytes were lost or added"),
        (lambda whole: b"MZ" + whole, "bytes were lost or added"),
        (lambda whole: whole[1:], "bytes were lost or added"),
        (lambda whole: whole[:-1], "it has no end"),
        (lambda whole: whole[:-2] + b"\x05\x00", "5 bytes lack at its end"),
        (lambda whole: whole[:-12] + b"\x63\x00" + whole[-10:],
         "its end counts 99 members, its directory lists 18"),
    ],
    ids=["after", "twice", "before", "lost", "cut", "comment", "count"],
)  # fmt: skip
def test_bytes_before_after_or_missing_are_refused(
    place: Place, form: Callable[[bytes], bytes], message: str
) -> None:
    place.zip.write_bytes(form(place.zip.read_bytes()))
    assert message in refusal(place)


def test_a_comment_is_passed_over_unless_it_holds_another_end(place: Place) -> None:
    write_zip(place.zip, members(), comment=b"x" * 65_535)
    place.extract()
    write_zip(place.zip, members(), comment=b"one PK\x05\x06 more" + bytes(30))
    with pytest.raises(ArchiveError, match="not a readable zip archive"):
        place.extract()


def test_a_name_that_is_no_text_is_refused(place: Place) -> None:
    at_both(place.zip, NAME, 6, "<H", 0x800)
    content = place.zip.read_bytes()
    place.zip.write_bytes(content.replace(NAME.encode(), NAME.encode()[:-1] + b"\xff"))
    assert "not a readable zip archive" in refusal(place)


def test_a_zip_of_several_disks_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    write_zip(place.zip, members())
    content = place.zip.read_bytes()
    at = content.index(b"PK\x06\x07")
    for disk, disks in ((0, 2), (1, 1)):
        locator = struct.pack("<L", disk) + content[at + 8 : at + 16] + struct.pack("<L", disks)
        place.zip.write_bytes(content[: at + 4] + locator + content[at + 20 :])
        assert "span multiple disks are not supported" in refusal(place)


def as_zipfile_lists(path: Path) -> list[Entry] | str:
    """What Python's zipfile takes for the directory of a zip, or the error it raises."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [
                Entry(
                    info.orig_filename, info.header_offset, info.file_size, info.compress_size,
                    info.compress_type, info.flag_bits, info.CRC,
                    info.create_system in (3, 19) and stat.S_ISLNK(info.external_attr >> 16),
                )
                for info in archive.filelist
            ]  # fmt: skip
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def as_listed_here(path: Path) -> list[Entry] | str:
    with path.open("rb") as file:
        try:
            return [entry for _, entry in read_entries(file, find_directory(file))]
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            return f"{type(error).__name__}: {error}"


def odd_directory(path: Path) -> bytes:
    """A zip of three members: a link, one in UTF-8 with zip64's field, one with a comment."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in (("a/link", stat.S_IFLNK), ("a/\u00fc", 0), ("a/b", 0)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (mode | 0o644) << 16
            info.comment = b"PK\x01\x02" if name == "a/b" else b""
            if name != "a/link":
                # A size that is in the field, a field of another kind, and one of no length.
                info.extra = struct.pack("<2HQ2H4s2H", 1, 8, 5, 0x5455, 4, b"time", 0x9999, 0)
            archive.writestr(info, b"abcde")
    content = path.read_bytes()
    entry = content.rindex(b"a/\xc3\xbc") - 46
    return content[: entry + 24] + b"\xff" * 4 + content[entry + 28 :]


BYTES = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 4, 8, 64, 255]))


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), BYTES), max_size=3))
@example(edits=[])
def test_a_directory_is_read_as_zipfile_reads_it(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int]]
) -> None:
    """Names, numbers and errors alike, whatever bytes of it are changed."""
    path = tmp_path_factory.mktemp("zip") / "some.zip"
    content = bytearray(odd_directory(path))
    start, end = content.index(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    for place, value in edits:
        content[start + int(place * (end - start))] = value
    path.write_bytes(content)
    ours = as_listed_here(path)
    assert ours == as_zipfile_lists(path)
    if not edits:
        assert [(entry.size, entry.is_link) for entry in ours if isinstance(entry, Entry)] == [
            (5, True), (5, False), (5, False),
        ]  # fmt: skip


def test_a_directory_is_read_in_blocks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in an entry a block ends."""
    expected = as_zipfile_lists(place.zip)
    monkeypatch.setattr(directory, "_LONGEST_ENTRY", 100)
    for length in range(101, 240):
        monkeypatch.setattr(directory, "_BLOCK", length)
        assert as_listed_here(place.zip) == expected
    with place.zip.open("rb") as file:
        found = find_directory(file)
        for length in range(1, 9):
            monkeypatch.setattr(directory, "_BLOCK", length)
            assert count_entries(file, found) == len(members())


def test_a_block_holds_the_longest_entry(place: Place) -> None:
    with zipfile.ZipFile(place.zip, "w") as archive:
        for name in "abc":
            info = zipfile.ZipInfo(name * 65_535)
            info.extra, info.comment = b"\x99\x99\xfb\xff" + bytes(65_531), b"x" * 65_535
            archive.writestr(info, b"")
    assert as_listed_here(place.zip) == as_zipfile_lists(place.zip)


# --- Ways of packing ---


def test_an_unknown_way_of_packing_is_a_bad_sample(place: Place) -> None:
    at_both(place.zip, NAME, 8, "<H", 9)
    assert "packed by method 9, which is not read; zip it again" in bad_sample(place)


def test_lzma_that_asks_for_gigabytes_takes_none(place: Place) -> None:
    write_zip(place.zip, members(), compression=zipfile.ZIP_LZMA)
    content = place.zip.read_bytes()
    # The window that the decoder is to look back at stands in the data, whatever their length.
    head = b"\x09\x04\x05\x00\x5d"
    assert content.count(head) == len(members())
    start, length = content.index(head), len(head)
    window = content[start + length : start + length + 4]
    place.zip.write_bytes(content.replace(head + window, head + b"\xff\xff\xff\xff"))
    with opened(place.zip) as archive:
        assert peak(lambda: [archive.read(member) for member in range(len(members()))]) < 1 << 20


def test_a_broken_lzma_header_is_a_bad_sample(place: Place) -> None:
    for head in (b"\x09\x04\x06\x00\x5d", b"\x09\x04\x05\x00\xff"):
        content = members() | {"cubes/rgb/0001.png": b"x"}
        write_zip(place.zip, content, compression=zipfile.ZIP_LZMA)
        with zipfile.ZipFile(place.zip) as archive:
            start = archive.getinfo(NAME).header_offset + 30 + len(NAME)
        whole = bytearray(place.zip.read_bytes())
        whole[start : start + 5] = head
        place.zip.write_bytes(whole)
        assert "it has another LZMA header" in bad_sample(place)
    at_both(place.zip, NAME, 18, "<L", 3)
    assert "it has no LZMA header" in bad_sample(place)


# --- Limits ---


def peak(work: Callable[[], object]) -> int:
    """Bytes of Python's memory that the work takes at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_more_members_than_allowed_are_refused_whatever_the_end_counts(place: Place) -> None:
    limits = LIMITS | {"members": 17}
    assert "18 members; data.limits.members allows 17" in refusal(place, limits=limits)
    content = place.zip.read_bytes()
    place.zip.write_bytes(content[:-14] + b"\x01\x00\x01\x00" + content[-10:])
    assert "18 members; data.limits.members allows 17" in refusal(place, limits=limits)
    assert "data.limits.members allows 1:" in refusal(place, limits=LIMITS | {"members": 1})


def test_a_member_above_its_limit_is_refused_before_it_is_read(place: Place) -> None:
    large = {"cubes/rgb/0001.png": bytes(8 << 20)}
    write_zip(place.zip, members(), overrides=large, compression=zipfile.ZIP_STORED)
    limits = Limits.model_validate(LIMITS | {"member_bytes": 1 << 20})
    with open_container(place.zip, limits) as archive:
        member = list(archive.names()).index(NAME)

        def read() -> None:
            with pytest.raises(BadMemberError, match=r"8,388,608 bytes; .*member_bytes"):
                archive.read(member)

        assert peak(read) < 1 << 20


@pytest.mark.parametrize(("method", "copies"), [(zipfile.ZIP_STORED, 1), (zipfile.ZIP_DEFLATED, 2)])
def test_a_member_takes_no_more_memory_than_it_has_bytes(
    place: Place, method: int, copies: int
) -> None:
    content = bytes(range(256)) * (1 << 16)
    write_zip(place.zip, {"large": content}, prefix="", compression=method)
    with opened(place.zip) as archive:
        assert archive.read(0) == content
        assert peak(lambda: archive.read(0)) < (copies + 0.1) * len(content)


@pytest.mark.parametrize("method", [8, 12, 14], ids=["deflated", "bzip2", "lzma"])
def test_a_member_that_unpacks_to_more_than_it_says_takes_no_memory(
    place: Place, method: int
) -> None:
    write_zip(place.zip, {"bomb": bytes(32 << 20)}, prefix="", compression=method)
    at_both(place.zip, "bomb", 22, "<L", 1000)

    def read() -> None:
        with pytest.raises(BadMemberError, match="other bytes than its size"):
            archive.read(0)

    with opened(place.zip) as archive:
        # bzip2 itself takes four megabytes, its blocks have 900 kB.
        assert peak(read) < 6 << 20


def test_too_much_in_all_is_refused_before_anything_is_read(place: Place) -> None:
    with zipfile.ZipFile(place.zip) as archive:
        total = sum(i.file_size for i in archive.infolist() if "azimuth" not in i.filename)
    message = refusal(place, limits=LIMITS | {"total_bytes": total // 2})
    assert f"bytes; data.limits.total_bytes allows {total // 2:,}" in message


def test_a_member_that_is_read_repeatedly_counts_once(place: Place) -> None:
    """As one that several samples share."""
    write_zip(place.zip, {"a": bytes(1000)}, prefix="", compression=zipfile.ZIP_STORED)
    with opened(place.zip, total_bytes=1000) as archive:
        archive.check_limits(np.zeros(5, np.int32))
    with (
        opened(place.zip, total_bytes=999) as archive,
        pytest.raises(ArchiveError, match="1,000 b"),
    ):
        archive.check_limits(np.zeros(5, np.int32))


def test_a_bomb_is_told_by_its_ratio(place: Place) -> None:
    """Zeros are deflated to a thousandth."""
    bomb = {f"cubes/rgb/{number:04}.png": bytes(20 << 20) for number in range(2)}
    write_zip(place.zip, members(), overrides=bomb)
    message = refusal(place)
    assert "times their size, as those of a zip bomb; data.limits.ratio allows 500" in message


def test_what_is_not_read_is_not_counted(place: Place) -> None:
    more = {"notes.txt": bytes(10 << 20), "assessment/cubes/rgb/9999.png": bytes(10 << 20)}
    write_zip(place.zip, members(), beside=more)
    place.extract(limits=LIMITS | {"total_bytes": 1 << 20, "ratio": 2})


def test_an_archive_of_a_hundred_thousand_samples_is_within_the_shipped_limits(
    params_text: str,
) -> None:
    limits = Limits.model_validate(yaml.safe_load(params_text)["data"]["limits"])
    assert limits.members >= 2 * 100_000 + 100
    assert limits.member_bytes >= 50 << 20
    assert limits.total_bytes >= 2 * 100_000 * (1 << 20)
    assert limits.ratio >= 100


# --- Names ---


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../cubes/rgb/0007.png", "has '..' in its name"),
        ("assessment/cubes/../../x", "has '..' in its name"),
        ("assessment\\cubes\\rgb\\0007.png", "has '\\' in its name"),
        ("C:\\cubes\\rgb\\0007.png", "has '\\' in its name"),
        ("assessment/cubes/rgb/0007.png\x00.txt", "has a NUL in its name"),
    ],
)
def test_a_name_that_is_no_path_in_the_zip_is_refused(
    place: Place, name: str, message: str
) -> None:
    with zipfile.ZipFile(place.zip, "a") as archive:
        info = zipfile.ZipInfo()
        # Assigned: ZipInfo cuts a name that it is given at a NUL.
        info.filename = info.orig_filename = name
        archive.writestr(info, b"")
    assert message in refusal(place)


@pytest.mark.parametrize(
    ("order", "message"),
    [(["a", "./a", "../x"], "'./a' stands in the zip twice"), (["a", "../x", "./a"], "has '..'")],
)
def test_of_two_wrong_names_the_first_is_told(place: Place, order: list[str], message: str) -> None:
    with zipfile.ZipFile(place.zip, "a") as archive:
        for name in order:
            archive.writestr(name, b"")
    assert message in refusal(place)


@pytest.mark.parametrize("root", ["/", "C:/", "//server/share/"])
def test_an_absolute_name_is_one_below_the_zips_top(place: Place, root: str) -> None:
    """Nothing is unpacked to disk, so it leads nowhere."""
    place.extract()
    before = place.contents()
    write_zip(place.zip, members(), prefix=root)
    place.extract()
    assert place.contents() == before


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def test_accents_written_in_two_ways_are_one_id(place: Place) -> None:
    """As macOS and others write them; classes too."""
    classes = ("würfel", "kugeln")
    content = {}
    for class_name, source in zip(classes, CLASSES, strict=True):
        for angle in ("azimuth", "zenith"):
            data = members()[f"{source}/{angle}.npy"]
            content[f"{decomposed(class_name)}/{angle}.npy"] = data
        content[f"{class_name}/rgb/é.png"] = png(image_array(source, "0"))
        content[f"{class_name}/lidar/{decomposed('é')}.npy"] = npy(range_array(source, "0"))
    write_zip(place.zip, content)
    summary = place.extract(classes=list(classes), positive="kugeln")
    assert place.keys() == [("würfel", "é"), ("kugeln", "é")]
    assert summary["shared_ids"] == 1
    assert summary["unmatched"]["würfel"] == {"rgb": 0, "lidar": 0}


def test_one_name_in_two_spellings_is_refused(place: Place) -> None:
    second = {f"cubes/rgb/{key}.png": png(image_array("cubes", "1")) for key in ("é", "e\u0301")}
    write_zip(place.zip, members(), overrides=second)
    assert "stands in the zip twice" in refusal(place)


def test_ids_that_differ_by_case_alone_are_bad_samples(place: Place) -> None:
    """On a disk of Windows or macOS one would have replaced the other."""
    image, ranges = png(image_array("cubes", "1")), npy(range_array("cubes", "1"))
    content = members() | {"cubes/rgb/A.png": image, "cubes/lidar/A.npy": ranges}
    write_zip(place.zip, content)
    place.extract()
    assert place.keys()[4] == ("cubes", "A")
    write_zip(place.zip, content | {"cubes/rgb/a.png": image})
    assert bad_sample(place) == (
        "assessment/cubes/rgb/A.png, assessment/cubes/lidar/A.npy: an id that differs from another "
        "by case alone"
    )


def test_an_image_and_a_map_that_differ_by_case_are_no_pair(place: Place) -> None:
    image, ranges = png(image_array("cubes", "1")), npy(range_array("cubes", "1"))
    write_zip(place.zip, members() | {"cubes/rgb/A.png": image, "cubes/lidar/a.npy": ranges})
    assert place.extract()["unmatched"]["cubes"] == {"rgb": 1, "lidar": 1}


@pytest.mark.parametrize("name", ["Cubes/rgb/0001.png", "cubes/RGB/7.png", "cubes/Azimuth.npy"])
def test_folders_that_differ_by_case_alone_are_refused(place: Place, name: str) -> None:
    write_zip(place.zip, members(), overrides={name: b""})
    assert "by case alone; name them alike" in refusal(place)


def test_an_id_longer_than_a_file_systems_names_is_a_bad_sample(place: Place) -> None:
    long = "x" * 60_000
    more = {f"cubes/rgb/{long}.png": b"", f"cubes/lidar/{long}.npy": b""}
    write_zip(place.zip, members(), overrides=more)
    line = bad_sample(place)
    assert line.endswith("an id of 60,000 bytes; at most 255 are allowed")
    assert len(line) < 500


def test_a_folder_whose_name_cannot_be_printed_breaks_no_message(place: Place) -> None:
    write_zip(place.zip, members(), prefix="a\x1b[2J\r\n/", omit=["cubes/zenith.npy"])
    assert "a\\x1b[2J\\r\\n/cubes/zenith.npy is missing" in refusal(place)
    write_zip(place.zip, members(), prefix="a\r/", overrides={"cubes/rgb/0001.png": b""})
    assert bad_sample(place).startswith("a\\r/cubes/rgb/0001.png: ")


@pytest.mark.parametrize("member", ["cubes/rgb/0001.png", "cubes/zenith.npy"])
def test_a_symbolic_link_is_not_followed(place: Place, member: str) -> None:
    content = {**members(), member: b"/etc/passwd"}
    with zipfile.ZipFile(place.zip, "w") as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777 if name == member else 0o644) << 16
            info.create_system = 3
            archive.writestr(info, data)
    message = refusal(place) if "zenith" in member else bad_sample(place)
    assert f"{member}: a symbolic link; zip the file that it points to" in message


# --- The file itself ---


def _longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _other(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)


def _touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [_longer, _other, _touched, Path.unlink])
def test_an_archive_that_changes_while_it_is_read_is_refused(
    place: Place, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(content: bytes, size: tuple[int, int]) -> object:
        monkeypatch.undo()
        change(place.zip)
        return decode_image(content, size)

    monkeypatch.setattr(layout, "decode_image", changing)
    assert "changed while it was read; run again when it is complete" in refusal(place)


def test_a_directory_that_is_overwritten_meanwhile_is_told_as_a_change(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are read again where they are needed."""

    def changing(content: bytes, size: tuple[int, int]) -> object:
        monkeypatch.undo()
        place.zip.write_bytes(place.zip.read_bytes().replace(b"PK\x01\x02", b"PK\x00\x00"))
        os.utime(place.zip, ns=(1, 1))
        return decode_image(content, size)

    monkeypatch.setattr(layout, "decode_image", changing)
    assert "changed while it was read; run again when it is complete" in refusal(place)


def test_a_member_that_is_not_read_may_point_anywhere(place: Place) -> None:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(place.zip, "a") as archive:
        archive.writestr("notes.txt", b"x")
    write_entry(place.zip, "notes.txt", 42, "<L", 0)
    assert place.extract()["bad_samples"] == 0
