"""Samples that a table lists: in CSV and in Parquet, in zips and in folders."""

import builtins
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.archives import (
    IDS,
    LIMITS,
    image_array,
    range_array,
)
from tests.data.laid_out import KINDS, SETS, TABLE, Laid, manifest_files

from fusebench.data import listed
from fusebench.data.layouts.manifest import COLUMNS, GROUP
from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.samples.samples import open_samples, read_samples_table

Row = Mapping[str, str]
PARQUET = "lists/samples.parquet"
# The rows of `manifest_files`, as a table has them.
ROWS: list[dict[str, str]] = pd.read_csv(io.BytesIO(manifest_files()[TABLE]), dtype=str).to_dict(
    "records"
)


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    return Laid(tmp_path, SETS["manifest"], "folder")


@pytest.fixture(params=KINDS)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Laid:
    """A zip, and a folder; that they are alike is tested in test_layout.py for each layout."""
    return Laid(tmp_path, SETS["manifest"], request.param)


def as_csv(rows: Sequence[Row], columns: Sequence[str] = (*COLUMNS, GROUP)) -> bytes:
    text: str = pd.DataFrame(rows, columns=list(columns)).to_csv(index=False)
    return text.encode()


def as_parquet(rows: Sequence[Row], columns: Sequence[str] = (*COLUMNS, GROUP)) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(rows, columns=list(columns)).to_parquet(buffer, index=False)
    return buffer.getvalue()


def changed(number: int, **cells: str) -> list[dict[str, str]]:
    """The rows with some cells of one of them changed."""
    return [{**row, **cells} if place == number else row for place, row in enumerate(ROWS)]


def problems(laid: Laid, rows: Sequence[Row]) -> list[str]:
    """The lines of what is bad in a table; left out, the others are read."""
    laid.write({TABLE: as_csv(rows)})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert laid.outputs() == {}
    found = list(caught.value.problems)
    assert all(line.isprintable() for line in found)
    assert laid.extract(on_bad_sample="skip")["bad_samples"] == len(found)
    assert laid.skipped() == found
    kept = len(read_samples_table(laid.root / "out/samples"))
    assert kept == len([row for row in rows if row["class"] in IDS]) - len(found)
    return found


def refusal(laid: Laid, table: bytes, **changes: Any) -> str:
    """The one error of a table that is refused as a whole; nothing is left."""
    laid.write({TABLE: table})
    with pytest.raises(ArchiveError) as caught:
        laid.extract(on_bad_sample="skip", **changes)
    assert laid.outputs() == {}
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{laid.path}: {changes.get('manifest', TABLE)}")
    return message


# --- What comes out ---


def test_samples_are_those_of_the_rows(either: Laid) -> None:
    either.extract()
    samples = open_samples(either.root / "out/samples")
    keys = list(zip(samples.table["class"], samples.table["id"], strict=True))
    assert keys == [(name, key) for name, ids in IDS.items() for key in ids]
    np.testing.assert_array_equal(samples.rgb, [image_array(*key) for key in keys])
    np.testing.assert_array_equal(samples.lidar, [range_array(*key) for key in keys])
    assert samples.table["group"].tolist() == [row["group"] for row in ROWS]


def test_a_csv_and_a_parquet_of_the_same_rows_give_the_same_samples(either: Laid) -> None:
    either.extract()
    before = either.outputs()
    either.write({PARQUET: as_parquet(ROWS)}, omit=[TABLE])
    either.extract(manifest=PARQUET)
    assert either.outputs() == before


def test_no_order_of_rows_and_columns_changes_a_byte(laid: Laid) -> None:
    laid.extract()
    before = laid.outputs()
    for table in (
        as_csv(ROWS[::-1]),
        as_csv(ROWS, ["group", "note", "lidar", "rgb", "class", "id"]),
    ):
        laid.write({TABLE: table})
        laid.extract()
        assert laid.outputs() == before


