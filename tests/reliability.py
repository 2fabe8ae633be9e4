"""What tests tried and what came of it, for docs/reliability.md: a plugin of pytest.

A test counts with the fixture `tally`. `make test-all` writes the sums into the page, so that no
number in it is written by hand; a run of some tests with `--tally` writes their lines alone.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parent.parent / "docs/reliability.md"
BEGIN, END = "<!-- tally -->", "<!-- /tally -->"

Tally = Callable[[str, int, int], None]
_KEY = "tally"
_HEAD = "| tried | how many | as promised | not |"


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Count under a heading how many were tried, and how many of them came out as they should."""

    def count(heading: str, tried: int, held: int) -> None:
        record_property(_KEY, json.dumps([heading, tried, held]))

    return count


@contextmanager
def counting(tally: Tally, heading: str) -> Iterator[Callable[[], None]]:
    """Yield what is to be called for each try; an error is a try that did not hold."""
    tried = [0]

    def count() -> None:
        tried[0] += 1

    try:
        yield count
    except BaseException:
        tally(heading, tried[0], tried[0] - 1)
        raise
    tally(heading, tried[0], tried[0])


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
        """Write the sums; what was not counted in this run stays."""
        before = read(DOCUMENT)
        rows = before | {name: (self.tried[name], self.held[name]) for name in self.tried}
        write(DOCUMENT, table(rows))


def table(rows: Mapping[str, tuple[int, int]]) -> str:
    """Return as a Markdown table how many were tried, and how many of them held, by heading."""
    lines = [_HEAD, "|:--|--:|--:|--:|"]
    for heading, (tried, held) in sorted(rows.items()):
        lines.append(f"| {heading} | {tried:,} | {held:,} | {tried - held:,} |")
    return "\n".join(lines)


def read(document: Path) -> dict[str, tuple[int, int]]:
    """Return the rows of a page's table."""
    rows = {}
    for line in document.read_text("utf-8").split(BEGIN)[1].split(END)[0].splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].isdecimal():
            rows[line.split("|")[1].strip()] = (int(cells[1]), int(cells[2]))
    return rows


def write(document: Path, text: str) -> None:
    """Put a table between the marks of a page."""
    content = document.read_text("utf-8")
    before, rest = content.split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
