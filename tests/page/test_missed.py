"""The samples that are missed most: counted, in order, as pictures."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.page.made_up import NAMES, SEEDS
from tests.page.reader import read

from fusebench.errors import ArtifactError
from fusebench.page.missed import MOST, Missed, missed, missed_samples
from fusebench.page.sources import Sources
from fusebench.prediction.predictions import FusionPredictions, PartPredictions

CLASSES = ("cubes", "spheres")


def _part(wrong: Sequence[bool]) -> PartPredictions:
    """Make answers to as many samples, alternately of each class."""
    labels = np.arange(len(wrong)) % 2
    answers = np.where(wrong, 1 - labels, labels)
    return PartPredictions(
        np.array([f"{row:03d}" for row in range(len(wrong))]), np.array(CLASSES)[labels],
        np.array([str(row) for row in range(len(wrong))]), labels.astype(np.int64),
        np.eye(2, dtype=np.float32)[answers],
    )  # fmt: skip


def _predictions(
    wrong: Mapping[str, Sequence[Sequence[bool]]],
) -> dict[str, FusionPredictions]:
    """Make predictions; per fusion and seed, which samples are answered wrongly."""
    return {
        name: FusionPredictions({}, {seed: {"test": _part(row)} for seed, row in enumerate(rows)})
        for name, rows in wrong.items()
    }


def test_what_most_seeds_of_most_fusions_miss_comes_first() -> None:
    found = missed_samples(_predictions({
        "a": [[True, True, False, False], [True, False, False, True], [True, False, False, False]],
        "b": [[True, True, False, False], [True, True, False, False], [False, True, False, False]],
    }))  # fmt: skip
    assert [sample.key for sample in found] == [
        ("000", "cubes"), ("001", "spheres"), ("003", "spheres"),
    ]  # fmt: skip
    assert found[0].wrong == {"a": 3, "b": 2}
    assert found[0].seeds == {"a": 3, "b": 3}
    assert [sample.by_most for sample in found] == [True, False, False]


@given(
    st.integers(1, 4).flatmap(
        lambda size: st.lists(
            st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=2, max_size=2),
            min_size=1, max_size=3,
        )
    )
)  # fmt: skip
def test_every_wrong_answer_is_counted_once(wrong: list[list[list[bool]]]) -> None:
    found = missed_samples(_predictions({f"f{number}": rows for number, rows in enumerate(wrong)}))
    counted = sum(sum(sample.wrong.values()) for sample in found)
    assert counted == sum(answer for rows in wrong for row in rows for answer in row)
    assert all(any(sample.wrong.values()) for sample in found)
    assert [sample.order for sample in found] == sorted(sample.order for sample in found)


def test_a_fusion_that_never_had_a_sample_says_nothing_of_it() -> None:
    sample = Missed(("a", "cubes"), {"late": 2, "add": 0}, {"late": 2, "add": 0})
    assert sample.shares == [1.0]
    assert sample.by_most


def test_as_many_as_fit_are_shown_with_who_missed_them(sources: Sources) -> None:
    found = missed_samples(sources.predictions)
    assert len(found) > MOST
    page = read(missed(sources))
    figures = page.all("figure")
    assert len(figures) == MOST
    assert len(page.all("img")) == 2 * MOST
    for figure, sample in zip(figures, found, strict=False):
        name, of_class = sample.key
        assert f"{of_class}id {name}" in figure.text
        for fusion in NAMES:
            words = f"{fusion.replace('_', ' ')}{sample.wrong[fusion]} of {len(SEEDS)}"
            assert words in figure.text
    count = sum(sample.by_most for sample in found)
    assert f"{len(found)} are answered wrongly by at least one seed" in page.all("p")[0].text
    assert f"{count} by more than half of the seeds" in page.all("p")[0].text


def test_pictures_say_what_they_show(sources: Sources) -> None:
    name, of_class = missed_samples(sources.predictions)[0].key
    alts = [image.attributes["alt"] for image in read(missed(sources)).all("img")]
    assert alts[0] == f"Image of sample {name} of class {of_class}"
    assert alts[1] == f"LiDAR ranges of sample {name} of class {of_class}"
    assert len(set(alts)) == len(alts)


def test_says_where_nothing_is_missed(sources: Sources) -> None:
    right = dataclasses.replace(sources, predictions=_predictions({"a": [[False, False]]}))
    page = read(missed(right))
    assert page.elements[0].text.startswith("No test sample is answered wrongly")
    assert not page.all("img")


def test_a_sample_that_is_not_there_is_named(sources: Sources) -> None:
    other = dataclasses.replace(sources, predictions=_predictions({"a": [[True] * 61]}))
    with pytest.raises(ArtifactError, match=re.escape("samples.csv: holds no sample '000'")):
        missed(other)
