from pathlib import Path

import pytest
from tests.project import ROOT

from benchmarks.documents import DOCUMENTS, filled, read_results, replaced, result_files
from benchmarks.markdown import tables
from fusebench.errors import ArtifactError
from fusebench.files import write_json


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_show_the_committed_results(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    assert "| project, " in text
    assert text == filled(ROOT, document)


def test_limits_are_met_or_not() -> None:
    """A result with other limits: the words that say so change with them."""
    (result, *_) = read_results(result_files(ROOT))
    lines = tables([result]).splitlines()
    (extract,) = (line for line in lines if line.startswith("| extract |"))
    assert extract.endswith("| yes |")
    strict = {**result, "limits": {**result["limits"], "extract seconds": 0.1}}
    changed = set(tables([strict]).splitlines()) - set(lines)
    assert changed == {extract.replace("| 8 s | yes |", "| 0.1 s | no |")}


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = "a <!-- x -->\nold\n<!-- /x --> b <!-- y -->\nkept\n<!-- /y -->"
    assert replaced(text, "x", "new", "D.md") == text.replace("old", "new")
    with pytest.raises(ArtifactError, match=r"D.md: the marks <!-- x --> and <!-- /x -->"):
        replaced("<!-- x -->\n", "x", "new", "D.md")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "study.json", {"arms": {}})
    with pytest.raises(ArtifactError, match=r"study.json: holds no results of bench\.py"):
        read_results([tmp_path / "study.json"])
