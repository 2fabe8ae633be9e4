"""Where the files of new samples are."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusebench.data.images import IMAGE_SUFFIXES
from fusebench.data.projection import ENDINGS
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError
from fusebench.inference.found import Found, NewSample, content_of, endings_of, find_new

BOTH = endings_of(("rgb", "lidar"), "ranges")
RGB = endings_of(("rgb",), "ranges")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two samples, each an empty image and an empty map."""
    for name in ("rgb/0001.png", "rgb/0002.png", "lidar/0001.npy", "lidar/0002.npy"):
        write(tmp_path / "new" / name)
    return tmp_path / "new"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="")
    return path


def sample(folder: Path, key: str) -> NewSample:
    return NewSample(key, {"rgb": folder / f"rgb/{key}.png", "lidar": folder / f"lidar/{key}.npy"})


def refusal(*paths: Path, sees: tuple[str, ...] = ("rgb", "lidar")) -> str:
    with pytest.raises(ArchiveError) as caught:
        find_new(paths, endings_of(sees, "ranges"))
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_files_end_as_those_that_extract_reads() -> None:
    for kind, endings in ENDINGS.items():
        assert endings_of(("rgb", "lidar"), kind) == {"rgb": IMAGE_SUFFIXES, "lidar": endings}
        assert endings_of(("lidar",), kind) == {"lidar": endings}
    assert [*endings_of(("lidar", "rgb"), "ranges")] == ["rgb", "lidar"], "the image first"


# --- Files ---


def test_two_files_are_a_sample_named_as_the_image(folder: Path) -> None:
    files = {"rgb": folder / "rgb/0001.png", "lidar": folder / "lidar/0002.npy"}
    found = find_new([*files.values()], BOTH)
    assert found == Found(", ".join(map(str, files.values())), [NewSample("0001", files)], [])


def test_a_fusion_of_one_sensor_takes_one_file(folder: Path) -> None:
    for sees, path in (("rgb", folder / "rgb/0001.png"), ("lidar", folder / "lidar/0002.npy")):
        (only,) = find_new([path], endings_of((sees,), "ranges")).samples
        assert only == NewSample(path.stem, {sees: path})


@pytest.mark.parametrize(
    ("names", "sees"),
    [
        (["rgb/0001.png"], ("rgb", "lidar")),
        (["rgb/0001.png", "lidar/0001.npy"], ("rgb",)),
        (["rgb/0001.png", "lidar"], ("rgb", "lidar")),
        ([], ("rgb", "lidar")),
    ],
)
def test_another_number_of_files_is_refused_with_what_there_may_be(
    names: list[str], sees: tuple[str, ...], folder: Path
) -> None:
    paths = [folder / name for name in names]
    files, folders = (
        " and ".join(form.format(sensor) for sensor in sees) for form in ("a file of {}", "{}/")
    )
    assert refusal(*paths, sees=sees) == (
        f"{', '.join(map(str, paths)) or 'no path'}: must be {files}, as the fusion sees; or a "
        f"folder with {folders}; or a table (.csv, .parquet) with columns id, {', '.join(sees)}"
    )


def test_files_in_the_wrong_order_are_refused(folder: Path) -> None:
    image, ranges = folder / "rgb/0001.png", folder / "lidar/0001.npy"
    assert refusal(ranges, image) == (
        f"{ranges}: must end in .png, .jpg, .jpeg, as files of rgb do; "
        f"{image}: must end in .npy, as files of lidar do"
    )


def test_what_is_missing_is_named(folder: Path) -> None:
    path = folder / "rgb/0003.png"
    assert refusal(path, folder / "lidar/0001.npy") == f"{path}: no such file or folder"


def test_a_name_that_can_be_no_id_is_refused(folder: Path) -> None:
    path = write(folder / "a\nb.png")
    assert refusal(path, sees=("rgb",)).endswith("a\\nb.png: an id that cannot be printed")


# --- A folder ---


def test_a_folder_holds_pairs_by_their_names(folder: Path) -> None:
    write(folder / "rgb/.hidden.png")
    write(folder / "lidar/0003.NPY")
    write(folder / "rgb/0003.JPG")
    found = find_new([folder], BOTH)
    third = {"rgb": folder / "rgb/0003.JPG", "lidar": folder / "lidar/0003.NPY"}
    pairs = [sample(folder, "0001"), sample(folder, "0002"), NewSample("0003", third)]
    assert found == Found(str(folder), pairs, [])


def test_what_the_fusion_does_not_see_need_not_be_there(folder: Path) -> None:
    for path in (folder / "lidar").iterdir():
        path.unlink()
    (folder / "lidar").rmdir()
    assert [each.id for each in find_new([folder], RGB).samples] == ["0001", "0002"]
    assert refusal(folder) == (
        f"{folder / 'lidar'}: no such folder; it must hold the files of lidar"
    )


def test_what_is_no_pair_is_listed(folder: Path) -> None:
    for name in ("lidar/0004.npy", "rgb/0003.png", "rgb/0001.jpg", "rgb/notes.txt"):
        write(folder / name)
    (folder / "lidar/more").mkdir()
    found = find_new([folder], BOTH)
    assert [each.id for each in found.samples] == ["0002"]
    twice = f"{folder / 'rgb/0001.jpg'}, {folder / 'rgb/0001.png'}, {folder / 'lidar/0001.npy'}"
    assert found.problems == [
        f"{folder / 'rgb/notes.txt'}: must end in .png, .jpg, .jpeg, as files of rgb do",
        f"{folder / 'lidar/more'}: must end in .npy, as files of lidar do",
        f"{twice}: more than one file of one id",
        f"{folder / 'rgb/0003.png'}: has no partner in lidar/",
        f"{folder / 'lidar/0004.npy'}: has no partner in rgb/",
    ]


