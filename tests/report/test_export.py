"""What is copied out of a revision, and the page that says what it shows."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.report.made_up import PAIR, findings_of

from fusebench.config import PARAMS_FILE
from fusebench.errors import ArtifactError, ParamsError
from fusebench.report import robustness_files
from fusebench.report.best import BEST
from fusebench.report.export import (
    FILES,
    NEWER,
    export,
    exported,
    exported_params,
    verdict_head,
    verdict_page,
)
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION
from fusebench.report.pairs import PAIRS
from fusebench.report.probabilities import PROBABILITIES
from fusebench.report.results import Comparison
from fusebench.report.table import TABLE, markdown_table


def test_exported_files_are_those_of_the_comparison_and_the_verdict(
    compared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    export(lambda path: (compared / path).read_bytes(), folder)
    assert {path.name for path in folder.iterdir()} == {
        "verdict.md", "comparison.csv", "sources.json", "pairs.csv", "best.csv",
        "interaction.json", "robustness_summary.csv", "robustness_pairs.csv",
        "probabilities.csv",
        *(path.name for path in (compared / "plots").glob("*.png")),
    }  # fmt: skip
    there = [path for path in NEWER if (compared / path).exists()]
    assert len(there) >= 4
    for path in (*FILES, INTERACTION, *there):
        assert (folder / path.name).read_bytes() == (compared / path).read_bytes()
    page = verdict_page(Findings.read(lambda path: (compared / path).read_bytes()))
    assert (folder / "verdict.md").read_text("utf-8") == page
    assert "Your data look like `shape` (redundant)" in page
    assert verdict_page(exported(folder)) == page


def test_each_file_of_a_newer_version_is_copied_where_there_is_one(
    compared: Path, tmp_path: Path
) -> None:
    def read(path: Path) -> bytes:
        content = compared / path
        return content.read_bytes() if content.exists() else f"made up: {path}".encode()

    export(read, tmp_path / "exported")
    for path in NEWER:
        assert (tmp_path / "exported" / path.name).read_bytes() == read(path)


def test_a_commit_before_there_were_such_files_is_exported_without_them(
    compared: Path, tmp_path: Path
) -> None:
    def earlier(path: Path) -> bytes:
        if path in (INTERACTION, *NEWER):
            raise ArtifactError(f"{path}: not in 'HEAD~9'")
        return (compared / path).read_bytes()

    folder = tmp_path / "exported"
    export(earlier, folder)
    assert not (folder / INTERACTION.name).exists()
    assert not [path for path in NEWER if (folder / path.name).exists()]
    assert "Your data" not in (folder / "verdict.md").read_text("utf-8")
    assert exported(folder).interaction is None
    assert exported(folder).robustness is None
    assert exported(folder).probabilities is None


def test_the_params_of_an_exported_comparison_are_kept(
    compared: Path, tmp_path: Path, params_text: str
) -> None:
    def with_params(content: bytes) -> Callable[[Path], bytes]:
        return lambda path: content if path == PARAMS_FILE else (compared / path).read_bytes()

    told, broken, none = (tmp_path / name for name in ("told", "broken", "none"))
    export(with_params(params_text.encode()), told)
    assert exported_params(told) == yaml.safe_load(params_text)
    export(with_params(b"train: {\n"), broken)
    with pytest.raises(ParamsError, match=rf"^{re.escape(str(broken))}/params\.yaml: ") as caught:
        exported_params(broken)
    assert "\n" not in str(caught.value)
    # As of a version before there were any.
    export(lambda path: (compared / path).read_bytes(), none)
    assert exported_params(none) is None


@pytest.mark.parametrize(
    "path", [TABLE, PAIRS, BEST, PROBABILITIES, robustness_files.SUMMARY, robustness_files.PAIRS]
)
def test_a_table_that_is_no_utf8_is_named_in_one_line(
    path: Path, compared: Path, tmp_path: Path
) -> None:
    def read(name: Path) -> bytes:
        content = (compared / name).read_bytes()
        # A name in Latin-1.
        return content.replace(b"\n", b"\xe9\n", 1) if name == path else content

    for use in (Findings.read, lambda read: export(read, tmp_path / "exported")):
        with pytest.raises(ArtifactError, match=f"^{re.escape(str(path))}: broken \\(") as caught:
            use(read)
        assert str(caught.value).isprintable()
    assert not (tmp_path / "exported").exists()


def test_page_says_what_to_use_then_the_table_then_each_pair(comparison: Comparison) -> None:
    findings = findings_of(comparison, PAIR, PAIR._replace(first="add"))
    head = verdict_head(findings)
    assert head.startswith(f"**{findings.answer}**\n\n{findings.remarks[0]}")
    assert head.endswith(f"\n\n{markdown_table(findings.table, findings.pairs)}")
    page = verdict_page(findings)
    items = "\n".join(f"- {sentence}" for sentence in findings.sentences)
    assert len(findings.sentences) == 2
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
