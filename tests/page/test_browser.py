"""The page in a real browser without a network: drawn, switched, dark, and on a narrow screen."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.page.made_up import NAMES
from tests.project import ROOT

from fusebench.page.colours import fusion_colours

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

    from fusebench.page.sources import Sources

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (1280, 390)
# What is drawn of the data, and not of axes.
_MARKS = ".role-mark path, .role-mark line, .role-mark text"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


@dataclass
class Opened:
    """The page as it was opened, and what went wrong since."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def marks(self) -> list[int]:
        """Return how many marks each chart has drawn."""
        marks: list[int] = self._of_charts("one.querySelectorAll(MARKS).length")
        return marks

    def colours(self) -> list[set[str]]:
        """Return the colours of each chart's marks."""
        found = self._of_charts(
            "[...one.querySelectorAll(MARKS)].flatMap(mark => [mark.getAttribute('fill'), "
            "mark.getAttribute('stroke')]).filter(Boolean).map(name => name.toLowerCase())"
        )
        return [set(colours) for colours in found]

    def words(self) -> str:
        """Return the texts of all charts."""
        texts = self._of_charts("[...one.querySelectorAll('text')].map(text => text.textContent)")
        return " ".join(" ".join(of_chart) for of_chart in texts)

    def _of_charts(self, expression: str) -> Any:
        """Return what an expression is for each chart, `one`."""
        program = f"all => all.map(one => {expression})".replace("MARKS", repr(_MARKS))
        return self.page.eval_on_selector_all(".chart:not([hidden])", program)

    def rows(self, fusion: str) -> list[bool]:
        """Return which of a fusion's rows and figures are seen."""
        found = "all => all.map(one => one.checkVisibility())"
        rows: list[bool] = self.page.eval_on_selector_all(f"[data-fusion={fusion}]", found)
        return rows

    def settle(self, theme: str) -> None:
        """Wait until all that was asked for is drawn."""
        self.page.wait_for_selector(f"html[data-drawn={theme}]")
        self.page.evaluate("() => work")

    def behind(self) -> str:
        """Return the colour of the page."""
        return str(self.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, page_file: Path) -> Iterator[Opened]:
    """The page, light, without a network."""
    with _opened(browser, page_file, request.param) as shown:
        yield shown


@contextmanager
def _opened(browser: Browser, page_file: Path, width: int) -> Iterator[Opened]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="light", offline=True
    )
    # The machine may be busy.
    context.set_default_timeout(120_000)
    shown = Opened(context.new_page())

    def only_the_file(route: Route) -> None:
        if route.request.url == page_file.as_uri():
            route.continue_()
        else:
            shown.wrong.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", only_the_file)
    shown.page.on("console", lambda message: shown.wrong.append(message.text))
    shown.page.on("pageerror", lambda error: shown.wrong.append(str(error)))
    shown.page.goto(page_file.as_uri())
    shown.settle("light")
    yield shown
    context.close()
    assert not shown.wrong


def _overflow(page: Page) -> int:
    return int(page.evaluate("() => document.documentElement.scrollWidth - innerWidth"))


def test_all_charts_are_drawn_and_the_page_does_not_scroll_sideways(opened: Opened) -> None:
    marks = opened.marks()
    assert len(marks) == 15
    assert min(marks) > 0
    assert _overflow(opened.page) <= 0


