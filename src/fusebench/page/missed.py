"""The test samples that most seeds of most fusions answer wrongly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fusebench.errors import REMEDY, ArtifactError
from fusebench.page.chart import note
from fusebench.page.markup import Markup, joined, paragraph, table, tag
from fusebench.page.pictures import Pictures
from fusebench.page.sources import Sources
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.looks import title
from fusebench.samples.samples import Samples

MOST = 12
"""So many samples are shown at most."""
_HALF = 0.5
# Shades of a share, as style.css has them.
_LEVELS = 10
Key = tuple[str, str]
"""Id and class of a sample."""


@dataclass(frozen=True)
class Missed:
    """A test sample, and how often it was answered wrongly.

    Attributes
    ----------
    key : (str, str)
        Its id and class.
    wrong, seeds : mapping of str to int
        By fusion: the seeds that answer it wrongly, and those that had it in test.
    """

    key: Key
    wrong: Mapping[str, int]
    seeds: Mapping[str, int]

    @property
    def shares(self) -> list[float]:
        """The share of seeds that answer it wrongly, per fusion that had it in test."""
        return [self.wrong[name] / count for name, count in self.seeds.items() if count]

    @property
    def order(self) -> tuple[float, float, Key]:
        """Sorts first what most seeds of most fusions get wrong; of equals, by id and class."""
        return -sum(share > _HALF for share in self.shares), -sum(self.shares), self.key

    @property
    def by_most(self) -> bool:
        """Whether more than half of the fusions get it wrong in more than half of their seeds."""
        return sum(share > _HALF for share in self.shares) > _HALF * len(self.shares)


def missed_samples(predictions: Mapping[str, FusionPredictions]) -> list[Missed]:
    """Return the test samples that some seed answers wrongly, the most missed first."""
    wrong: dict[str, Counter[Key]] = {name: Counter() for name in predictions}
    seeds: dict[str, Counter[Key]] = {name: Counter() for name in predictions}
    for name, of in predictions.items():
        for parts in of.seeds.values():
            test = parts["test"]
            keys = list(zip(test.ids.tolist(), test.classes.tolist(), strict=True))
            seeds[name].update(keys)
            mistaken = (test.logits.argmax(axis=1) != test.labels).tolist()
            wrong[name].update(
                key for key, is_wrong in zip(keys, mistaken, strict=True) if is_wrong
            )
    found = [
        Missed(
            key,
            {name: wrong[name][key] for name in predictions},
            {name: seeds[name][key] for name in predictions},
        )
        for key in set().union(*wrong.values())
    ]
    return sorted(found, key=lambda sample: sample.order)


def missed(sources: Sources) -> Markup:
    """Return the most missed samples as pictures of both sensors, with who missed them."""
    found = missed_samples(sources.predictions)
    if not found:
        return paragraph("No test sample is answered wrongly by any seed of any fusion.")
    shown = found[:MOST]
    rows = _rows(sources.samples, [sample.key for sample in shown])
    pictures = Pictures(sources.samples, rows)
    cards = [_card(sample, row, pictures) for sample, row in zip(shown, rows, strict=True)]
    return joined(
        [note(_how(found, len(shown))), pictures.legend, tag("div", *cards, class_="grid missed")]
    )


def _how(found: Sequence[Missed], shown: int) -> str:
    by_most = sum(sample.by_most for sample in found)
    return (
        f"Of the test samples, {len(found):,} are answered wrongly by at least one seed of one "
        f"fusion, {by_most:,} by more than half of the seeds of more than half of the fusions. "
        f"Here the first {shown}, those that most fusions get wrong; how many of how many seeds "
        "stand below."
    )


def _rows(samples: Samples, keys: Sequence[Key]) -> list[int]:
    """Return the positions of samples in the arrays.

    Raises
    ------
    ArtifactError
        Predictions name a sample that is not there.
    """
    wanted = samples.table[samples.table["id"].isin([name for name, _ in keys])]
    places = dict(zip(_keys(wanted), wanted["row"].tolist(), strict=True))
    for key in keys:
        if key not in places:
            raise ArtifactError(
                f"data/samples/samples.csv: holds no sample {key[0]!r} of class {key[1]!r}, which "
                f"predictions name; {REMEDY}"
            )
    return [places[key] for key in keys]


def _keys(rows: pd.DataFrame) -> list[Key]:
    return list(zip(rows["id"].tolist(), rows["class"].tolist(), strict=True))


def _seeds(wrong: int, count: int) -> Markup:
    return tag("span", f"{wrong} of {count}", class_=f"share-{round(_LEVELS * wrong / count)}")


def _card(sample: Missed, row: int, pictures: Pictures) -> Markup:
    name, of_class = sample.key
    described = f"sample {name} of class {of_class}"
    images = tag(
        "div", pictures.image(row, f"Image of {described}"),
        pictures.ranges(row, f"LiDAR ranges of {described}"), class_="pair",
    )  # fmt: skip
    lines = [
        (fusion, [title(fusion), _seeds(sample.wrong[fusion], count)])
        for fusion, count in sample.seeds.items()
        if count
    ]
    head = tag("h3", of_class, tag("small", f"id {name}"))
    wrong = table(["fusion", "wrong"], lines, label=f"Wrong seeds on {described}")
    return tag("figure", images, head, wrong)