def test_without_a_group_samples_of_an_id_are_one(laid: Laid) -> None:
    laid.write({TABLE: as_csv(ROWS, COLUMNS)})
    laid.extract()
    table = read_samples_table(laid.root / "out/samples")
    assert table["group"].tolist() == table["id"].tolist()


def test_a_table_at_the_top_names_files_below(either: Laid) -> None:
    top = [
        {**row, "rgb": f"lists/{row['rgb']}", "lidar": row["lidar"].removeprefix("../")}
        for row in ROWS
    ]
    either.extract()
    before = either.outputs()
    files = {
        f"{angle}.npy": manifest_files()[f"lists/{angle}.npy"] for angle in ("azimuth", "zenith")
    }
    either.write(
        {"t.CSV": as_csv(top), **files}, omit=[TABLE, *(f"lists/{name}" for name in files)]
    )
    either.extract(manifest="./t.CSV")
    assert either.outputs() == before


@pytest.mark.parametrize("written", ["./{}", "../lists/{}", ".//{}", "x/../{}"])
def test_paths_need_not_be_in_their_shortest_form(laid: Laid, written: str) -> None:
    laid.extract()
    before = laid.outputs()
    laid.write({TABLE: as_csv(changed(0, rgb=written.format(ROWS[0]["rgb"])))})
    laid.extract()
    assert laid.outputs() == before


def test_ids_that_are_numbers_stay_the_text_that_they_are(laid: Laid) -> None:
    keys = ["007", "7", "7.0", "1e3", "NA", "nan", "true"]
    rows = [{**row, "id": key} for row, key in zip(ROWS, keys, strict=True)]
    laid.write({TABLE: as_csv(rows), PARQUET: as_parquet(rows)})
    for manifest in (TABLE, PARQUET):
        laid.extract(manifest=manifest)
        assert sorted(read_samples_table(laid.root / "out/samples")["id"]) == sorted(keys)


@pytest.mark.parametrize("key", ["a,b", 'say "x"', " lead", "ünï", "日本", "a;b", "'", "=1+1"])
def test_ids_and_groups_of_any_kind_come_through(laid: Laid, key: str) -> None:
    rows = changed(0, id=key, group=key)
    laid.write({TABLE: as_csv(rows), PARQUET: as_parquet(rows)})
    for manifest in (TABLE, PARQUET):
        laid.extract(manifest=manifest)
        table = read_samples_table(laid.root / "out/samples").set_index("id")
        assert table.loc[key, "group"] == key


def test_accents_may_be_written_in_two_ways(either: Laid) -> None:
    """In ids, groups, classes and paths, as a file system or a program has them."""
    names = {"cubes": "würfel", "spheres": "kugeln"}
    rows = [{**row, "class": names[row["class"]]} for row in ROWS]
    rows[0] |= {"id": "e\u0301", "class": "wu\u0308rfel", "group": "e\u0301", "rgb": "u\u0308.png"}
    either.write({TABLE: as_csv(rows), "lists/ü.png": manifest_files()["lists/cubes-0000.PNG"]})
    either.extract(classes=["würfel", "kugeln"], positive="kugeln")
    table = read_samples_table(either.root / "out/samples").set_index("id")
    assert table.loc["é", "class"] == "würfel"
    assert table.loc["é", "group"] == "é"
    assert len(table) == len(rows)


def test_angles_may_be_given_by_the_sensors(laid: Laid) -> None:
    angles = ["lists/azimuth.npy", "lists/zenith.npy"]
    laid.write(omit=angles)
    with pytest.raises(ArchiveError, match=r"no azimuth\.npy with the samples; set lidar\.azimuth"):
        laid.extract()
    laid.extract(azimuth=[10, -10], zenith=[-5, 5])
    samples = open_samples(laid.root / "out/samples")
    np.testing.assert_allclose(np.degrees(samples.azimuth), np.linspace(10, -10, 6), rtol=1e-6)
    np.testing.assert_allclose(np.degrees(samples.zenith), np.linspace(-5, 5, 8), rtol=1e-6)


