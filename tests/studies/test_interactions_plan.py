"""The plan of interactions: what is declared is consistent, allowed, and can show something."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import ROOT

from fusebench import yaml12
from fusebench.config import load, validate
from fusebench.models import registry
from fusebench.params import Params
from fusebench.samples.sensors import Sensors
from fusebench.statistics.estimates import LEVEL
from studies.common.errors import StudyError
from studies.interactions import plan
from studies.interactions.plan import CEILINGS, CELLS, CHANCE, FUSIONS, NOTES, SINGLE, Cell, planned

BY_NAME = {cell.name: cell for cell in CELLS}


def _set(params: dict[str, Any], override: str) -> None:
    """Set a key of params as -S does, which takes no key that is not in the file."""
    key, _, text = override.partition("=")
    *parents, last = key.split(".")
    for parent in parents:
        params = params[parent]
    assert last in params, f"{key} is not in params.yaml"
    params[last] = yaml12.load(text)


def test_cells_have_names_of_their_own_and_the_order_of_tasks() -> None:
    assert list(BY_NAME)[:7] == [
        "shape", "colour", "range", "xor", "nearest", "nearest-camera", "match",
    ]  # fmt: skip
    assert len(BY_NAME) == len(CELLS)
    assert {cell.task for cell in CELLS} == set(CEILINGS)


def test_thirteen_fusions_are_compared_with_five_or_eight_seeds() -> None:
    assert sorted(FUSIONS) == registry.FUSIONS.names()
    for cell in CELLS:
        if not cell.probe:
            assert cell.fusions == FUSIONS
            assert cell.seeds == (8 if cell.is_synergy else 5)


def test_a_probe_is_of_some_fusions_of_a_cell_before_it() -> None:
    for number, cell in enumerate(CELLS):
        if cell.probe:
            of = BY_NAME[cell.probe]
            assert CELLS.index(of) < number
            assert (cell.task, cell.align) == (of.task, of.align)
            assert set(cell.fusions) < set(of.fusions)
            assert cell.tag
            assert not of.probe


def test_a_cell_is_named_by_task_alignment_and_tag() -> None:
    probe = Cell(task="match", align="camera", fusions=("early",), probe="match", tag="early-long")
    assert probe.name == "match-camera-early-long"
    assert Cell(task="match").name == "match"


def test_ceilings_are_of_the_single_sensors_and_tell_which_tasks_need_both() -> None:
    for ceilings in CEILINGS.values():
        assert tuple(ceilings) == SINGLE
        assert set(ceilings.values()) <= {CHANCE, 100.0}
    needing_both = {cell.task for cell in CELLS if cell.is_synergy}
    assert needing_both == {"xor", "nearest", "match"}


def test_notes_are_of_tasks_and_fusions_of_the_plan() -> None:
    for task, fusion in NOTES:
        assert task in CEILINGS
        assert fusion in FUSIONS


def test_contrasts_are_of_what_is_run_and_can_be_shown() -> None:
    contrasts = list(planned())
    for one in contrasts:
        first, second = BY_NAME[one.first_cell], BY_NAME[one.second_cell]
        assert one.first in first.fusions
        assert one.second in second.fusions
        # Paired by seed.
        assert first.seeds == second.seeds
        tests = sum(other.family == one.family for other in contrasts)
        assert 2 * 0.5**first.seeds * tests <= 1 - LEVEL
    assert len({one[1:] for one in contrasts}) == len(contrasts)
    families = {one.family for one in contrasts}
    assert families == {"xor", "nearest", "nearest-camera", "match", "nearest-camera/nearest"}


def test_no_probe_has_contrasts_and_alignment_needs_both_of_its_cells() -> None:
    nearest = BY_NAME["nearest"]
    probe = replace(nearest, probe="nearest", tag="long")
    assert {one.first_cell for one in planned([nearest, probe])} == {"nearest"}
    assert any(one.is_of_alignment for one in planned())
    assert not any(one.is_of_alignment for one in planned([nearest]))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_what_a_cell_sets_is_allowed(cell: Cell, params_text: str) -> None:
    params = yaml12.load(params_text)
    for override in cell.overrides:
        _set(params, override)
    checked = validate(Params, params, "params")
    assert checked.train.seeds == tuple(range(cell.seeds))
    assert checked.train.epochs == cell.epochs
    assert checked.train.lr == cell.lr
    assert checked.lidar.align == cell.align
    assert checked.split.test == cell.test


def test_a_small_rate_is_set_as_a_number() -> None:
    (override,) = [one for one in Cell(task="xor", lr=1e-5).overrides if "train.lr" in one]
    assert yaml12.load(override.partition("=")[2]) == 1e-5


def test_only_the_demonstration_archive_and_small_maps_are_used() -> None:
    sensors = load(ROOT / "data/small.yaml", Sensors)
    assert sensors.camera.image_size == (plan.IMAGE_SIZE, plan.IMAGE_SIZE)
    for cell in CELLS:
        assert "data.archive=data/demo.zip" in cell.overrides
        assert "data.sensors=data/small.yaml" in cell.overrides
        assert f"synthesize.task={cell.task}" in cell.overrides
    assert plan.SOLVED > CHANCE


def test_all_that_decides_a_training_is_set_or_refused(params_text: str) -> None:
    """Sections that decide no result of the study, and fusions' own settings, are left alone."""
    params = yaml12.load(params_text)
    decides = ("data", "synthesize", "split", "lidar", "train")
    keys = {f"{section}.{key}" for section in decides for key in params[section]}
    set_keys = {
        ".".join(one.partition("=")[0].split(".")[:2]) for one in CELLS[0].overrides if "." in one
    }
    # data.manifest is empty for that layout.
    refused = {"train.augment", "data.layout", "data.manifest"}
    assert keys - set_keys - refused == {"data.on_bad_sample", "data.limits", "data.kitti"}


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [
        ("override", {"concat": {"lr": 0.0003}}, "override.concat.lr is set; all fusions are to"),
        ("model", {"stem": "resnet18", "weights": None}, "model.stem = 'resnet18': must be noteb"),
        ("data", {"layout": "kitti"}, "data.layout = 'kitti': must be class_folders for this"),
        (
            "train",
            {"augment": [{"corruption": "rgb_off", "probability": 0.1}]},
            "train.augment names ['rgb_off']: must be [] for this study",
        ),
    ],
)
def test_params_that_no_cell_sets_are_refused(
    section: str,
    value: dict[str, Any],
    said: str,
    params_text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    params = yaml12.load(params_text)
    Path("params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    plan.check_params()
    changed = params[section] | value if section in ("train", "data") else value
    Path("params.yaml").write_text(yaml.safe_dump(params | {section: changed}), "utf-8")
    with pytest.raises(StudyError) as caught:
        plan.check_params()
    assert str(caught.value).startswith(f"params.yaml: {said}")
