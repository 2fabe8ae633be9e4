"""Kept models under stress: what is chosen, what is kept, and that it is what it says."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sealing import reseal

from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.inputs.corruption import Condition, corrupted, corruption_of
from fusebench.inputs.inputs import Inputs, PartInputs
from fusebench.models.base import build, predict
from fusebench.models.description import Description, load_seed
from fusebench.prediction.predict import predict_fusion
from fusebench.prediction.predictions import read_predictions
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.stress import stress as stage
from fusebench.stress.selection import CLEAN, conditions, selected
from fusebench.stress.stored import StressPredictions, read_stress, write_stress
from fusebench.stress.stress import stress_fusion

NAMES = ("range_noise", "rgb_off")


def run(
    root: Path, samples: Samples, manifest: Manifest, cpu: Device, names: Any = NAMES
) -> StressPredictions:
    folder = root / "stress/add"
    said: list[str] = []
    stress_fusion(root / "models/add", samples, manifest, cpu, names, folder, said.append)
    assert said == [f"add: {corruption_of(name).label}" for name in names]
    return read_stress(folder)


@pytest.fixture(scope="module")
def stressed(
    trained: Path, samples: Samples, manifest: Manifest, cpu: Device,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    root = tmp_path_factory.mktemp("stressed") / "project"
    shutil.copytree(trained, root)
    run(root, samples, manifest, cpu)
    predict_fusion(root / "models/add", samples, manifest, cpu, root / "predictions/add")
    return root


# --- Which samples ---


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, unique=True))
def test_as_many_of_each_class_are_chosen_as_the_smallest_has(drawn: list[tuple[int, int]]) -> None:
    rows = pd.DataFrame(drawn, columns=["id", "label"]).astype({"id": str})
    chosen = selected(rows)
    counts = rows.groupby("label").size()
    assert (chosen.groupby("label").size() == counts.min()).all()
    assert set(chosen["label"]) == set(rows["label"])
    # All of the smallest class.
    smallest = counts.index[counts == counts.min()]
    assert len(chosen[chosen["label"].isin(smallest)]) == counts.min() * len(smallest)
    assert chosen.index.tolist() == sorted(chosen.index), "in the order of the part"


def test_the_choice_does_not_depend_on_the_order_or_on_what_is_gone() -> None:
    ids = [str(number) for number in range(40)]
    rows = pd.DataFrame({"id": ids + ids[:10], "label": [0] * 40 + [1] * 10})
    chosen = selected(rows)
    turned = selected(rows.iloc[::-1])
    assert set(chosen.index) == set(turned.index)
    fewer = selected(rows[~((rows["label"] == 0) & (rows["id"].astype(int) >= 20))])
    kept = set(chosen.loc[chosen["label"] == 0, "id"]) & {str(n) for n in range(20)}
    assert kept <= set(fewer.loc[fewer["label"] == 0, "id"]), "samples that are gone move no others"


def test_conditions_begin_with_none_and_hold_each_severity() -> None:
    assert conditions(["rgb_off"]) == [CLEAN, *(Condition("rgb_off", n) for n in (1, 2, 3, 4))]
    assert conditions([]) == [CLEAN]


# --- What is kept ---


def test_severity_0_is_the_clean_result(stressed: Path) -> None:
    under, kept = (
        read_stress(stressed / "stress/add"),
        read_predictions(stressed / "predictions/add"),
    )
    for seed, part in under.clean.items():
        test = kept.seeds[seed]["test"]
        place = {digest: row for row, digest in enumerate(test.digests)}
        same = test.take([place[digest] for digest in part.digests])
        assert np.array_equal(part.labels, same.labels)
        # Batches are of other samples, which may change the last bits.
        assert np.allclose(part.logits, same.logits, rtol=1e-4, atol=1e-5)


def test_logits_are_those_of_the_corrupted_samples(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    kept = read_stress(stressed / "stress/add")
    description = Description.read(stressed / "models/add")
    rows = selected(manifest.part(0, "test"))
    befell = corrupted(samples, rows, [[Condition("range_noise", 4)]] * len(rows), ())
    inputs = Inputs.load(befell, befell.table, description.lidar, ("rgb", "lidar"), cpu.device)
    model = build(description.spec)
    for seed in description.seeds:
        load_seed(stressed / "models/add", description, seed, model)
        expected = predict(model, inputs, 32).numpy()
        part = kept.under("range_noise")[seed][3]
        assert np.array_equal(part.logits, expected)
        assert part.digests.tolist() == rows["digest"].tolist()


def test_it_repeats_to_the_bit(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    again = shutil.copytree(stressed, tmp_path / "again")
    run(again, samples, manifest, cpu)
    for path in ("stress/add/seed_0.npz", "stress/add/info.json"):
        assert (again / path).read_bytes() == (stressed / path).read_bytes()


def test_another_corruption_changes_nothing_of_those_before(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    more = shutil.copytree(stressed, tmp_path / "more")
    wider = run(more, samples, manifest, cpu, ("missing_returns", *NAMES))
    kept = read_stress(stressed / "stress/add")
    for name in NAMES:
        for seed, parts in kept.under(name).items():
            for one, other in zip(parts, wider.under(name)[seed], strict=True):
                assert np.array_equal(one.logits, other.logits)


def test_none_is_the_clean_answers_alone(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    alone = shutil.copytree(stressed, tmp_path / "alone")
    assert run(alone, samples, manifest, cpu, ()).conditions == [CLEAN]


def test_a_fusion_that_does_not_see_a_sensor_is_not_asked_again(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[str] = []
    whole = stage._inputs

    def inputs(kept: Any, rows: pd.DataFrame, condition: Condition) -> PartInputs:
        asked.append(condition.corruption)
        return whole(kept, rows, condition)

    project = shutil.copytree(stressed, tmp_path / "blind")
    monkeypatch.setattr(stage, "_inputs", inputs)
    monkeypatch.setattr("fusebench.fusions.add.Add.inputs", ("rgb", "lidar"))
    monkeypatch.setattr(
        "fusebench.stress.stress.corruption_of", lambda name: _elsewhere(corruption_of(name))
    )
    kept = run(project, samples, manifest, cpu)
    assert asked == ["clean"]
    for parts in kept.seeds.values():
        assert all(np.array_equal(part.logits, parts[0].logits) for part in parts)


class _elsewhere:  # noqa: N801
    """A corruption of a sensor that no model sees."""

    sensor = "radar"

    def __init__(self, known: Any) -> None:
        self.label, self.unit = known.label, known.unit


def test_without_memory_samples_are_made_batch_by_batch_to_the_same_bits(
    stressed: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    project = shutil.copytree(stressed, tmp_path / "poor")
    names = ("rgb_swapped", "range_noise")
    whole = run(project, samples, manifest, cpu, names)
    pieces = run(project, samples, manifest, replace(cpu, memory_budget=0), names)
    for seed, parts in whole.seeds.items():
        for one, other in zip(parts, pieces.seeds[seed], strict=True):
            assert np.array_equal(one.logits, other.logits)


def _grouped(stressed: Path, folder: Path) -> StressPredictions:
    """Keep the answers as those of samples that belong together in pairs."""
    known = read_stress(stressed / "stress/add")
    groups = np.array([f"pair {row // 2}" for row in range(len(known.clean[0].ids))])
    seeds = {
        seed: [replace(part, grouped=groups) for part in parts]
        for seed, parts in known.seeds.items()
    }
    folder.mkdir()
    info = {key: value for key, value in known.info.items() if key != "digest"}
    write_stress(folder, replace(known, info=info, seeds=seeds))
    return known


def test_groups_are_kept_where_ids_are_none(stressed: Path, tmp_path: Path) -> None:
    known, grouped = _grouped(stressed, tmp_path / "add"), read_stress(tmp_path / "add")
    for seed, parts in grouped.seeds.items():
        for part, before in zip(parts, known.seeds[seed], strict=True):
            assert part.groups[:3].tolist() == ["pair 0", "pair 0", "pair 1"]
            assert before.groups.tolist() == before.ids.tolist() == part.ids.tolist()
            assert np.array_equal(part.logits, before.logits)


# --- What is broken ---


def test_groups_of_other_samples_are_refused(stressed: Path, tmp_path: Path) -> None:
    _grouped(stressed, tmp_path / "add")
    path = tmp_path / "add/seed_1.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, allow_pickle=False, **arrays | {"group": arrays["group"][:-1]})
    reseal(tmp_path / "add")
    with pytest.raises(ArtifactError, match=r"seed_1.npz: shapes of arrays are not as documented"):
        read_stress(tmp_path / "add")


def _cut(folder: Path) -> None:
    (folder / "seed_1.npz").write_bytes((folder / "seed_1.npz").read_bytes()[:-9])


def _gone(folder: Path) -> None:
    (folder / "seed_1.npz").unlink()


def _edited(folder: Path) -> None:
    info = (folder / "info.json").read_text("utf-8")
    (folder / "info.json").write_text(info.replace('"severity": 2', '"severity": 3', 1), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, r"seed_1.npz: is not the file that .*info.json was written for"),
        (_gone, r"seed_1.npz: no such file; 'dvc repro' makes it"),
        (_edited, r"info.json: is not as it was written"),
    ],
)
def test_a_broken_folder_is_refused_in_one_line(
    spoil: Callable[[Path], None], message: str, stressed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(stressed / "stress/add", tmp_path / "add")
    spoil(folder)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_stress(folder)
    assert "\n" not in str(caught.value)


def test_the_folder_of_another_fusion_is_refused(stressed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(stressed / "stress/add", tmp_path / "concat")
    with pytest.raises(ArtifactError, match=r"info.json: of 'add', not of 'concat'"):
        read_stress(folder)