def test_rows_of_other_classes_are_passed_over_and_counted(laid: Laid) -> None:
    others = [
        {**ROWS[0], "id": f"o{number}", "class": name, "rgb": "nowhere.gif"}
        for number, name in enumerate(["cones", "Cubes", "cubes ", "rings", "cones"])
    ]
    laid.extract()
    before = laid.outputs()
    laid.write({TABLE: as_csv([*others[:2], *ROWS, *others[2:]])})
    summary = laid.extract()
    assert summary["passed_over"] == {
        "of other classes than data.classes (Cubes, cones, cubes , …)": 5
    }
    for file in ("rgb.npy", "lidar.npy", "samples.csv"):
        assert laid.outputs()[f"samples/{file}"] == before[f"samples/{file}"]


def test_samples_of_a_group_may_share_a_file(laid: Laid) -> None:
    """As parts of one image, or several images of one turn of the LiDAR."""
    laid.write({TABLE: as_csv(changed(0, lidar=ROWS[1]["lidar"]))})
    assert ROWS[0]["group"] == ROWS[1]["group"]
    assert laid.extract()["bad_samples"] == 0
    samples = open_samples(laid.root / "out/samples")
    np.testing.assert_array_equal(samples.lidar[0], samples.lidar[1])


# --- Bad samples ---


def test_samples_of_several_groups_that_share_a_file_are_bad(either: Laid) -> None:
    """One might be trained on, and the other tested."""
    lines = problems(either, changed(0, lidar=ROWS[2]["lidar"]))
    assert [line.partition(": ")[0] for line in lines] == [f"{TABLE} line 2", f"{TABLE} line 4"]
    for line in lines:
        assert line.endswith(
            f"lidar '{ROWS[2]['lidar']}' is that of another group, too; samples that share a file "
            "must be of one group"
        )


@pytest.mark.parametrize("written", ["{} ", " {}", "upper"])
def test_groups_that_differ_by_case_or_spaces_alone_are_bad(laid: Laid, written: str) -> None:
    """They are probably one, and would be in two parts."""
    group = ROWS[0][GROUP]
    other = group.swapcase() if written == "upper" else written.format(group)
    assert other != group
    lines = problems(laid, changed(0, group=other))
    of_group = [row for row in ROWS if row[GROUP] == group]
    assert len(lines) == len(of_group) > 1
    assert all("differs from another by case or spaces alone" in line for line in lines)


def test_without_a_group_samples_of_two_ids_that_share_a_file_are_bad(laid: Laid) -> None:
    rows = changed(0, rgb="./" + ROWS[1]["rgb"])
    laid.write({TABLE: as_csv(rows, COLUMNS)})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert [line.partition(":")[0][-1] for line in caught.value.problems] == ["2", "3"]
    # Of one id in two classes they are one group.
    rows = changed(len(ROWS) - 1, id=ROWS[0]["id"], lidar=ROWS[0]["lidar"])
    laid.write({TABLE: as_csv(rows, COLUMNS)})
    assert laid.extract()["bad_samples"] == 0


def test_a_row_that_is_none_anyway_shares_no_file(laid: Laid) -> None:
    (line,) = problems(laid, changed(0, id="", rgb=ROWS[2]["rgb"]))
    assert line == f"{TABLE} line 2: id is empty"


@pytest.mark.parametrize("column", [*COLUMNS, GROUP])
def test_an_empty_cell_is_a_bad_sample(laid: Laid, column: str) -> None:
    rows = changed(1, **{column: ""})
    laid.write({TABLE: as_csv(rows)})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert caught.value.problems == (f"{TABLE} line 3: {column} is empty",)
    assert laid.extract(on_bad_sample="skip")["bad_samples"] == 1
    # In Parquet it may be missing as well.
    missing = pd.DataFrame(rows).replace("", None)
    buffer = io.BytesIO()
    missing.to_parquet(buffer, index=False)
    laid.write({PARQUET: buffer.getvalue()})
    laid.extract(on_bad_sample="skip", manifest=PARQUET)
    assert laid.skipped() == [f"{PARQUET} line 2: {column} is empty"]


