from pathlib import Path

import pytest
from tests.project import ROOT

from benchmarks.documents import DOCUMENTS, filled, replaced
from fusebench.errors import ArtifactError


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_show_the_committed_results(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    assert "| project, " in text
    assert text == filled(ROOT, document)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = "a <!-- x -->\nold\n<!-- /x --> b <!-- y -->\nkept\n<!-- /y -->"
    assert replaced(text, "x", "new", "D.md") == text.replace("old", "new")


def test_missing_marks_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"D.md: the marks <!-- x --> and <!-- /x -->"):
        replaced("<!-- x -->\n", "x", "new", "D.md")
    assert not list(tmp_path.iterdir())
