import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.data.archives import CLASSES, params

from fusebench.data.archive import RENDERED_COMMENT, Layout, Pair, open_archive, read_layout
from fusebench.errors import ArchiveError

ANGLE_FILES = ("azimuth.npy", "zenith.npy")


def tree(
    prefix: str, classes: Iterable[str] = CLASSES, ids: Iterable[str] = ("0000",)
) -> list[str]:
    """Names of a whole archive's members."""
    ids = tuple(ids)
    return [
        f"{prefix}{class_name}/{name}"
        for class_name in classes
        for name in (
            *ANGLE_FILES,
            *(f"rgb/{key}.png" for key in ids),
            *(f"lidar/{key}.npy" for key in ids),
        )
    ]


def layout_of(
    folder: Path, names: Iterable[str], classes: tuple[str, ...] = CLASSES, comment: bytes = b""
) -> Layout:
    """The layout of a zip whose members have these names; what they hold does not matter."""
    path = folder / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for name in names:
            archive.writestr(name, b"")
    with open_archive(path) as archive:
        return read_layout(archive, classes)


def refusal(folder: Path, names: Iterable[str], classes: tuple[str, ...] = CLASSES) -> str:
    with pytest.raises(ArchiveError) as caught:
        layout_of(folder, names, classes)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'some.zip'}: ")
    assert "\n" not in message
    return message


# --- Where the classes are ---


@pytest.mark.parametrize(
    "root",
    [
        "",
        "assessment/",
        "a/b/c/d/e/f/g/",
        "my data, 2024/Würfel & Kugeln/",
        "cubes/",
        "spheres/cubes/",
        "rgb/lidar/",
        ".hidden/",
    ],
)
def test_root_is_found_at_any_depth(tmp_path: Path, root: str) -> None:
    layout = layout_of(tmp_path, tree(root, ids=("0007",)))
    assert layout.root == root
    assert layout.pairs == tuple(
        Pair("0007", name, f"{root}{name}/rgb/0007.png", f"{root}{name}/lidar/0007.npy")
        for name in CLASSES
    )
    assert layout.angles["spheres", "zenith"] == f"{root}spheres/zenith.npy"


@pytest.mark.parametrize("root", ["./", "./assessment/", "/assessment/", "a//b/"])
def test_names_that_are_not_in_the_shortest_form_are_found_too(tmp_path: Path, root: str) -> None:
    """As some programs write them: bsdtar names the members as they were given to it."""
    layout = layout_of(tmp_path, tree(root))
    assert [(pair.id, pair.class_name) for pair in layout.pairs] == [
        ("0000", "cubes"),
        ("0000", "spheres"),
    ]
    # The members must be named as the zip names them, or they cannot be read.
    assert {pair.rgb for pair in layout.pairs} == {f"{root}{n}/rgb/0000.png" for n in CLASSES}
    with open_archive(tmp_path / "some.zip") as archive:
        for class_name in CLASSES:
            archive.getinfo(layout.angles[class_name, "azimuth"])


