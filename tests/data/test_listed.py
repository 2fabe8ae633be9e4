"""Tables of samples as bytes: columns, lines, and what random bytes come to."""

import io
import tracemalloc
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tests.data.archives import EDITS, Edits, damaged

from fusebench.data import listed
from fusebench.data.listed import read_listed
from fusebench.data.unpack import BadMemberError

COLUMNS, OPTIONAL = ("id", "rgb"), ("group",)
PROPERTY = settings(deadline=None, max_examples=300, derandomize=True, database=None)


def parquet_of(table: "pd.DataFrame | pa.Table", **options: Any) -> bytes:
    buffer = io.BytesIO()
    found = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table)
    parquet.write_table(found, buffer, **options)
    return buffer.getvalue()


TABLE = pd.DataFrame(
    {"id": ["1", "02", "ü"] * 20, "x": 0.5, "rgb": ["a.png", "b/c.png", ""] * 20, "group": "g"}
)
CSV = TABLE.to_csv(index=False).encode()
PARQUETS = [
    parquet_of(TABLE, compression=compression, use_dictionary=dictionary, data_page_version=page)
    for compression, dictionary, page in [
        ("none", True, "1.0"), ("snappy", False, "1.0"), ("zstd", True, "2.0"),
    ]
]  # fmt: skip


def test_columns_come_in_the_order_asked_for_and_others_do_not() -> None:
    for content, name in ((CSV, "t.csv"), (PARQUETS[0], "t.parquet")):
        table = read_listed(content, name, COLUMNS, OPTIONAL, gaps=True)
        assert list(table) == ["id", "rgb", "group", "line"]
        assert table["id"].tolist() == TABLE["id"].tolist()
        assert table["rgb"].tolist() == TABLE["rgb"].tolist()
        assert list(read_listed(content, name, COLUMNS, (), gaps=True)) == ["id", "rgb", "line"]


def test_lines_are_those_of_the_csv_and_rows_of_the_parquet() -> None:
    for content, name, first in ((CSV, "t.csv", 2), (PARQUETS[0], "t.Parquet", 1)):
        table = read_listed(content, name, COLUMNS, (), gaps=True)
        assert table["line"].tolist() == list(range(first, first + len(TABLE)))


def test_an_empty_cell_is_refused_unless_gaps_are_allowed() -> None:
    for content, name, line in ((CSV, "t.csv", 4), (PARQUETS[0], "t.parquet", 3)):
        with pytest.raises(BadMemberError, match=f"^line {line}: rgb is empty$"):
            read_listed(content, name, COLUMNS, ())


def test_what_may_be_there_is_named_only_where_something_may() -> None:
    with pytest.raises(BadMemberError, match=r"must have id, rgb, and may have group \(docs"):
        read_listed(b"x,y\n", "t.csv", COLUMNS, OPTIONAL)
    with pytest.raises(
        BadMemberError, match=r"has no column id, rgb, but 'x,y'; must have id, rgb \("
    ):
        read_listed(b"x,y\n", "t.csv", COLUMNS, ())


@pytest.mark.parametrize("most", [59, 60])
def test_more_rows_than_allowed_are_refused(most: int) -> None:
    for content, name in ((CSV, "t.csv"), (PARQUETS[0], "t.parquet")):
        if most == len(TABLE):
            read_listed(content, name, COLUMNS, (), most=most, gaps=True)
            continue
        with pytest.raises(
            BadMemberError, match=r"has more than 59 rows, which data\.limits\.members allows"
        ):
            read_listed(content, name, COLUMNS, (), most=most, gaps=True)


def test_where_no_params_allow_rows_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "_MOST", 59)
    for content, name in ((CSV, "t.csv"), (PARQUETS[0], "t.parquet")):
        with pytest.raises(BadMemberError, match=r"^has more than 59 rows$"):
            read_listed(content, name, COLUMNS, (), gaps=True)


def peak(content: bytes, most: int) -> int:
    """Bytes of Python's and Arrow's memory that reading a Parquet takes at most."""
    pool = pa.default_memory_pool()
    before = int(pool.max_memory())
    tracemalloc.start()
    try:
        read_listed(content, "t.parquet", COLUMNS, (), most=most)
    except BadMemberError:
        pass
    finally:
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found + max(0, int(pool.max_memory()) - before)


def test_a_parquet_that_stands_for_a_billion_rows_takes_no_memory() -> None:
    """Rows that are all alike take a few bytes together."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000_000, pa.int32()), ["x" * 4000])
    content = parquet_of(pa.table({"id": column, "rgb": column}))
    assert len(content) < 5_000_000
    assert peak(content, 1_000_000) < 1 << 20


def test_a_long_text_of_many_rows_is_held_once() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), ["x" * 4000])
    # As other programs write it, without a word of how Arrow held it.
    content = parquet_of(pa.table({"id": column, "rgb": column}), store_schema=False)
    table = read_listed(content, "t.parquet", COLUMNS, ())
    assert table["id"].map(len).eq(4000).all()
    # 400 MB, if each row had its own.
    assert peak(content, 1_000_000) < 40 << 20


@PROPERTY
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(b"id,rgb\n" + b'"' * 50)
@example(b"id,rgb\n" + b"\x00,\x00\n")
def test_random_bytes_are_a_table_or_refused(content: bytes) -> None:
    for head in (b"", b"id,rgb,group\n"):
        try:
            table = read_listed(head + content, "t.csv", COLUMNS, OPTIONAL, gaps=True)
        except BadMemberError as error:
            message = str(error)
            assert message.isprintable()
            assert len(message) < 600
        else:
            assert [type(cell) for cell in table["id"]] == [str] * len(table)


@PROPERTY
@given(edits=EDITS, kept=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.2]), which=st.integers(0, 2))
def test_a_damaged_parquet_is_refused_or_a_table(edits: Edits, kept: float, which: int) -> None:
    try:
        table = read_listed(
            damaged(PARQUETS[which], edits, kept), "t.parquet", COLUMNS, OPTIONAL, gaps=True
        )
    except BadMemberError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 600
    else:
        assert [type(cell) for cell in table["id"]] == [str] * len(table)
