from pathlib import Path

import pytest
from tests.project import ROOT

from benchmarks.documents import (
    DOCUMENTS,
    PRECISION,
    RESULTS,
    SCALE,
    filled,
    read_results,
    result_files,
)
from benchmarks.marks import replaced
from fusebench.errors import ArtifactError
from fusebench.files import write_json


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_show_the_committed_results(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    assert "| project, " in text
    assert text == filled(ROOT, document)


def test_files_of_each_kind_are_told_apart_by_their_names(tmp_path: Path) -> None:
    folder = tmp_path / RESULTS
    folder.mkdir(parents=True)
    for name in ("b-cpu", "a-cpu", f"{PRECISION}a-cpu", f"{SCALE}a-cpu"):
        write_json(folder / f"{name}.json", {})
    assert [path.stem for path in result_files(tmp_path)] == ["a-cpu", "b-cpu"]


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = "a <!-- x -->\nold\n<!-- /x --> b <!-- y -->\nkept\n<!-- /y -->"
    assert replaced(text, "x", "new", "D.md") == text.replace("old", "new")
    with pytest.raises(ArtifactError, match=r"D.md: the marks <!-- x --> and <!-- /x -->"):
        replaced("<!-- x -->\n", "x", "new", "D.md")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "study.json", {"arms": {}})
    with pytest.raises(ArtifactError, match=r"study.json: holds no results of bench\.py"):
        read_results([tmp_path / "study.json"])
