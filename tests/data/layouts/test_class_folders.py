"""Where the samples are: roots, junk, pairs, and what is refused; in zips and in folders."""

import shutil
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.archives import CLASSES, LIMITS, params, sensors, write_folder

from fusebench.data.container import Container
from fusebench.data.demonstration import SYNTHETIC_COMMENT, comment_of
from fusebench.data.layouts.class_folders import ClassFolders
from fusebench.data.opened import open_container
from fusebench.data.settings import Limits
from fusebench.errors import ArchiveError

PROPERTY = settings(deadline=None, max_examples=25, derandomize=True, database=None)


def tree(
    prefix: str, classes: Iterable[str] = CLASSES, ids: Iterable[str] = ("0000",)
) -> list[str]:
    """Names of a whole archive's members."""
    inside = ["azimuth.npy", "zenith.npy"]
    for key in ids:
        inside += [f"rgb/{key}.png", f"lidar/{key}.npy"]
    return [f"{prefix}{class_name}/{name}" for class_name in classes for name in inside]


def opened(path: Path, **changes: int) -> Container:
    return open_container(path, Limits.model_validate(LIMITS | changes))


class Named(NamedTuple):
    """An image and a map, by their names in the zip."""

    id: str
    class_name: str
    rgb: str
    lidar: str


@dataclass(frozen=True)
class NamedLayout:
    """A layout with the names of its members, to be compared."""

    root: str
    pairs: tuple[Named, ...]
    angles: dict[tuple[str, str], str]
    unmatched: dict[str, dict[str, int]]
    bad: tuple[str, ...]
    task: str | None


def layout_of(
    folder: Path, names: Iterable[str], classes: tuple[str, ...] = CLASSES, comment: bytes = b""
) -> NamedLayout:
    """The layout of a zip whose members have these names; their content does not matter.

    A folder with these files has the same, where a disk can hold them.
    """
    names = list(names)
    path = folder / "some.zip"
    with ZipFile(path, "w") as archive:
        archive.comment = comment
        for name in names:
            archive.writestr(name, b"")
    layout = layout_in(path, classes)
    if files := on_disk(folder, names):
        assert layout_in(files, classes) == replace(layout, task=None)
    return layout


def on_disk(folder: Path, names: Sequence[str]) -> Path | None:
    """A folder of files with these names; None: no disk holds such names."""
    above = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    if len(set(names)) < len(names) or any(
        name != str(PurePosixPath(name))
        or name.startswith("/")
        or name in above
        or max(len(part.encode()) for part in name.split("/")) > 255
        for name in names
    ):
        return None
    files = folder / "some"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    return write_folder(files, dict.fromkeys(names, b""))


def layout_in(path: Path, classes: tuple[str, ...]) -> NamedLayout:
    section = params(path, classes=list(classes), positive=classes[0])
    with opened(path) as archive:
        found = ClassFolders(archive, section, sensors())
        name_of = archive.name
        pairs = (Named(p.id, p.class_name, name_of(p.rgb), name_of(p.lidar)) for p in found.pairs)
        angles = {key: name_of(member) for key, member in found.angle_files.items()}
        members = sorted(map(name_of, found.members().tolist()))
        layout = NamedLayout(
            found.root, tuple(pairs), angles, found.unmatched, tuple(found.bad), found.task
        )
    read = [*angles.values(), *(name for pair in layout.pairs for name in pair[2:])]
    assert members == sorted(read)
    assert len(found.pairs) == len(layout.pairs)
    return layout


def refusal(folder: Path, names: Iterable[str], classes: tuple[str, ...] = CLASSES) -> str:
    names = list(names)
    with pytest.raises(ArchiveError) as caught:
        layout_of(folder, names, classes)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'some.zip'}: ")
    assert message.isprintable()
    if files := on_disk(folder, names):
        with pytest.raises(ArchiveError) as caught:
            layout_in(files, classes)
        assert str(caught.value) == message.replace("some.zip", "some").replace(" zip", " folder")
    return message


def keys(layout: NamedLayout) -> list[tuple[str, str]]:
    return [(pair.class_name, pair.id) for pair in layout.pairs]


# --- Where the classes are ---


@pytest.mark.parametrize("root", ["", "my data, 2024/Würfel & Kugeln/", "spheres/cubes/", ".hid/"])
def test_root_is_found_at_any_depth(tmp_path: Path, root: str) -> None:
    layout = layout_of(tmp_path, tree(root, ids=("0007",)))
    assert layout.root == root
    assert layout.pairs == tuple(
        Named("0007", name, f"{root}{name}/rgb/0007.png", f"{root}{name}/lidar/0007.npy")
        for name in CLASSES
    )
    assert layout.angles["spheres", "zenith"] == f"{root}spheres/zenith.npy"


