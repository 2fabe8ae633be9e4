"""The picture of interactions: every fusion and cell is in it, and what is not known is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from tests.studies.made_up_interactions import PLAN, Solving, kept, results

from fusebench.report.drawing import save
from fusebench.report.looks import title
from studies.interactions.picture import interactions_picture
from studies.interactions.plan import FUSIONS, Cell
from studies.interactions.tables import Results
from studies.interactions.words import able

XOR = Cell(task="xor")
LONG = replace(XOR, fusions=("early",), epochs=120, seeds=5, probe="xor", tag="early-long")


def _all(cell: Cell) -> Solving:
    return dict.fromkeys(able(cell), cell.seeds)


def _texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def _across(line: Line2D) -> list[float]:
    return [float(place) for place in np.asarray(line.get_xdata())]


def _axes(figure: Figure) -> tuple[Axes, Axes]:
    tiles, single = figure.axes
    return tiles, single


def test_it_holds_thirteen_fusions_and_seven_cells() -> None:
    tiles, single = _axes(interactions_picture(results(_all)))
    assert [label.get_text() for label in tiles.get_yticklabels()] == list(map(title, FUSIONS))
    texts = _texts(tiles)
    assert texts.count("8/8") == 4 * 11
    assert texts.count("5/5") == 13 + 12 + 12
    assert texts.count("0/8") == 4 * 2
    assert texts.count("0/5") == 2
    for cell in PLAN:
        assert any(text.startswith(f"{cell.name}\n") for text in texts)
    assert len(tiles.patches) == 13 * 7
    assert [label.get_text() for label in single.get_yticklabels()] == ["rgb only", "lidar only"]


def test_a_tile_says_count_median_and_interval() -> None:
    found = Results.of([XOR], [kept(XOR, {"early": 6, "add": 3})])
    tiles, _ = _axes(interactions_picture(found))
    texts = _texts(tiles)
    # Heading, then two for each tile: early stands first, add third.
    assert texts[:2] == ["6/8", "8 ep"]
    assert texts[4:6] == ["3/8", "–"]
    assert _across(tiles.lines[0]) == pytest.approx(
        [-0.4 + 0.8 * 0.349, -0.4 + 0.8 * 0.968], abs=1e-3
    )


def test_a_task_that_nobody_solves_is_marked_and_its_probe_too() -> None:
    found = Results.of([XOR, LONG], [kept(XOR, {}), kept(LONG, {"early": 4})])
    tiles, _ = _axes(interactions_picture(found))
    heading = next(text for text in tiles.texts if text.get_text().startswith("xor\n"))
    assert heading.get_text().endswith("unsolved in 30")
    assert heading.get_color() != "#222222"
    assert "0/8†" in _texts(tiles)
    solved, _ = _axes(interactions_picture(Results.of([XOR], [kept(XOR, {"add": 1})])))
    assert not any("unsolved" in text or "†" in text for text in _texts(solved))


def test_a_cell_that_is_not_run_is_empty() -> None:
    tiles, single = _axes(
        interactions_picture(results(lambda cell: _all(cell) if cell.task == "shape" else None))
    )
    assert _texts(tiles).count("not run") == 6 * 13
    assert sum(text.endswith("\nnot run") for text in _texts(tiles)) == 6
    circles = [line for line in single.lines if line.get_marker() == "o"]
    assert [len(_across(line)) for line in circles] == [5, 5]


def test_each_seed_of_a_single_sensor_stands_beside_its_ceiling() -> None:
    shape = Cell(task="colour", seeds=5)
    found = Results.of([shape], [kept(shape, {"rgb_only": 5}, accuracy=100.0)])
    _, single = _axes(interactions_picture(found))
    rgb, lidar = (_across(line) for line in single.lines if line.get_marker() == "o")
    assert rgb == pytest.approx([0.4] * 5)
    # 50, 51, 50, …: chance is at a sixth of the way from 40 to 100.
    assert min(lidar) == pytest.approx(-0.4 + 0.8 / 6)


def test_it_is_the_same_each_time_and_fits_a_page(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save(interactions_picture(results(_all)), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width == 1800
        assert picture.height < picture.width
