"""Files are written whole or not at all, and read with errors that name them."""

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusebench.errors import ArtifactError
from fusebench.files import (
    md5_of,
    parse_table,
    read_json,
    read_npz,
    read_table,
    write_json,
    write_npz,
    write_table,
    write_text,
)

# --- Text and JSON ---


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "some.txt", "47° ü\nend\n")
    assert (tmp_path / "some.txt").read_bytes() == b"47\xc2\xb0 \xc3\xbc\nend\n"


def test_json_comes_back_in_order_and_readable(tmp_path: Path) -> None:
    content = {"z": 1, "a": [1.5, None, True], "ü": {"b": "47°", "a": 0.1}}
    write_json(tmp_path / "some.json", content)
    text = (tmp_path / "some.json").read_text("utf-8")
    assert list(read_json(tmp_path / "some.json")) == ["z", "a", "ü"]
    assert read_json(tmp_path / "some.json") == content
    assert "47°" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), -float("inf"), {1, 2}, b"x"])
def test_values_that_are_no_json_are_refused_and_the_old_file_kept(
    tmp_path: Path, value: Any
) -> None:
    write_json(tmp_path / "some.json", {"value": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "some.json", {"value": [value]})
    assert [path.name for path in tmp_path.iterdir()] == ["some.json"]
    assert (tmp_path / "some.json").read_text("utf-8") == '{\n  "value": 1\n}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; 'dvc repro' makes it"),
        (b"", "not valid JSON"),
        (b'{"half": ', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1, 2]", "must be a JSON object, not list"),
        (b"null", "must be a JSON object, not NoneType"),
    ],
)
def test_a_broken_json_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


# --- Tables ---

KINDS = {"id": str, "count": int, "share": float}
ALL_TEXT = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=8)
AWKWARD = st.sampled_from(["NA", "nan", "null", "None", "", "0001", "1e5", '",', "a\r\nb"])


def test_a_table_is_written_without_index_with_unix_line_ends(tmp_path: Path) -> None:
    columns = {"id": ["0001", "a,b", ""], "count": [1, 2, 3], "share": [0.1, np.nan, 1.0]}
    write_table(tmp_path / "new/some.csv", pd.DataFrame(columns, index=[7, 8, 9]))
    written = (tmp_path / "new/some.csv").read_bytes()
    assert written == b'id,count,share\n0001,1,0.1\n"a,b",2,\n,3,1.0\n'


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_text(tmp_path / "some.csv", "old")
    with pytest.raises(UnicodeEncodeError):
        write_table(tmp_path / "some.csv", pd.DataFrame({"id": ["a", "\ud800"]}, dtype=object))
    assert [path.name for path in tmp_path.iterdir()] == ["some.csv"]
    assert (tmp_path / "some.csv").read_text("utf-8") == "old"


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(ALL_TEXT, AWKWARD),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(),
        ),
        max_size=8,
    )
)
def test_any_table_comes_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, float]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "some.csv"
    table = pd.DataFrame(rows, columns=list(KINDS)).astype({"count": "int64", "share": "float64"})
    write_table(path, table)
    back = read_table(path, KINDS)
    assert [str(dtype) for dtype in back.dtypes] == ["str", "int64", "float64"]
    assert back["id"].tolist() == [text for text, _, _ in rows]
    assert back["count"].tolist() == [count for _, count, _ in rows]
    np.testing.assert_array_equal(back["share"], [share for _, _, share in rows])
    write_table(path.with_name("again.csv"), back)
    assert path.with_name("again.csv").read_bytes() == path.read_bytes()


def test_an_empty_cell_alone_on_its_line_comes_back(tmp_path: Path) -> None:
    write_table(tmp_path / "some.csv", pd.DataFrame({"problem": ["a", "", "b"]}))
    assert read_table(tmp_path / "some.csv", {})["problem"].tolist() == ["a", "", "b"]


