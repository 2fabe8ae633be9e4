"""What extract saw: pairs, what is wrong or twice, and how much each sensor carries."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusebench.data.demonstration import SHAPE
from fusebench.data.layout import Layout, Sample
from fusebench.data.pairs import PairedMembers
from fusebench.data.settings import DataParams

MOST_EMPTY = 10.0
"""Samples of which a sensor carries nothing, in %, above which there is a warning."""


@dataclass
class Report:
    """What extract saw, as it goes: of each good sample no more than 20 bytes."""

    pairs: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    # Positions of the good samples among the pairs, and the digests of their content.
    good: "array[int]" = field(default_factory=lambda: array("i"))
    digests: bytearray = field(default_factory=bytearray)
    # Pixels, lit ones and constant images; cells, returns and maps without one.
    content: Counter[str] = field(default_factory=Counter)

    def add(
        self, number: int, pair: PairedMembers, digest: str, sample: Sample, max_range: float
    ) -> None:
        """Count a good sample; `number` is its pair's position in the layout."""
        self.pairs[pair.class_name] += 1
        self.good.append(number)
        self.digests += bytes.fromhex(digest)
        rgb, ranges = sample
        lit, returns = rgb.any(axis=2), ranges < np.float32(max_range)
        self.content.update(
            pixels=lit.size, lit=int(lit.sum()), constant=int((rgb == rgb[0, 0]).all()),
            cells=returns.size, returns=int(returns.sum()), without=int(not returns.any()),
        )  # fmt: skip

    def summary(self, layout: Layout, classes: Sequence[str]) -> dict[str, Any]:
        """Return what metrics/data.json holds; shares are in %."""
        content, good = self.content, np.asarray(self.good)
        labels, ids = layout.pairs.labels[good], layout.pairs.ids[good]
        groups = layout.pairs.groups
        contents, of_content = np.unique(np.frombuffer(self.digests, "S16"), return_inverse=True)
        # A class has an id once, and a content perhaps several times.
        of_id = np.unique(ids, return_counts=True)[1]
        content_and_class = np.unique(of_content * len(classes) + labels)
        classes_of_content = np.bincount(content_and_class // len(classes))
        return {
            "synthetic": layout.synthetic,
            "task": layout.task,
            "pairs": {name: self.pairs[name] for name in classes},
            # Where the data name some: how many there are of what is drawn as one.
            "groups": None if groups is None else len(np.unique(groups[good])),
            "unmatched": layout.unmatched,
            "shared_ids": int((of_id > 1).sum()),
            "content_duplicates": {
                "samples": len(self.good) - len(contents),
                "across_classes": int((classes_of_content > 1).sum()),
            },
            "bad_samples": len(self.problems),
            "passed_over": layout.passed_over,
            "rgb": {
                "pixels_not_black": 100 * content["lit"] / content["pixels"],
                "images_of_one_colour": content["constant"],
            },
            "lidar": {
                "cells_with_return": 100 * content["returns"] / content["cells"],
                "maps_without_return": content["without"],
            },
        }


def report_lines(params: DataParams, summary: Mapping[str, Any]) -> list[str]:
    """Return what the screen shows of an extracted archive."""
    pairs, duplicates = summary["pairs"], summary["content_duplicates"]
    rgb, lidar, count = summary["rgb"], summary["lidar"], sum(pairs.values())
    origin = "synthetic" if summary["synthetic"] else "recorded"
    if summary["task"] not in (None, SHAPE):
        origin += f" {summary['task']}"
    groups = "" if summary["groups"] is None else f" in {summary['groups']:,} groups"
    lines = [f"{params.archive} ({origin} samples): {count:,} pairs{groups}"]
    for name in params.classes:
        lacking = summary["unmatched"][name]
        lines.append(
            f"  {name}: {pairs[name]:,} pairs; without partner: {lacking['rgb']:,} images, "
            f"{lacking['lidar']:,} LiDAR maps"
        )
    lines += [
        f"  ids in several classes: {summary['shared_ids']:,}; content duplicates: "
        f"{duplicates['samples']:,}, of them across classes: {duplicates['across_classes']:,}; "
        f"bad samples left out: {summary['bad_samples']:,}",
        *(f"  passed over: {count:,} {reason}" for reason, count in summary["passed_over"].items()),
        f"  images: {rgb['pixels_not_black']:.1f} % of pixels are not black; "
        f"{rgb['images_of_one_colour']:,} of {count:,} have one colour",
        f"  LiDAR maps: {lidar['cells_with_return']:.1f} % of cells have a return; "
        f"{lidar['maps_without_return']:,} of {count:,} have none",
    ]
    if 100 * rgb["images_of_one_colour"] > MOST_EMPTY * count:
        lines.append("warning: many images have one colour, which tells nothing; look at them")
    if 100 * lidar["maps_without_return"] > MOST_EMPTY * count:
        lines.append(
            "warning: many LiDAR maps have no return; look at lidar.max_range and lidar.no_return "
            f"in {params.sensors}"
        )
    return lines
