"""What tests tried and what came of it, for docs/reliability.md: a plugin of pytest.

A test counts with the fixture `tally`. `make test-all` writes the sums into the page, so that no
number in it is written by hand.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parent.parent / "docs/reliability.md"
BEGIN, END = "<!-- tally -->", "<!-- /tally -->"

Tally = Callable[[str, int, int], None]
_KEY = "tally"


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Count under a heading how many were tried, and how many of them came out as they should."""

    def count(heading: str, tried: int, held: int) -> None:
        record_property(_KEY, json.dumps([heading, tried, held]))

    return count


class Recorder:
    """Adds up what the tests of a run counted, those of all its processes, and writes it."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.held: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a test counted; one that fails counts, too."""
        if report.when != "call":
            return
        for key, value in report.user_properties:
            if key == _KEY:
                heading, tried, held = json.loads(str(value))
                self.tried[heading] += tried
                self.held[heading] += held

    def pytest_sessionfinish(self) -> None:
        """Write the sums."""
        write(DOCUMENT, table(self.tried, self.held))


def table(tried: Counter[str], held: Counter[str]) -> str:
    """Return the sums as a Markdown table."""
    lines = ["| tried | how many | as promised | not |", "|:--|--:|--:|--:|"]
    for heading in sorted(tried):
        lost = tried[heading] - held[heading]
        lines.append(f"| {heading} | {tried[heading]:,} | {held[heading]:,} | {lost:,} |")
    return "\n".join(lines)


def write(document: Path, text: str) -> None:
    """Put a table between the marks of a page."""
    content = document.read_text("utf-8")
    before, rest = content.split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