@pytest.mark.parametrize(
    ("first", "second"), [("0000", "0000"), ("a", "A"), ("é", "e\u0301"), ("Straße", "STRASSE")]
)
def test_an_id_twice_in_a_class_is_a_bad_sample(laid: Laid, first: str, second: str) -> None:
    rows = changed(0, id=first, group="g")
    rows[3] = {**rows[3], "id": second}
    lines = problems(laid, rows)
    assert [line.partition(":")[0] for line in lines] == [f"{TABLE} line 2", f"{TABLE} line 5"]
    for line, key in zip(lines, (first, second), strict=True):
        assert f"id '{key}' stands in class 'cubes' twice, or differs from another by case" in line


def test_an_id_in_two_classes_is_one_of_each(laid: Laid) -> None:
    laid.extract()
    table = read_samples_table(laid.root / "out/samples")
    assert set(table.loc[table["id"] == "0001", "class"]) == {"cubes", "spheres"}


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("id", "a\nb", r"id 'a\nb' cannot be printed"),
        ("id", "a\x00b", r"id 'a\x00b' cannot be printed"),
        ("id", "\u202eabc", "cannot be printed"),
        ("id", "x" * 256, "id of 256 bytes; at most 255 are allowed"),
        ("group", "a\tb", r"group 'a\tb' cannot be printed"),
        ("group", "ü" * 128, "group of 256 bytes; at most 255 are allowed"),
        ("rgb", "gone.png", "rgb 'gone.png': no such file in"),
        ("rgb", "cubes-0000.png", "rgb 'cubes-0000.png': no such file in"),
        ("rgb", "cubes-0000.gif", "rgb 'cubes-0000.gif': must end in .png, .jpg, .jpeg"),
        ("rgb", "../maps/cubes/0000.npy", "must end in .png, .jpg, .jpeg"),
        ("rgb", "cubes-0000.PNG ", "must end in .png, .jpg, .jpeg"),
        ("rgb", "cubes-0000.PNG\x00", "must end in .png, .jpg, .jpeg"),
        ("rgb", "a\x00.png", r"rgb 'a\x00.png': no such file in"),
        ("rgb", ".", "rgb '.': must end in .png, .jpg, .jpeg"),
        ("lidar", "cubes-0000.PNG", "lidar 'cubes-0000.PNG': must end in .npy"),
        ("lidar", "zenith.npy/../../maps/x.npy", "no such file in"),
        ("lidar", "../../etc/passwd.npy", "must be a path from the table's folder that stays in"),
        ("lidar", "../..", "must be a path from the table's folder that stays in data.archive"),
        ("lidar", "/etc/x.npy", "lidar '/etc/x.npy': must be a path from the table's folder"),
        ("lidar", "//host/x.npy", "must be a path from the table's folder"),
        ("lidar", "maps\\cubes\\0000.npy", "must be written with '/'"),
        ("lidar", "C:\\x.npy", "must be written with '/'"),
        ("lidar", "https://x.org/0000.npy", "no such file in"),
    ],
)  # fmt: skip
def test_a_row_that_names_no_sample_is_bad(
    laid: Laid, column: str, cell: str, message: str
) -> None:
    (line,) = problems(laid, changed(2, **{column: cell}))
    assert line.startswith(f"{TABLE} line ")
    assert message in line
    assert len(line) < 600


def test_an_absolute_path_to_a_file_of_the_folder_is_bad_too(laid: Laid) -> None:
    """On another machine it leads nowhere."""
    there = laid.path / "maps/cubes/0000.npy"
    (line,) = problems(laid, changed(0, lidar=str(there)))
    assert "must be a path from the table's folder" in line


def test_all_that_is_wrong_with_a_row_stands_in_its_line(laid: Laid) -> None:
    (line,) = problems(laid, changed(0, id="a\x07", rgb="gone.png", lidar="x.txt"))
    assert line == (
        rf"{TABLE} line 2: id 'a\x07' cannot be printed; rgb 'gone.png': no such file in "
        f"{laid.path}; lidar 'x.txt': must end in .npy"
    )