@PROPERTY
@given(parts=st.lists(st.sampled_from(["a", "rgb", "cubes", "lidar", "x.zip", "ü"]), max_size=6))
def test_root_is_found_below_any_folders(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    root = "".join(f"{part}/" for part in parts)
    layout = layout_of(tmp_path_factory.mktemp("zip"), tree(root))
    assert (layout.root, len(layout.pairs)) == (root, 2)


@pytest.mark.parametrize("root", ["./", "./assessment/", "/assessment/", "a//b/"])
def test_names_that_are_not_in_the_shortest_form_are_found_too(tmp_path: Path, root: str) -> None:
    """As some programs write them: bsdtar names the members as they were given to it."""
    layout = layout_of(tmp_path, tree(root))
    assert keys(layout) == [("cubes", "0000"), ("spheres", "0000")]
    # The members must be named as the zip names them, or they cannot be read.
    assert {pair.rgb for pair in layout.pairs} == {f"{root}{n}/rgb/0000.png" for n in CLASSES}
    assert layout.angles["cubes", "azimuth"] == f"{root}cubes/azimuth.npy"


@pytest.mark.parametrize(
    "junk",
    [
        [f"__MACOSX/{name}" for name in tree("assessment/")],
        ["__MACOSX/assessment/cubes/rgb/._0000.png", "__MACOSX/assessment/cubes/._azimuth.npy"],
        ["assessment/cubes/rgb/._0001.png", "assessment/cubes/lidar/._0001.npy"],
        [f"other/{name}/{file}" for name in CLASSES for file in ("._azimuth.npy", ".DS_Store")],
        ["assessment/cubes/rgb/Thumbs.db", "assessment/cubes/rgb/Icon\r", "licence.pdf"],
        ["assessment/cubes/rgb/old/0001.png", "assessment/cubes/lidar/old/0001.npy"],
        ["assessment/pyramids/rgb/0001.png", "assessment/pyramids/lidar/0001.npy"],
        ["other/cubes/rgb/0001.png", "other/cubes/lidar/0001.npy", "other/spheres/notes.txt"],
        ["assessment/cubes/rgb/0001.gif", "assessment/cubes/lidar/0001.txt"],
        ["assessment/cubes/rgb/png", "assessment/cubes/lidar/npy", "assessment/cubes/rgb"],
    ],
    ids=lambda junk: junk[0],
)
def test_files_beside_the_samples_are_passed_over(tmp_path: Path, junk: list[str]) -> None:
    clean = layout_of(tmp_path, tree("assessment/"))
    assert clean.unmatched == {name: {"rgb": 0, "lidar": 0} for name in CLASSES}
    for names in (junk + tree("assessment/"), tree("assessment/") + junk):
        assert layout_of(tmp_path, names) == clean


@pytest.mark.parametrize(
    ("first", "second"), [("one/", "two/"), ("", "copy/"), ("data/", "data/old/")]
)
def test_two_roots_are_refused_and_both_named(tmp_path: Path, first: str, second: str) -> None:
    message = refusal(tmp_path, tree(first) + tree(second))
    assert f"'{first or './'}'" in message
    assert f"'{second}'" in message


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ([], "none of them"),
        (["cubes/", "cubes/rgb/", "spheres/", "spheres/lidar/"], "none of them"),
        (["cubes", "spheres"], "none of them"),
        (tree("assessment/", ("pyramids", "cones")), "none of them"),
        (
            tree("one/", ("cubes",)) + tree("two/", ("spheres",)),
            "['cubes'] in 'one/'; ['spheres'] in 'two/'",
        ),
    ],
    ids=["nothing", "empty folders", "files for folders", "other classes", "two folders"],
)
def test_no_root_is_refused_with_what_there_is(tmp_path: Path, names: list[str], seen: str) -> None:
    message = refusal(tmp_path, names)
    assert "no folder holds all classes ['cubes', 'spheres'] (data.classes)" in message
    assert message.endswith(f"found: {seen}")


# --- Pairs ---


def test_pairs_stand_by_class_as_listed_then_by_id(tmp_path: Path) -> None:
    names = tree("", ("b", "a", "c"), ("10", "9", "0001", "x y", "ü", "2024.01.31", "NA"))
    layout = layout_of(tmp_path, names[::-1], ("c", "a", "b"))
    ids = ("0001", "10", "2024.01.31", "9", "NA", "x y", "ü")
    assert keys(layout) == [(name, key) for name in ("c", "a", "b") for key in ids]


def test_members_without_partner_are_counted_and_no_error(tmp_path: Path) -> None:
    names = tree("", ids=("0000", "0001"))
    names += ["cubes/rgb/0002.png", "cubes/rgb/0003.jpg", "cubes/lidar/0004.npy"]
    names += ["spheres/lidar/0002.npy", "spheres/rgb/0009.png", "spheres/rgb/0009.jpg"]
    layout = layout_of(tmp_path, names)
    assert layout.unmatched == {"cubes": {"rgb": 2, "lidar": 1}, "spheres": {"rgb": 1, "lidar": 1}}
    assert [key for _, key in keys(layout)] == ["0000", "0001"] * 2
    assert layout.bad == ()


