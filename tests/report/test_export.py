"""What is copied out of a revision, and the page that says what it shows."""

from pathlib import Path

import pandas as pd
import pytest
from tests.report.made_up import PAIR, pairs_table

from fusebench.errors import ArtifactError
from fusebench.report.export import FILES, export, verdict_head, verdict_page
from fusebench.report.pairs import PAIRS, parse_pairs
from fusebench.report.results import Comparison
from fusebench.report.table import (
    TABLE,
    comparison_table,
    markdown_table,
    parse_comparison_table,
)
from fusebench.report.verdict import verdict


def test_exported_files_are_those_of_the_comparison_and_the_verdict(
    compared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    export(lambda path: (compared / path).read_bytes(), folder)
    assert {path.name for path in folder.iterdir()} == {
        "verdict.md", "comparison.csv", "sources.json", "pairs.csv",
        *(path.name for path in (compared / "plots").glob("*.png")),
    }  # fmt: skip
    for path in FILES:
        assert (folder / path.name).read_bytes() == (compared / path).read_bytes()
    table = parse_comparison_table((compared / TABLE).read_text("utf-8"))
    pairs = parse_pairs((compared / PAIRS).read_text("utf-8"))
    assert (folder / "verdict.md").read_text("utf-8") == verdict_page(table, pairs)


def test_page_says_what_to_use_then_the_table_then_each_pair(comparison: Comparison) -> None:
    table: pd.DataFrame = comparison_table(comparison)
    pairs = pairs_table(PAIR, PAIR._replace(first="add"))
    head = verdict_head(table, pairs)
    first, *sentences = verdict(pairs)
    assert head.startswith(f"**{first}**")
    assert head.endswith(f"\n\n{markdown_table(table, pairs)}")
    page = verdict_page(table, pairs)
    items = "\n".join(f"- {sentence}" for sentence in sentences)
    assert len(sentences) == 2
    assert page == f"# Verdict\n\n{head}\n\n{items}\n"


def test_nothing_is_written_of_a_comparison_that_lacks_a_file(
    compared: Path, tmp_path: Path
) -> None:
    def lacking(path: Path) -> bytes:
        if path == PAIRS:
            raise ArtifactError(f"{path}: not in 'HEAD'")
        return (compared / path).read_bytes()

    with pytest.raises(ArtifactError, match=r"pairs\.csv"):
        export(lacking, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