@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(parts=st.lists(st.sampled_from(["a", "rgb", "cubes", "lidar", "x.zip", "ü"]), max_size=6))
def test_root_is_found_below_any_folders(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    root = "".join(f"{part}/" for part in parts)
    layout = layout_of(tmp_path_factory.mktemp("zip"), tree(root))
    assert layout.root == root
    assert len(layout.pairs) == 2


@pytest.mark.parametrize(
    "junk",
    [
        [f"__MACOSX/{name}" for name in tree("assessment/")],
        ["__MACOSX/assessment/cubes/rgb/._0000.png", "__MACOSX/assessment/cubes/._azimuth.npy"],
        ["assessment/cubes/rgb/._0001.png", "assessment/cubes/lidar/._0001.npy"],
        [f"other/{name}/{file}" for name in CLASSES for file in ("._azimuth.npy", ".DS_Store")],
        [".DS_Store", "assessment/cubes/.DS_Store", "assessment/cubes/rgb/.DS_Store"],
        ["assessment/cubes/rgb/Thumbs.db", "assessment/readme.txt", "licence.pdf"],
        ["assessment/cubes/rgb/old/0001.png", "assessment/cubes/lidar/old/0001.npy"],
        ["assessment/pyramids/rgb/0001.png", "assessment/pyramids/lidar/0001.npy"],
        ["other/cubes/rgb/0001.png", "other/cubes/lidar/0001.npy", "other/spheres/notes.txt"],
        ["assessment/cubes/rgb/0001.gif", "assessment/cubes/lidar/0001.txt"],
    ],
    ids=lambda junk: junk[0],
)
def test_what_is_beside_the_samples_is_passed_over(tmp_path: Path, junk: list[str]) -> None:
    clean = layout_of(tmp_path, tree("assessment/"))
    for names in (junk + tree("assessment/"), tree("assessment/") + junk):
        assert layout_of(tmp_path, names) == clean
    assert clean.unmatched == {name: {"rgb": 0, "lidar": 0} for name in CLASSES}


@pytest.mark.parametrize(
    ("first", "second"),
    [("one/", "two/"), ("", "copy/"), ("data/", "data/old/"), ("a/b/c/", "d/")],
)
def test_two_roots_are_refused_and_both_named(tmp_path: Path, first: str, second: str) -> None:
    message = refusal(tmp_path, tree(first) + tree(second))
    assert f"'{first or './'}'" in message
    assert f"'{second}'" in message


def test_no_root_names_the_classes(tmp_path: Path) -> None:
    message = refusal(tmp_path, tree("assessment/", ("pyramids", "cones")))
    assert "'cubes'" in message
    assert "'spheres'" in message
    assert "data.classes" in message


def test_classes_in_different_folders_are_no_root_and_the_places_are_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, tree("one/", ("cubes",)) + tree("two/", ("spheres",)))
    assert "['cubes'] in 'one/'" in message
    assert "['spheres'] in 'two/'" in message


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["readme.txt"],
        ["cubes/", "cubes/rgb/", "cubes/lidar/", "spheres/", "spheres/rgb/", "spheres/lidar/"],
        ["cubes.txt", "spheres.txt"],
        ["cubes", "spheres"],
    ],
    ids=["nothing", "another file", "folders without files", "like names", "files for folders"],
)
def test_an_archive_without_samples_is_refused(tmp_path: Path, names: list[str]) -> None:
    assert "no folder holds all classes ['cubes', 'spheres']" in refusal(tmp_path, names)


def test_one_class_lacking_is_no_root(tmp_path: Path) -> None:
    message = refusal(tmp_path, tree("a/", ("cubes", "cones")), ("cubes", "cones", "spheres"))
    assert "['cones', 'cubes'] in 'a/'" in message


# --- Pairs ---


def test_pairs_stand_by_class_as_listed_then_by_id(tmp_path: Path) -> None:
    names = tree("", ("b", "a", "c"), ("10", "9", "0001", "x y", "ü"))
    layout = layout_of(tmp_path, names[::-1], ("c", "a", "b"))
    assert [(pair.class_name, pair.id) for pair in layout.pairs] == [
        (name, key) for name in ("c", "a", "b") for key in ("0001", "10", "9", "x y", "ü")
    ]


def test_members_without_partner_are_counted_and_no_error(tmp_path: Path) -> None:
    names = tree("", ids=("0000", "0001"))
    names += ["cubes/rgb/0002.png", "cubes/rgb/0003.jpg", "cubes/lidar/0004.npy"]
    names += ["spheres/lidar/0002.npy"]
    layout = layout_of(tmp_path, names)
    assert layout.unmatched == {
        "cubes": {"rgb": 2, "lidar": 1},
        "spheres": {"rgb": 0, "lidar": 1},
    }
    assert [pair.id for pair in layout.pairs] == ["0000", "0001"] * 2
    assert layout.ambiguous == ()


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg", ".JPG", ".Jpeg"])
def test_suffixes_of_images(tmp_path: Path, suffix: str) -> None:
    names = [name.replace(".png", suffix) for name in tree("")]
    assert layout_of(tmp_path, names).pairs[0].rgb == f"cubes/rgb/0000{suffix}"


def test_an_id_may_hold_dots(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, tree("", ids=("2024.01.31", "2024.01.30")))
    assert [pair.id for pair in layout.pairs[:2]] == ["2024.01.30", "2024.01.31"]


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (["spheres/lidar/0000.npy"], "'spheres/' has no pair: 1 image(s)"),
        (["spheres/rgb/0000.png"], "0 image(s) in rgb/ (.png, .jpg, .jpeg), 1 map(s)"),
        (["spheres/rgb/0000.png", "spheres/lidar/0000.npy"], "0 image(s)"),
    ],
)
def test_a_class_without_pairs_is_refused(tmp_path: Path, lacking: list[str], message: str) -> None:
    names = [name for name in tree("") if name not in lacking]
    assert message in refusal(tmp_path, names)
    assert "'spheres/' has no pair" in refusal(tmp_path, names)


def test_a_class_whose_ids_never_meet_is_refused(tmp_path: Path) -> None:
    names = [*tree("", ("cubes",)), "spheres/rgb/0000.png", "spheres/lidar/0001.npy"]
    message = refusal(tmp_path, names)
    assert "1 image(s)" in message
    assert "1 map(s) in lidar/ (.npy), no id in both" in message