def test_a_class_whose_rows_are_all_bad_is_told_with_all_of_them(laid: Laid) -> None:
    rows = [{**row, "rgb": "gone.png"} if row["class"] == "spheres" else row for row in ROWS]
    laid.write({TABLE: as_csv(rows)})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert len(caught.value.problems) == len(IDS["spheres"])
    with pytest.raises(ArchiveError, match="class 'spheres' has no usable sample"):
        laid.extract(on_bad_sample="skip")
    laid.write({TABLE: as_csv([{**row, "rgb": "gone.png"} for row in ROWS])})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    assert len(caught.value.problems) == len(ROWS)


def test_a_line_is_that_of_the_file(laid: Laid) -> None:
    """As an editor shows it: blank lines count, and those within a cell."""
    head, *lines = as_csv(changed(2, rgb="gone.png")).decode().splitlines()
    lines[1] = lines[1].replace("run 0", '"run\n0"')
    laid.write({TABLE: "\n".join([head, "", *lines]).encode()})
    with pytest.raises(BadSamplesError) as caught:
        laid.extract()
    told = [line.partition(":")[0] for line in caught.value.problems]
    assert told == [f"{TABLE} line 5", f"{TABLE} line 6"]


# --- Tables that are refused ---


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "has no column id, class, rgb, lidar, but ''; must have id, class, rgb, lidar, and"),
        (b"\n", "has no column id, class, rgb, lidar"),
        (b"id,class,rgb\n", "has no column lidar, but 'id,class,rgb'; must have"),
        (b"id;class;rgb;lidar\n1;a;b;c\n", "but 'id;class;rgb;lidar'"),
        (b"ID,class,rgb,lidar\n", "has no column id, but 'ID,class,rgb,lidar'"),
        (b"id, class,rgb,lidar\n", "has no column class"),
        (b"id,class,rgb,lidar,id\n", "has column 'id' twice"),
        (b"id,class,rgb,lidar,x\r\x1b,x\r\x1b\n", "line 1"),
        (b"id,class,rgb,lidar\n", "lists no sample of class 'cubes' (data.classes); it has: "),
        (b"id,class,rgb,lidar\n1,cones,b.png,c.npy\n", "lists no sample of class 'cubes' (data.cl"),
        (b"id,class,rgb,lidar\n1,cubes,b.png\n", "line 2: 3 cells; must be 4, as in line 1"),
        (b"id,class,rgb,lidar\n\n1,cubes,b.png,c,d\n", "line 3: 5 cells; must be 4, as in line 1"),
        (b'id,class,rgb,lidar\n"1,cubes,b.png,c\n', "line 2: unexpected end of data"),
        (b'id,class,rgb,lidar\n"1"x,cubes,b.png,c\n', "line 2: ',' expected after '\"'"),
        (b"id,class,rgb,lidar\n1,cubes,b.png,\xff\n", "is no UTF-8"),
        ("id,class,rgb,lidar\n".encode("utf-16"), "is no UTF-8"),
        (b"id,class,rgb,lidar\n" + b"1" * 200_000 + b",a,b,c\n", "line 2: field larger than field"),
        (b"PAR1" + bytes(50) + b"PAR1", "has no column id"),
    ],
    ids=lambda part: repr(part[:30]) if isinstance(part, bytes) else "",
)  # fmt: skip
def test_a_table_that_is_none_is_refused(laid: Laid, table: bytes, message: str) -> None:
    assert message in refusal(laid, table)


