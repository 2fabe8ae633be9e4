"""Corruptions that befall training samples."""

import numpy as np
import pytest
import torch

from fusebench.inputs.augmented import CorruptedInputs, augmented_inputs, drawn_conditions
from fusebench.inputs.corruption import Condition
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import Samples

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
CPU = torch.device("cpu")
BOTH = ("rgb", "lidar")


def augmented(
    samples: Samples, names: tuple[str, ...] = BOTH, seed: int = 0, epoch: int = 0, **chance: float
) -> CorruptedInputs:
    return augmented_inputs(samples, samples.table, LIDAR, names, CPU, chance, seed, epoch)


def whole(inputs: CorruptedInputs | Inputs, size: int) -> dict[str, torch.Tensor]:
    batches = list(inputs.batches(torch.arange(len(inputs)), size))
    return {name: torch.cat([maps[name] for maps, _ in batches]) for name in batches[0][0]}


def test_without_a_corruption_that_befalls_them_samples_are_the_clean_ones(
    samples: Samples,
) -> None:
    clean = whole(Inputs.load(samples, samples.table, LIDAR, BOTH, CPU), 16)
    made = whole(augmented(samples), 16)
    assert all(torch.equal(made[name], clean[name]) for name in BOTH)


def test_a_corruption_befalls_as_many_samples_as_its_probability_says() -> None:
    digests = [str(number) for number in range(4000)]
    befell = [
        drawn_conditions(each, {"rgb_off": 0.3, "range_noise": 0.1}, 0, 0) for each in digests
    ]
    counts = {
        name: sum(any(known.corruption == name for known in each) for each in befell)
        for name in ("rgb_off", "range_noise")
    }
    assert abs(counts["rgb_off"] - 1200) < 150
    assert abs(counts["range_noise"] - 400) < 100
    severities = {
        name: [known.severity for each in befell for known in each if known.corruption == name]
        for name in counts
    }
    drawn = [severities["range_noise"].count(number) for number in (1, 2, 3, 4)]
    assert min(drawn) > sum(drawn) / 6, "each is as likely"
    assert set(severities["rgb_off"]) == {4}, "a sensor that is off is off"


def test_each_epoch_and_seed_draws_anew_and_the_same_one_the_same(samples: Samples) -> None:
    maps = whole(augmented(samples, rgb_noise=0.5), 16)["rgb"]
    assert torch.equal(whole(augmented(samples, rgb_noise=0.5), 16)["rgb"], maps)
    for other in ({"epoch": 1}, {"seed": 1}):
        assert not torch.equal(whole(augmented(samples, **other, rgb_noise=0.5), 16)["rgb"], maps)  # type: ignore[arg-type]


def test_the_batch_that_a_sample_is_in_changes_nothing_of_it(samples: Samples) -> None:
    chance = {"rgb_noise": 0.5, "range_noise": 0.5, "rgb_swapped": 0.5, "lidar_swapped": 0.5}
    one, other = (whole(augmented(samples, BOTH, 0, 0, **chance), size) for size in (16, 1))
    assert all(torch.equal(one[name], other[name]) for name in BOTH)


def test_every_fusion_meets_the_same(samples: Samples) -> None:
    both = whole(augmented(samples, range_noise=0.5, lidar_off=0.2), 16)
    alone = whole(augmented(samples, ("lidar",), range_noise=0.5, lidar_off=0.2), 16)
    assert list(alone) == ["lidar"]
    assert torch.equal(alone["lidar"], both["lidar"])


def test_labels_are_those_of_the_samples(samples: Samples) -> None:
    inputs = augmented(samples, rgb_swapped=1.0)
    order = torch.tensor([90, 3, 55])
    _, labels = inputs.batch(order)
    assert labels.tolist() == samples.table["label"].to_numpy()[order.numpy()].tolist()
    assert len(inputs) == len(samples.table)


@pytest.mark.parametrize("first", ["rgb_off", "rgb_noise"])
def test_corruptions_are_applied_in_their_order(first: str, samples: Samples) -> None:
    second = "rgb_noise" if first == "rgb_off" else "rgb_off"
    digests = samples.table["digest"].tolist()
    chance = {first: 1.0, second: 1.0}
    conditions = [drawn_conditions(each, chance, 0, 0) for each in digests]
    assert all([known.corruption for known in each] == [first, second] for each in conditions)
    # A camera that is off shows no noise of before; noise after it is there.
    off = np.array([Condition("rgb_off", 4) in each for each in conditions])
    lit = whole(augmented(samples, BOTH, 0, 0, **chance), 16)["rgb"].flatten(1).any(1).numpy()
    assert off.any()
    assert lit[off].all() == (first == "rgb_off")
