"""Colours of the page: each fusion's on white as pictures have it, and one that shows on black."""

import colorsys
from collections.abc import Sequence

from fusebench.prediction.predictions import BASELINES
from fusebench.report.looks import looks

LIGHT, DARK = "#ffffff", "#14171c"
"""Behind charts, as style.css has it."""
# Contrast that the Web Content Accessibility Guidelines 2.1 ask of graphics; and of text.
GRAPHICS, TEXT = 3.0, 4.5
_STEP = 0.02


def luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb", 0 to 1 (WCAG 2.1)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in _parts(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.1)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def on_dark(colour: str) -> str:
    """Return a colour of the same hue that shows on the dark page; black becomes white."""
    red, green, blue = _parts(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation == 0 and lightness < 0.2:
        lightness = 1 - lightness
    shown = colour
    while contrast(shown, DARK) < TEXT and lightness < 1:
        lightness = min(1.0, lightness + _STEP)
        shown = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return shown if saturation else _hex(colorsys.hls_to_rgb(hue, lightness, saturation))


def fusion_colours(fusions: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the colours of fusions and baselines on the light and on the dark page."""
    chosen = looks(fusions)
    return {
        name: (chosen[name].colour, on_dark(chosen[name].colour)) for name in (*fusions, *BASELINES)
    }


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