@pytest.mark.parametrize("head", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_csv_may_begin_with_a_mark_and_end_its_lines_in_any_way(
    laid: Laid, head: bytes, end: bytes
) -> None:
    """As spreadsheets write it."""
    laid.extract()
    before = laid.outputs()
    laid.write({TABLE: head + as_csv(ROWS).replace(b"\n", end)})
    laid.extract()
    assert laid.outputs() == before


def test_cells_may_stand_in_quotes(laid: Laid) -> None:
    laid.extract()
    before = laid.outputs()
    laid.write({TABLE: pd.DataFrame(ROWS).to_csv(index=False, quoting=1).encode()})
    laid.extract()
    assert laid.outputs() == before


def test_a_table_that_is_not_there_is_refused(either: Laid) -> None:
    either.write(omit=[TABLE])
    with pytest.raises(ArchiveError, match=r"has no lists/samples\.csv \(data\.manifest\) in it"):
        either.extract(on_bad_sample="skip")


def test_a_table_behind_a_link_is_refused(laid: Laid) -> None:
    table = laid.path / TABLE
    table.rename(laid.path / "table")
    table.symlink_to(laid.path / "table")
    with pytest.raises(ArchiveError, match=r"samples\.csv: a symbolic link; put the file"):
        laid.extract(on_bad_sample="skip")


def test_a_table_of_more_rows_than_members_is_refused(either: Laid) -> None:
    most = 2 * len(either.made.files)
    rows = [{**ROWS[0], "id": str(number)} for number in range(most + 1)]
    for name, write in ((TABLE, as_csv), (PARQUET, as_parquet)):
        for count in (most, most + 1):
            either.write({name: write(rows[:count])})
            with pytest.raises(ArchiveError) as caught:
                either.extract(manifest=name, limits=LIMITS | {"members": most})
            told = f"has more than {most} rows, which data.limits.members allows"
            assert (told in str(caught.value)) is (count > most)


def test_a_table_above_the_size_of_a_member_is_refused(either: Laid) -> None:
    message = refusal(either, as_csv(ROWS), limits=LIMITS | {"member_bytes": 100})
    assert "bytes; at most 100 are allowed (data.limits.member_bytes)" in message


# --- Parquet ---


def parquet_of(table: pd.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind", ["str", "object", "category", "string[pyarrow]", "large_string[pyarrow]"]
)
def test_text_of_any_kind_is_read_from_parquet(laid: Laid, kind: str) -> None:
    laid.extract()
    before = laid.outputs()
    laid.write({PARQUET: parquet_of(pd.DataFrame(ROWS).astype(kind))}, omit=[TABLE])
    laid.extract(manifest=PARQUET)
    assert laid.outputs() == before


def test_ids_may_be_whole_numbers_in_parquet(laid: Laid) -> None:
    table = pd.DataFrame(ROWS)
    table["id"] = [7, 10, 2**62, 3, -1, 0, 11]
    for of_table in (table, table.astype({"id": "Int64"}), table.set_index("id")):
        laid.write({PARQUET: parquet_of(of_table)})
        laid.extract(manifest=PARQUET)
        found = read_samples_table(laid.root / "out/samples")["id"]
        assert sorted(found) == sorted(map(str, table["id"]))


def test_a_missing_number_makes_no_other_one_of_its_column_another(laid: Laid) -> None:
    """As a float, 7 would be 7.0."""
    table = pd.DataFrame(ROWS)
    table["id"] = pd.array([7, None, 2**62, 3, -1, 0, 11], "Int64")
    laid.write({PARQUET: parquet_of(table)})
    laid.extract(manifest=PARQUET, on_bad_sample="skip")
    assert laid.skipped() == [f"{PARQUET} line 2: id is empty"]
    assert str(2**62) in set(read_samples_table(laid.root / "out/samples")["id"])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1.0, 2, 3, 4, 5, 6, 7], "double"),
        ([True] * 7, "bool"),
        (pd.date_range("2031-01-01", periods=7), "timestamp"),
        ([b"a", b"b", b"c", b"d", b"e", b"f", b"g"], "binary"),
        ([["a"]] * 7, "list"),
        ([{"a": 1}] * 7, "struct"),
    ],
)
def test_what_is_no_text_by_itself_is_refused(laid: Laid, cells: Any, kind: str) -> None:
    """How it would be written is not for this to decide."""
    table = pd.DataFrame(ROWS).assign(id=cells)
    laid.write({PARQUET: parquet_of(table)})
    with pytest.raises(ArchiveError) as caught:
        laid.extract(manifest=PARQUET)
    message = str(caught.value)
    assert message.startswith(f"{laid.path}: {PARQUET}: column id is of type {kind}")
    assert message.endswith("must be text or whole numbers")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken Parquet"),
        (b"id,class,rgb,lidar\n", "broken Parquet"),
        (b"PAR1" + bytes(50) + b"PAR1", "broken Parquet"),
        (as_parquet(ROWS)[:-20], "broken Parquet"),
        (as_parquet(ROWS)[20:], "broken Parquet"),
        (as_parquet(ROWS, ["id", "class", "rgb"]), "has no column lidar, but 'id,class,rgb'"),
        (as_parquet([]), "lists no sample of class 'cubes'"),
    ],
    ids=["empty", "csv", "zeros", "cut", "beginning", "column", "rows"],
)
def test_a_broken_parquet_is_refused(laid: Laid, content: bytes, message: str) -> None:
    laid.write({PARQUET: content})
    with pytest.raises(ArchiveError) as caught:
        laid.extract(manifest=PARQUET, on_bad_sample="skip")
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{laid.path}: {PARQUET}")
    assert str(caught.value).isprintable()
    assert laid.outputs() == {}