def test_columns_that_are_not_asked_for_are_text_in_the_files_order() -> None:
    table = parse_table(Path("some.csv"), "b,count,a\n01,7,NA\n", {"count": int})
    assert table.to_dict("list") == {"b": ["01"], "count": [7], "a": ["NA"]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_windows_line_ends_and_a_header_alone_are_read(end: str) -> None:
    text = f"id,count,share{end}"
    assert parse_table(Path("some.csv"), text, KINDS).empty
    table = parse_table(Path("some.csv"), f"{text}1,2,{end}", KINDS)
    assert table["id"].tolist() == ["1"]
    assert np.isnan(table.loc[0, "share"])


def test_a_long_table_is_read_in_pieces_and_its_lines_are_counted(tmp_path: Path) -> None:
    path, rows = tmp_path / "some.csv", range(10_000)
    lines = [f"{row},{row},{'ab'[row % 2]}" for row in rows]
    path.write_text("\n".join(["id,count,name", *lines, ""]), "utf-8")
    table = read_table(path, {"count": int})
    assert table["id"].tolist() == [str(row) for row in rows]
    assert table["count"].tolist() == list(rows)
    assert table["name"].tolist() == ["a", "b"] * 5000
    for cells, message in (("9000,x,a", "count = 'x': must be int"), ("9000", "has 1 cells")):
        path.write_text("\n".join(["id,count,name", *lines[:9000], cells, ""]), "utf-8")
        with pytest.raises(ArtifactError, match=rf"line 9002:? {message}"):
            read_table(path, {"count": int})


def test_a_table_takes_little_more_memory_than_its_cells(tmp_path: Path) -> None:
    """Of few names, no more than a pointer per row; of ids and digests, an object per cell."""
    path = tmp_path / "some.csv"

    def peak(count: int) -> int:
        lines = [f"{row},{row:032x},some name of a class,train,val" for row in range(count)]
        path.write_text("\n".join(["row,digest,class,a,b", *lines, ""]), "utf-8")
        tracemalloc.start()
        try:
            assert len(read_table(path, {"row": int})) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    # The digest's text has 81 bytes, the row 8, a pointer 8: and while it is read, some twice.
    assert (peak(24_000) - peak(8_000)) / 16_000 < 250


HEAD = b"id,count,share\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; 'dvc repro' makes it"),
        (b"", "is empty"),
        (b"id,share\n1,2\n", "column 'count' is missing"),
        (b"\xef\xbb\xbf" + HEAD, "column 'id' is missing"),
        (b"id,count,share,id\n1,2,3,4\n", "two columns of one name"),
        (HEAD + b"1,2\n", "line 2 has 2 cells, the header has 3"),
        (HEAD + b"1,2,3\n1,2,3,\n", "line 3 has 4 cells, the header has 3"),
        (HEAD + b"\n1,2,3\n", "line 2 has 0 cells, the header has 3"),
        (HEAD + b"1,2,3\n1,x,3\n", "line 3: count = 'x': must be int"),
        (HEAD + b"1,1.0,3\n", "line 2: count = '1.0': must be int"),
        (HEAD + b"1,,3\n", "line 2: count = '': must be int"),
        (HEAD + b"1,True,3\n", "line 2: count = 'True': must be int"),
        (HEAD + b"1,99999999999999999999,3\n", "line 2: count = '99999999999999999999': must"),
        (HEAD + b"1,2,true\n", "line 2: share = 'true': must be float"),
        (HEAD + b"1,2,NA\n", "line 2: share = 'NA': must be float"),
        (HEAD + b"\xff,2,3\n", "broken ('utf-8' codec can't decode byte 0xff"),
        (HEAD + b'"1,2,3\n', "line 2 has 1 cells"),
        (HEAD + b"x" * 200_000 + b",2,3\n", "broken (field larger than field limit"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_broken_table_is_named_with_its_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "some.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_table(path, KINDS)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


# --- Arrays ---


def test_arrays_of_an_npz_file_come_back_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", allow_pickle=False, a=np.arange(3), b=np.ones((2, 2)))
    arrays = read_npz(tmp_path / "some.npz", ("b", "a"))
    assert list(arrays) == ["b", "a"]
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])


ARRAYS = {"a": np.arange(3, dtype=np.float32), "text": np.array(["ä", "bc"])}


def test_the_bytes_of_an_npz_file_are_those_of_any_machine_python_and_zlib(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    write_npz(path, ARRAYS)
    # Of Python 3.11.2, whose zips have other headers where numpy writes them, and of 3.11.7.
    assert md5_of(path.read_bytes()) == "4be9c937b042b6e8fb231dd34586b0b2"
    with zipfile.ZipFile(path) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    arrays = read_npz(path, list(ARRAYS))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(tmp_path / "some.npz", {"a": np.array([{}], dtype=object)})


def test_a_broken_npz_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    with pytest.raises(ArtifactError, match="no such file; 'dvc repro' makes it"):
        read_npz(path, ("a",))
    np.savez(path, a=np.arange(300))
    whole = path.read_bytes()
    with pytest.raises(ArtifactError, match="'b is not a file"):
        read_npz(path, ("b",))
    np.savez(path, allow_pickle=True, a=np.array([{}], dtype=object))
    pickled = path.read_bytes()
    np.save(path.with_suffix(".npy"), np.arange(3))
    for content in (b"", whole[:-1], whole[:50], pickled, path.with_suffix(".npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ArtifactError) as caught:
            read_npz(path, ("a",))
        assert str(caught.value).startswith(f"{path}: broken (")
