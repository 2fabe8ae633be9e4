"""The held-out samples: which they are, and what one of them is worth."""

import pytest
from tests.datasets import table_of

from fusebench.confirm.holdout import Holdout, counts_text
from fusebench.errors import HoldoutError
from fusebench.evaluation.metrics import METRICS
from fusebench.samples.manifest import Manifest


def manifest(*seeds: str, labels: str = "0001") -> Manifest:
    """A letter per sample and seed: h is held out, t is test."""
    table = table_of([f"{row}" for row in range(len(labels))], [int(label) for label in labels])
    words = {"h": "holdout", "t": "test"}
    columns = {f"seed_{n}": [words[letter] for letter in of] for n, of in enumerate(seeds)}
    return Manifest(table.assign(**columns), "data/split.csv")


def test_it_is_the_same_samples_for_all_seeds() -> None:
    holdout = Holdout.of(manifest("thhh", "thhh"), [0, 1])
    assert holdout.rows["row"].tolist() == [1, 2, 3]
    assert holdout.counts == {"cubes": 2, "spheres": 1}
    with pytest.raises(HoldoutError, match=r"data/split\.csv: seeds 0 and 1 hold out other"):
        Holdout.of(manifest("thhh", "hthh"), [0, 1])


def test_a_split_without_a_holdout_is_refused() -> None:
    with pytest.raises(HoldoutError, match=r"data/split\.csv: no sample is held out"):
        Holdout.of(manifest("tttt"), [0])


def test_its_digest_is_of_the_samples_alone() -> None:
    first = Holdout.of(manifest("hhtt"), [0])
    turned = Holdout(first.rows.iloc[::-1])
    other = Holdout.of(manifest("htht"), [0])
    assert first.digest == turned.digest != other.digest


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("balanced_accuracy",
         "one of spheres is worth 0.67 points of balanced accuracy, one of cubes 0.05"),
        ("accuracy", "each is worth 0.09 points of accuracy"),
        ("brier", "each is worth 0.0009 of Brier score"),
        ("nll", "one sample has no largest share of NLL: its loss has no bound"),
    ],
)  # fmt: skip
def test_what_one_sample_is_worth_is_said(metric: str, said: str) -> None:
    """Held out are 1,000 cubes and 75 spheres, as of the demonstration archive."""
    labels = "0" * 1000 + "1" * 75
    holdout = Holdout.of(manifest("h" * 1075, labels=labels), [0])
    assert holdout.worth(METRICS[metric]) == said
    assert counts_text(holdout.counts) == "1,000 cubes, 75 spheres"