def test_accents_written_in_two_ways_are_one_id(tmp_path: Path) -> None:
    image = write(tmp_path / "rgb/caf\u00e9.png")
    ranges = write(tmp_path / "lidar/cafe\u0301.npy")
    (only,) = find_new([tmp_path], BOTH).samples
    assert only == NewSample("caf\u00e9", {"rgb": image, "lidar": ranges})


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    for sensor in ("rgb", "lidar"):
        (tmp_path / sensor).mkdir()
    assert refusal(tmp_path) == f"{tmp_path}: has no file in rgb/ and lidar/"


# --- A table ---

HEAD = "id,rgb,lidar\n"


def test_a_table_names_files_from_its_own_folder(folder: Path) -> None:
    table = write(
        folder / "list.CSV",
        "lidar,class,id,rgb\n"
        f"lidar/0002.npy,cubes,b,rgb/0002.png\n{folder}/lidar/0001.npy,,a,rgb/../rgb/0001.png\n",
    )
    found = find_new([table], BOTH)
    assert [each.id for each in found.samples] == ["b", "a"], "in the table's order"
    for each, key in zip(found.samples, ("0002", "0001"), strict=True):
        for sensor, path in sample(folder, key).files.items():
            assert each.files[sensor].samefile(path)
    assert (found.source, found.problems) == (str(table), [])


def test_a_table_of_parquet_is_read_as_one_of_text(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    columns = {"id": [7, 8], "rgb": ["rgb/0001.png", "rgb/0002.png"]}
    pd.DataFrame(columns).to_parquet(folder / "list.parquet")
    found = find_new([folder / "list.parquet"], RGB)
    assert [(each.id, each.files["rgb"].name) for each in found.samples] == [
        ("7", "0001.png"),
        ("8", "0002.png"),
    ]


def test_a_line_that_names_no_sample_is_listed(folder: Path) -> None:
    table = write(
        folder / "list.csv",
        f"{HEAD}a,rgb/0001.png,lidar/0001.npy\nb,rgb/0001.gif,lidar/0001.bin\n"
        "a,rgb/0002.png,lidar/0002.npy\nc,rgb/0002.png,lidar/0002.npy\n"
        f"{'d' * 256},rgb/0002.png,lidar/0002.npy\n,,lidar/0002.npy\n",
    )
    found = find_new([table], BOTH)
    assert [each.id for each in found.samples] == ["c"]
    assert found.problems == [
        f"{table} line 2: id 'a' stands there more than once",
        f"{table} line 3: rgb 'rgb/0001.gif' must end in .png, .jpg, .jpeg, as files of rgb do; "
        "lidar 'lidar/0001.bin' must end in .npy, as files of lidar do",
        f"{table} line 4: id 'a' stands there more than once",
        f"{table} line 6: an id of more than 255 bytes",
        f"{table} line 7: rgb '' must end in .png, .jpg, .jpeg, as files of rgb do; id is empty",
    ]


def test_two_spellings_of_an_id_are_one(folder: Path) -> None:
    line = ",rgb/0001.png,lidar/0001.npy\n"
    table = write(folder / "list.csv", f"{HEAD}caf\u00e9{line}cafe\u0301{line}")
    assert len(find_new([table], BOTH).problems) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no column id, rgb, lidar"),
        (
            b"id,rgb\n",
            "has no column lidar, but 'id,rgb'; must have id, rgb, lidar (docs/predict.md)",
        ),
        (HEAD.encode(), "lists no sample"),
        (b"id,rgb,lidar\n\xff,a.png,a.npy\n", "is no UTF-8 ("),
        (b"id,rgb,lidar\na,a.png\n", "line 2: 2 cells; must be 3, as in line 1"),
        (b"id,rgb,lidar,id\n", "has column 'id' twice"),
    ],
)
def test_a_broken_table_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes(content)
    assert refusal(table).startswith(f"{table}: {reason}")


# --- What stands beside ---


@pytest.mark.parametrize("name", ["list.csv", ""])
def test_files_of_angles_beside_samples_are_found(name: str, folder: Path) -> None:
    write(folder / "list.csv", f"{HEAD}a,rgb/0001.png,lidar/0001.npy\n")
    assert find_new([folder / name], BOTH).angles == {}
    paths = {angle: write(folder / f"{angle}.npy") for angle in ("azimuth", "zenith")}
    assert find_new([folder / name], BOTH).angles == paths


# --- Content ---


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "no such file"),
        (lambda path: path.mkdir(), "no file"),
        (_pipe, "no file"),
        (_large, "2,147,483,648 bytes; at most 2,147,483,647 are read"),
    ],
)
def test_what_cannot_be_read_is_told(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(BadMemberError, match=f"^{reason}$"):
        content_of(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a\0.png", "no name of a file"), ("a" * 300 + ".png", "File name too long"),
     ("a.png/b.png", "Not a directory")],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_told(name: str, reason: str, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with pytest.raises(BadMemberError, match=reason):
        content_of(tmp_path / name)


def test_a_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "image")
    (tmp_path / "b.png").symlink_to("a.png")
    assert content_of(tmp_path / "b.png") == b"image"


IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12)


@given(rows=st.lists(st.tuples(IDS, IDS, IDS), min_size=1, max_size=5))
def test_each_line_of_any_table_is_a_sample_or_a_problem(
    rows: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.getbasetemp() / "any.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["id", "rgb", "lidar"])
        writer.writerows((key, f"{rgb}.png", f"{lidar}.npy") for key, rgb, lidar in rows)
    found = find_new([table], BOTH)
    assert len(found.samples) + len(found.problems) == len(rows)
    assert all(line.isprintable() for line in found.problems)
    ids = [each.id for each in found.samples]
    assert len(set(ids)) == len(ids)
