"""Colours, markers and dashes: all different, and legible on white."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from tests.project import ROOT

from fusebench.prediction.predictions import BASELINES
from fusebench.report import looks

NAMES = [f"fusion{number}" for number in range(49)]
TEMPLATES = sorted((ROOT / ".dvc/plots").glob("*.json"))
# Linear RGB as it is seen without one kind of cone (Machado, Oliveira & Fernandes, 2009).
SIGHT = {
    "all cones": np.eye(3),
    "no M cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "no L cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # fmt: skip
SHAPES = {
    "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down",
    "P": "cross", "<": "triangle-left", ">": "triangle-right",
}  # fmt: skip


def _linear(colour: str) -> Any:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _contrast(colour: str) -> float:
    """Contrast with white (WCAG 2)."""
    return float(1.05 / (_linear(colour) @ np.array([0.2126, 0.7152, 0.0722]) + 0.05))


def _lab(linear: Any) -> Any:
    share = np.clip(TO_XYZ @ linear / np.array([0.9505, 1, 1.089]), 0, None)
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def test_no_two_fusions_look_alike() -> None:
    chosen = looks.looks(NAMES)
    assert len(set(chosen.values())) == len(NAMES) + len(BASELINES)
    # Where a line has no marker, and where a dot has no dash.
    assert len({(look.colour, look.dash) for look in map(chosen.get, NAMES) if look}) == 49
    assert len({(look.colour, look.marker) for look in map(chosen.get, NAMES) if look}) == 49
    # A fusion keeps its look when another is appended.
    assert looks.looks(NAMES[:3])[NAMES[2]] == chosen[NAMES[2]]


def test_the_first_fourteen_have_colours_of_their_own() -> None:
    chosen = looks.looks(NAMES)
    colours = [chosen[name].colour for name in NAMES[:14]]
    assert len(set(colours)) == 14
    assert chosen[NAMES[7]].colour != chosen[NAMES[0]].colour
    assert chosen[BASELINES[0]].colour not in colours


@pytest.mark.parametrize(("sight", "least"), [("all cones", 19), ("no M cones", 5),
                                              ("no L cones", 12)])  # fmt: skip
def test_colours_are_far_apart_for_all_eyes(sight: str, least: float) -> None:
    seen = [_lab(np.clip(SIGHT[sight] @ _linear(colour), 0, 1)) for colour in looks.PALETTE]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) >= least


@pytest.mark.parametrize("colour", [*looks.PALETTE, looks.GREY, looks.LIGHT_GREY])
def test_lines_are_seen_on_white(colour: str) -> None:
    assert _contrast(colour) >= 3


@pytest.mark.parametrize("colour", [looks.INK, looks.TEXT_GREY])
def test_words_are_read_on_white(colour: str) -> None:
    assert _contrast(colour) >= 4.5


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _nodes(child)


def _ranges(template: Any, channel: str) -> list[list[Any]]:
    """Return the ranges of a channel in which fusions are told apart."""
    found = [node[channel] for node in _nodes(template) if isinstance(node.get(channel), dict)]
    return [
        encoding["scale"]["range"]
        for encoding in found
        if encoding.get("field") in ("fusion", "Model", "seed")
    ]


@pytest.mark.parametrize("name", ["band", "curves", "metrics", "dots", "pareto", "seeds"])
def test_templates_of_dvc_plots_have_the_same_looks(name: str) -> None:
    template = json.loads((ROOT / f".dvc/plots/{name}.json").read_text("utf-8"))
    assert _ranges(template, "color")
    for colours in _ranges(template, "color"):
        assert tuple(colours) == looks.PALETTE
        assert colours[7] != colours[0]
    for shapes in _ranges(template, "shape"):
        assert [SHAPES.get(mark) for mark in looks.MARKERS if mark != "X"] == [
            shape for shape in shapes if not shape.startswith("M")
        ]
        assert len(set(shapes)) == len(looks.MARKERS)
    for dashes in _ranges(template, "strokeDash"):
        expected = [looks.looks(NAMES)[name].dash for name in NAMES]
        assert dashes == [[2 * length for length in dash] or [1, 0] for dash in expected]
    told = [bool(_ranges(template, channel)) for channel in ("shape", "strokeDash")]
    assert any(told)


def test_reliability_has_the_colours_of_the_fusions() -> None:
    template = json.loads((ROOT / ".dvc/plots/reliability.json").read_text("utf-8"))
    (colours,) = _ranges(template, "color")
    assert tuple(colours) == looks.PALETTE


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_words_of_a_template_are_read_on_white(path: Any) -> None:
    template = json.loads(path.read_text("utf-8"))
    for node in _nodes(template):
        mark = node.get("mark")
        if isinstance(mark, dict) and mark.get("type") == "text" and "color" in mark:
            assert _contrast(mark["color"]) >= 4.5


def test_intervals_of_too_few_seeds_have_not_the_colour_of_what_is_shown() -> None:
    template = json.loads((ROOT / ".dvc/plots/intervals.json").read_text("utf-8"))
    scales = [
        node["color"]["scale"] for node in _nodes(template) if isinstance(node.get("color"), dict)
    ]
    assert len(scales) == 2
    for scale in scales:
        colours = dict(zip(scale["domain"], scale["range"], strict=True))
        assert colours == {
            "shown": looks.SHOWN, "not shown": looks.GREY, "not tested": looks.LIGHT_GREY,
            "too few seeds to say": looks.GREY,
        }  # fmt: skip
