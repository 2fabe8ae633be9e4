"""The manifest: what a part holds, and whether it belongs to the samples at hand."""

from pathlib import Path

import pandas as pd
import pytest
from tests.datasets import table_of

from fusebench.errors import ArtifactError
from fusebench.files import read_table, write_table
from fusebench.samples.manifest import PARTS, UNUSED, Manifest, read_manifest
from fusebench.samples.samples import SAMPLE_COLUMNS

IDS = ["0001", "NA", 'a "strange", id', "nan", "0002", "1e5"]


@pytest.fixture
def samples() -> pd.DataFrame:
    return table_of(IDS, [1] * 3 + [0] * 3)


@pytest.fixture
def manifest(samples: pd.DataFrame) -> Manifest:
    parts = {
        "seed_3": ["train", "val", "test", "test", "unused", "train"],
        "seed_0": ["val", "train", "test", "test", "train", "train"],
    }
    return Manifest(samples.assign(**parts))


def test_a_part_is_the_rows_of_the_samples_in_their_order(
    manifest: Manifest, samples: pd.DataFrame
) -> None:
    assert manifest.seeds == [3, 0]
    for seed in manifest.seeds:
        rows = {part: manifest.part(seed, part) for part in (*PARTS, UNUSED)}
        assert all(list(table.columns) == list(SAMPLE_COLUMNS) for table in rows.values())
        pd.testing.assert_frame_equal(pd.concat(rows.values()).sort_index(), samples)
    assert manifest.part(0, "train")["id"].tolist() == ["NA", "0002", "1e5"]
    assert manifest.part(0, UNUSED).empty


def test_classes_of_a_part_are_counted_by_label(manifest: Manifest) -> None:
    assert list(manifest.class_counts(0, "train").items()) == [("cubes", 2), ("spheres", 1)]
    assert manifest.class_counts(3, "unused") == {"cubes": 1}


def test_a_seed_that_was_not_drawn_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ArtifactError, match=r"has no seed 1, only \[0, 3\]; 'dvc repro split'"):
        manifest.part(1, "train")


def test_a_manifest_comes_back_from_its_file(manifest: Manifest, tmp_path: Path) -> None:
    write_table(tmp_path / "split.csv", manifest.table)
    back = read_manifest(tmp_path / "split.csv")
    pd.testing.assert_frame_equal(back.table.astype(manifest.table.dtypes), manifest.table)
    assert back.table["id"].tolist() == IDS
    assert back.seeds == [3, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("row,id,group,class,label,seed_0\n0,1,1,cubes,0,train\n", "column 'digest' is missing"),
        ("zero,0000,0000,cubes,0,ab,train", "line 2: row = 'zero': must be int"),
        ("0,0000,0000,cubes,0,ab", "line 2 has 6 cells"),
        ("0,0000,0000,cubes,0,ab,tests", "column 'seed_0' must be seed_<number> and hold one of"),
        ("0,0000,0000,cubes,0,ab,", "'train', 'val', 'test', 'holdout', 'unused'"),
    ],
)
def test_a_missing_or_broken_manifest_is_refused_by_name(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "split.csv"
    head = "row,id,group,class,label,digest,seed_0\n"
    if content is not None:
        path.write_text(content if "\n" in content else f"{head}{content}\n", "utf-8")
    with pytest.raises(ArtifactError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("column", ["seed_zero", "seed_", "seed_-1", "part", "seed_0 "])
def test_a_column_that_is_no_seed_is_refused(
    samples: pd.DataFrame, tmp_path: Path, column: str
) -> None:
    write_table(tmp_path / "split.csv", samples.assign(**{column: "train"}))
    with pytest.raises(ArtifactError, match=f"column '{column}' must be seed_<number>"):
        read_manifest(tmp_path / "split.csv")


# --- Whether it was drawn from these samples ---


def test_the_samples_that_it_was_drawn_from_are_accepted(
    manifest: Manifest, samples: pd.DataFrame, tmp_path: Path
) -> None:
    manifest.check_samples(samples)
    write_table(tmp_path / "samples.csv", samples)
    manifest.check_samples(read_table(tmp_path / "samples.csv", SAMPLE_COLUMNS))


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", "1"), ("group", "1"), ("class", "cubes"), ("label", 0), ("digest", "0" * 32),
     ("row", 7)],
)  # fmt: skip
def test_another_sample_is_named_by_its_row_and_both_values(
    manifest: Manifest, samples: pd.DataFrame, column: str, value: object
) -> None:
    samples.loc[2, column] = value
    samples.loc[4, "digest"] = "another, later"
    with pytest.raises(ArtifactError) as caught:
        manifest.check_samples(samples)
    drawn, _, present = str(caught.value).partition("in samples.csv")
    assert drawn.startswith("split manifest: row 2 is {'row': 2, 'id': 'a \"strange\", id', ")
    assert f"'{column}': {value!r}" in present
    assert f"'{column}': {value!r}" not in drawn
    assert "'dvc repro' draws it anew" in present


@pytest.mark.parametrize("count", [0, 5, 7])
def test_another_number_of_samples_is_told(
    manifest: Manifest, samples: pd.DataFrame, count: int
) -> None:
    others = pd.concat([samples, samples], ignore_index=True).head(count)
    with pytest.raises(ArtifactError, match=rf"has 6 samples, samples\.csv has {count}"):
        manifest.check_samples(others)
