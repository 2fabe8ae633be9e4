"""Colours that can be told from the page behind them, light and dark."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fusebench.page.colours
from fusebench.page.colours import (
    DARK,
    GRAPHICS,
    LIGHT,
    TEXT,
    contrast,
    fusion_colours,
    luminance,
    on_dark,
)
from fusebench.report.looks import PALETTE, looks

STYLE = (Path(fusebench.page.colours.__file__).parent / "style.css").read_text("utf-8")
THEMES = {
    name: dict(re.findall(r"--([a-z-]+): ([^;]+);", block))
    for name, block in zip(
        ("light", "dark", "system"), re.findall(r"color-scheme: [a-z]+;([^}]+)}", STYLE)[:3],
        strict=True,
    )
}  # fmt: skip
COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert luminance("#ffffff") == pytest.approx(1)


@given(COLOURS, COLOURS)
def test_contrast_does_not_depend_on_the_order(one: str, other: str) -> None:
    assert 1 <= contrast(one, other) == contrast(other, one) <= 21.01


@given(COLOURS)
def test_every_colour_shows_on_the_dark_page(colour: str) -> None:
    assert contrast(on_dark(colour), DARK) >= TEXT


def test_what_shows_already_stays() -> None:
    assert on_dark("#c58700") == "#c58700"


def test_colours_of_fusions_differ_on_the_dark_page_too() -> None:
    assert len({on_dark(colour) for colour in PALETTE}) == len(PALETTE)


def test_fusions_have_the_colours_of_the_pictures() -> None:
    names = ("late", "add", "concat")
    chosen = looks(names)
    for name, (light, _) in fusion_colours(names).items():
        assert light == chosen[name].colour
        assert contrast(light, LIGHT) >= GRAPHICS


def test_the_style_sheet_has_the_same_pages_behind() -> None:
    assert THEMES["light"]["paper"] == LIGHT
    assert THEMES["dark"]["paper"] == DARK
    assert THEMES["system"] == THEMES["dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    for ink in ("ink", "muted", "accent"):
        for paper in ("paper", "raised"):
            assert contrast(colours[ink], colours[paper]) >= TEXT, (ink, paper)
    assert contrast(colours["warn"], colours["warn-paper"]) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_figures_can_be_read_on_every_shade(theme: str) -> None:
    colours = THEMES[theme]
    tint = [int(part) for part in colours["tint"].split(",")]
    paper = [int(colours["paper"][place : place + 2], 16) for place in (1, 3, 5)]
    shares = [float(share) for share in re.findall(r"--share: ([0-9.]+)", STYLE)]
    assert len(shares) == 5 + 11
    for share in shares:
        mixed = (
            round(share * one + (1 - share) * other) for one, other in zip(tint, paper, strict=True)
        )
        behind = "#" + "".join(f"{part:02x}" for part in mixed)
        assert contrast(colours["ink"], behind) >= TEXT