@pytest.mark.parametrize("losses", [(0.1, 0.2, 0.3), (0.0, 0.2, 0.3), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("one_seed", [True, False])
def test_costs_are_drawn_with_one_seed_and_with_a_loss_of_0(
    losses: tuple[float, ...], one_seed: bool, browser: Browser, all_sources: Sources,
    tmp_path: Path,
) -> None:  # fmt: skip
    from fusebench.page.page import page
    from fusebench.page.scripts import read_scripts

    ends = (math.nan, math.nan) if one_seed else ([0.0] * 3, [2 * loss for loss in losses])
    table = all_sources.tables["pareto"].assign(nll=losses, nll_low=ends[0], nll_high=ends[1])
    sources = replace(all_sources, tables={**all_sources.tables, "pareto": table})
    (tmp_path / "report.html").write_text(page(sources, read_scripts(ROOT)), "utf-8")
    with _opened(browser, tmp_path / "report.html", WIDTHS[0]) as shown:
        for name in ("pareto-latency", "pareto-parameters"):
            marks = shown.page.locator(f"#{name} .mark-symbol path")
            assert marks.count() == len(NAMES)
            bars = shown.page.locator(f"#{name} .role-mark.mark-rule line")
            assert bars.count() == (0 if one_seed else len(NAMES))
            for drawn in (*marks.all(), *bars.all()):
                text = str(drawn.evaluate("one => one.outerHTML"))
                assert "NaN" not in text
                assert "Infinity" not in text


def test_a_fusion_that_is_switched_off_goes_from_charts_and_tables(opened: Opened) -> None:
    drawn = opened.marks()
    assert "hadamard" in opened.words()
    before = opened.rows("hadamard")
    switch = opened.page.locator("[data-switch=hadamard]")
    colour = "#d55e00"
    assert sum(colour in colours for colours in opened.colours()) >= 10
    switch.click()
    opened.page.evaluate("() => work")
    assert switch.get_attribute("aria-pressed") == "false"
    assert not [colours for colours in opened.colours() if colour in colours]
    assert "hadamard" not in opened.words()
    assert len(before) >= 8
    assert not any(opened.rows("hadamard"))
    assert any(opened.rows("late"))
    switch.press("Enter")
    opened.page.evaluate("() => work")
    assert opened.marks() == drawn
    assert opened.rows("hadamard") == before


def test_all_fusions_can_be_switched_off_one_after_another(opened: Opened) -> None:
    drawn, lines = opened.marks(), opened.page.locator("main figure > p.absent")
    for name in NAMES:
        opened.page.locator(f"[data-switch={name}]").click()
        opened.page.evaluate("() => work")
    assert not any(any(opened.rows(name)) for name in NAMES)
    assert opened.marks() == []
    assert lines.filter(visible=True).count() == len(drawn)
    assert _overflow(opened.page) <= 0
    opened.page.locator("#theme").click()
    opened.settle("dark")
    for name in NAMES:
        opened.page.locator(f"[data-switch={name}]").click()
    opened.page.evaluate("() => work")
    assert opened.marks() == drawn
    assert lines.filter(visible=True).count() == 0


def test_the_page_and_its_charts_become_dark_and_stay_switched(opened: Opened) -> None:
    assert opened.behind() == "rgb(255, 255, 255)"
    opened.page.locator("[data-switch=late]").click()
    opened.page.locator("#theme").click()
    opened.settle("dark")
    assert opened.behind() == "rgb(20, 23, 28)"
    colours = set().union(*opened.colours())
    assert "#0072b2" not in colours
    _, hadamard, late_matched = (fusion_colours(NAMES)[name][1].lower() for name in NAMES)
    assert {hadamard, late_matched} <= colours
    assert _overflow(opened.page) <= 0
    opened.page.locator("#theme").click()
    opened.settle("light")
    assert opened.behind() == "rgb(255, 255, 255)"


def test_the_system_decides_until_somebody_does(opened: Opened) -> None:
    opened.page.emulate_media(color_scheme="dark")
    opened.settle("dark")
    assert opened.behind() == "rgb(20, 23, 28)"
    opened.page.locator("#theme").click()
    opened.settle("light")
    opened.page.emulate_media(color_scheme="light")
    opened.page.emulate_media(color_scheme="dark")
    assert opened.behind() == "rgb(255, 255, 255)"


def test_marks_tell_their_figures(opened: Opened) -> None:
    opened.page.locator("#training .mark-symbol path").first.hover(force=True)
    told = opened.page.locator("#vg-tooltip-element.visible")
    told.wait_for()
    assert "val loss" in told.inner_text()


def test_the_comparison_is_sorted_by_a_heading(opened: Opened) -> None:
    def models() -> list[str]:
        return opened.page.locator("#comparison tbody th").all_inner_texts()

    names = models()
    heading = opened.page.locator("#comparison thead button", has_text="test balanced accuracy")
    heading.click()
    assert models()[0] == "majority class"
    heading.press("Enter")
    assert models()[-1] == "majority class"
    assert sorted(models()) == sorted(names)
    sorted_by = opened.page.locator("#comparison th[aria-sort]")
    assert sorted_by.count() == 1
    assert sorted_by.get_attribute("aria-sort") == "descending"
    # What was not measured stands last, whichever way it is sorted.
    time = opened.page.locator("#comparison thead button", has_text="s per epoch")
    for _ in range(2):
        time.click()
        assert set(models()[-2:]) == {"majority class", "threshold"}


def test_paper_shows_what_is_folded(opened: Opened) -> None:
    opened.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open])").count() == 0
    opened.page.emulate_media(media="print")
    opened.page.set_viewport_size({"width": 720, "height": 1000})
    assert _overflow(opened.page) <= 0
    assert not opened.page.locator("nav").is_visible()
    assert not opened.page.locator("#theme").is_visible()
