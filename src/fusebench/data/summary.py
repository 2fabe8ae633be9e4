"""What extract saw: pairs, what is wrong or twice, and how much each sensor carries."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.data.archive import Layout, PairedMembers
from fusebench.data.settings import DataParams

MOST_EMPTY = 10.0
"""Samples of which a sensor carries nothing, in %, above which there is a warning."""

Sample = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""Image (H, W, 3) and ranges (h, w), in metres."""


@dataclass
class Report:
    """What extract saw, as it goes."""

    pairs: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    classes_of_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    classes_of_content: dict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    # Pixels, lit ones and constant images; cells, returns and maps without one.
    content: Counter[str] = field(default_factory=Counter)

    def add(self, pair: PairedMembers, digest: str, sample: Sample, max_range: float) -> None:
        """Count a good sample."""
        self.pairs[pair.class_name] += 1
        self.classes_of_id[pair.id].add(pair.class_name)
        self.classes_of_content[digest][pair.class_name] += 1
        rgb, ranges = sample
        lit, returns = rgb.any(axis=2), ranges < np.float32(max_range)
        self.content.update(
            pixels=lit.size, lit=int(lit.sum()), constant=int((rgb == rgb[0, 0]).all()),
            cells=returns.size, returns=int(returns.sum()), without=int(not returns.any()),
        )  # fmt: skip

    def summary(self, layout: Layout, classes: Sequence[str]) -> dict[str, Any]:
        """Return what metrics/data.json holds; shares are in %."""
        contents, content = self.classes_of_content.values(), self.content
        return {
            "synthetic": layout.synthetic,
            "pairs": {name: self.pairs[name] for name in classes},
            "unmatched": layout.unmatched,
            "shared_ids": sum(len(classes) > 1 for classes in self.classes_of_id.values()),
            "content_duplicates": {
                "samples": sum(classes.total() - 1 for classes in contents),
                "across_classes": sum(len(classes) > 1 for classes in contents),
            },
            "bad_samples": len(self.problems),
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
    lines = [f"{params.archive} ({origin} samples): {count:,} pairs"]
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