def test_two_images_of_one_id_are_no_pair_and_named(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, [*tree("", ids=("0000", "0001")), "cubes/rgb/0001.jpg"])
    assert [(pair.class_name, pair.id) for pair in layout.pairs] == [
        ("cubes", "0000"),
        ("spheres", "0000"),
        ("spheres", "0001"),
    ]
    (line,) = layout.ambiguous
    assert "cubes/rgb/0001.jpg" in line
    assert "cubes/rgb/0001.png" in line


def test_two_maps_of_one_id_are_no_pair_and_named(tmp_path: Path) -> None:
    """Which of them belongs to the image would be a guess."""
    layout = layout_of(tmp_path, [*tree("", ids=("0000", "0001")), "cubes/lidar/0001.NPY"])
    assert ("cubes", "0001") not in [(pair.class_name, pair.id) for pair in layout.pairs]
    (line,) = layout.ambiguous
    assert "cubes/lidar/0001.NPY" in line
    assert "cubes/lidar/0001.npy" in line


def test_two_images_without_a_map_are_unmatched_and_no_bad_sample(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, [*tree(""), "cubes/rgb/0009.png", "cubes/rgb/0009.jpg"])
    assert layout.ambiguous == ()
    assert layout.unmatched["cubes"]["lidar"] == 0
    assert layout.unmatched["cubes"]["rgb"] >= 1


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "'cubes/rgb/0000.png'" in refusal(tmp_path, [*tree(""), "cubes/rgb/0000.png"])


@pytest.mark.parametrize(
    ("comment", "rendered"),
    [(b"", False), (RENDERED_COMMENT, True), (RENDERED_COMMENT + b"!", False), (b"x", False)],
)
def test_rendered_is_what_the_comment_says(tmp_path: Path, comment: bytes, rendered: bool) -> None:
    assert layout_of(tmp_path, tree(""), comment=comment).rendered is rendered


@settings(deadline=None, max_examples=25, derandomize=True, database=None)
@given(order=st.permutations(tree("r/", ("a", "b", "c"), ("0", "1", "2"))))
def test_order_in_the_zip_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    classes = ("b", "a", "c")
    folder = tmp_path_factory.mktemp("zip")
    sorted_first = layout_of(folder, sorted(order), classes)
    assert layout_of(folder, order, classes) == sorted_first


# --- Opening ---


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "not a readable zip archive"),
        (b"PK\x03\x04 and no more", "not a readable zip archive"),
        (b"<html>404</html>" * 100, "not a readable zip archive"),
    ],
)
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "some.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArchiveError, match=message) as caught:
        open_archive(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folder_in_place_of_a_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"is a folder; data\.archive must name a zip"):
        open_archive(tmp_path)


def test_a_zip_cut_off_at_its_end_is_refused(tmp_path: Path) -> None:
    layout_of(tmp_path, tree(""))
    whole = (tmp_path / "some.zip").read_bytes()
    for length in (len(whole) - 1, len(whole) - 30, len(whole) // 2):
        (tmp_path / "some.zip").write_bytes(whole[:length])
        with pytest.raises(ArchiveError, match="not a readable zip archive"):
            open_archive(tmp_path / "some.zip")


# --- Params ---


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["cubes"], "positive": "cubes"},
        {"classes": ["cubes", "cubes"], "positive": "cubes"},
        {"classes": ["a/b", "cubes"], "positive": "cubes"},
        {"classes": ["", "cubes"], "positive": "cubes"},
        {"positive": "cones"},
        {"archive": ""},
        {"image_size": [8, 64]},
        {"image_size": [0, 64]},
        {"image_size": [64]},
        {"image_size": 64},
        {"lidar_size": [0, 64]},
        {"lidar_size": [64, 5000]},
        {"max_range": 0.0},
        {"max_range": float("inf")},
        {"max_range": "far"},
        {"focal_length": -1.0},
        {"quarter_turns": 4},
        {"quarter_turns": 1.0},
        {"on_bad_sample": "ignore"},
    ],
    ids=str,
)
def test_params_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params("some.zip", **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["a", "b", "c"], "positive": "c"},
        {"image_size": [16, 4096], "lidar_size": [1, 4096]},
        {"max_range": "1e2"},
        {"quarter_turns": 0, "on_bad_sample": "skip"},
    ],
    ids=str,
)
def test_params_at_the_ends_of_the_range_are_allowed(changes: dict[str, Any]) -> None:
    params("some.zip", **changes)
