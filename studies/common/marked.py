"""Documents that have parts of a study's results in them, between marks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.marks import marked, replaced
from fusebench.files import write_text
from studies.common.repository import Own


@dataclass(frozen=True)
class Page:
    """A document with parts that code writes.

    Attributes
    ----------
    path : Path
    marks : sequence of str
        The names of those parts.
    """

    path: Path
    marks: Sequence[str]

    def filled(self, text: str, parts: Mapping[str, str]) -> str:
        """Return the document's text with its parts made anew; raise ArtifactError without them."""
        for name in self.marks:
            text = replaced(text, name, parts[name], str(self.path))
        return text

    def write(self, parts: Mapping[str, str]) -> None:
        """Make the parts anew; raise ArtifactError where marks are missing."""
        write_text(self.path, self.filled(self.path.read_text("utf-8"), parts))

    def unmarked(self, text: str) -> str:
        """Return the document's text with nothing between the marks."""
        for name in self.marks:
            text = replaced(text, name, "", str(self.path)) if marked(text, name) else text
        return text

    def own(self, folder: Path) -> Own:
        """Return what in a checkout is written by a study that has this page and a folder."""
        return Own(folder, [self.path], self.unmarked)


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a table in Markdown."""
    if not rows:
        return "Nothing was run yet."
    table: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return table