@pytest.mark.parametrize("suffix", [".PNG", ".jpg", ".Jpeg"])
def test_suffixes_of_images(tmp_path: Path, suffix: str) -> None:
    names = [name.replace(".png", suffix) for name in tree("")]
    assert layout_of(tmp_path, names).pairs[0].rgb == f"cubes/rgb/0000{suffix}"


@pytest.mark.parametrize(
    ("lacking", "more", "counts"),
    [
        (["spheres/lidar/0000.npy"], [], "1 image(s) in rgb/ (.png, .jpg, .jpeg), 0 map(s)"),
        (["spheres/rgb/0000.png"], [], "0 image(s) in rgb/ (.png, .jpg, .jpeg), 1 map(s)"),
        (["spheres/lidar/0000.npy"], ["spheres/lidar/0001.npy"], "1 map(s) in lidar/ (.npy), no"),
    ],
)
def test_a_class_without_pairs_is_refused(
    tmp_path: Path, lacking: list[str], more: list[str], counts: str
) -> None:
    message = refusal(tmp_path, [name for name in tree("") if name not in lacking] + more)
    assert "'spheres/' has no pair" in message
    assert counts in message


@pytest.mark.parametrize("second", ["cubes/rgb/0001.jpg", "cubes/lidar/0001.NPY"])
def test_two_members_of_one_id_are_no_pair_and_named(tmp_path: Path, second: str) -> None:
    """Which of them belongs to the other modality's would be a guess."""
    layout = layout_of(tmp_path, [*tree("", ids=("0000", "0001")), second])
    assert keys(layout) == [("cubes", "0000"), ("spheres", "0000"), ("spheres", "0001")]
    (line,) = layout.bad
    assert second in line
    assert second.replace(".jpg", ".png").replace(".NPY", ".npy") in line


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        assert "'cubes/rgb/0000.png'" in refusal(tmp_path, [*tree(""), "cubes/rgb/0000.png"])


@pytest.mark.parametrize("key", ["a\r", "a\nb", "\x1b[2J", "a\u2028b", "\x7f"])
def test_an_id_that_cannot_be_printed_is_a_bad_sample(tmp_path: Path, key: str) -> None:
    """A table would lose it: a line end inside a cell is one to many a program."""
    layout = layout_of(tmp_path, tree("", ids=("0000", key)))
    assert {pair.id for pair in layout.pairs} == {"0000"}
    assert all("an id that cannot be printed" in line for line in layout.bad)
    assert repr(f"cubes/rgb/{key}.png")[1:-1] in layout.bad[0]


def test_ids_that_are_too_long_are_named_in_their_order(tmp_path: Path) -> None:
    """No more than a part of each is kept."""
    ids = [f"{'x' * 300}{letter}" for letter in "acebd"]
    layout = layout_of(tmp_path, tree("", ("cubes", "spheres"), ("0000", *ids)))
    assert keys(layout) == [("cubes", "0000"), ("spheres", "0000")]
    assert [line.partition(".png")[0][-1] for line in layout.bad] == list("abcde") * 2
    assert all("an id of 301 bytes" in line for line in layout.bad)


@pytest.mark.parametrize("key", ["x" * 255, "ü" * 127])
def test_an_id_of_the_most_bytes_is_read(tmp_path: Path, key: str) -> None:
    assert keys(layout_of(tmp_path, tree("", ids=(key,)))) == [(name, key) for name in CLASSES]


@pytest.mark.parametrize(
    ("comment", "task"),
    [
        (b"", None),
        (SYNTHETIC_COMMENT, "shape"),
        (SYNTHETIC_COMMENT + b"!", None),
        (comment_of("shape"), "shape"),
        (comment_of("xor"), "xor"),
        (SYNTHETIC_COMMENT + b", task ", None),
        (SYNTHETIC_COMMENT + b", task Xor", None),
    ],
)
def test_the_comment_says_whether_samples_are_synthetic(
    tmp_path: Path, comment: bytes, task: str | None
) -> None:
    assert layout_of(tmp_path, tree(""), comment=comment).task == task


@PROPERTY
@given(order=st.permutations(tree("r/", ("a", "b", "c"), ("0", "1", "2"))))
def test_order_in_the_zip_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    classes = ("b", "a", "c")
    folder = tmp_path_factory.mktemp("zip")
    assert layout_of(folder, order, classes) == layout_of(folder, sorted(order), classes)


def test_an_error_of_the_layout_names_the_section_that_describes_it(tmp_path: Path) -> None:
    whole = tree("")
    for omitted in (whole, ["cubes/zenith.npy"], ["cubes/rgb/0000.png"]):
        with pytest.raises(ArchiveError, match=r"docs/your-data\.md"):
            layout_of(tmp_path, [name for name in whole if name not in omitted])