def test_without_pyarrow_one_line_names_it_and_a_csv_is_read(
    laid: Laid, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_ = builtins.__import__

    def without(name: str, names: Mapping[str, Any] | None = None, *others: Any) -> Any:
        # pandas uses it where it is there.
        if name.partition(".")[0] == "pyarrow" and names and names["__name__"] == listed.__name__:
            raise ImportError(name)
        return import_(name, names, *others)

    laid.write({PARQUET: as_parquet(ROWS)})
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ArchiveError) as caught:
        laid.extract(manifest=PARQUET)
    assert str(caught.value) == (
        f"{laid.path}: {PARQUET}: is Parquet, and the package pyarrow is not installed; 'make "
        "setup-extras' brings it (extra parquet of pyproject.toml); or write a CSV"
    )
    laid.extract()


# --- Any rows ---

CELLS = st.one_of(
    st.sampled_from(["", "0000", "a", "A", "cubes", "spheres", "..", "/", "x.png", "\x00", "é"]),
    st.sampled_from(sorted({row[column] for row in ROWS for column in row})),
    st.text(max_size=8),
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(ROWS) - 1), st.sampled_from([*COLUMNS, GROUP]), CELLS), max_size=5
)


@settings(deadline=None, max_examples=25, derandomize=True, database=None)
@given(edits=EDITS)
def test_csv_and_parquet_agree_on_any_rows_in_zip_and_folder(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, str, str]]
) -> None:
    rows = [dict(row) for row in ROWS]
    for number, column, cell in edits:
        # No encoding has half of a character, and a CSV cannot tell these ends of lines apart.
        rows[number][column] = cell.encode("utf-8", "ignore").decode().replace("\r", "")
    seen: list[Mapping[str, str | bytes]] = []
    for kind, manifest in zip(KINDS, (TABLE, PARQUET), strict=True):
        laid = Laid(tmp_path_factory.mktemp("any"), SETS["manifest"], kind)
        laid.write({TABLE: as_csv(rows), PARQUET: as_parquet(rows)})
        try:
            laid.extract(manifest=manifest, on_bad_sample="skip")
        except ArchiveError as error:
            seen.append({"": str(error).replace(str(laid.path), "").replace(manifest, "")})
            continue
        table = read_samples_table(laid.root / "out/samples")
        assert table["id"].map(str.isprintable).all()
        assert (table["group"] != "").all()
        assert not table.duplicated(["class", "id"]).any()
        others = [row for row in rows if row["class"] not in (*IDS, "")]
        assert len(laid.skipped()) + len(table) + len(others) == len(rows)
        # Lines of a table are counted from its head, and of a Parquet there is none.
        seen.append({name: data for name, data in laid.outputs().items() if "skipped" not in name})
    assert seen[0] == seen[1]
