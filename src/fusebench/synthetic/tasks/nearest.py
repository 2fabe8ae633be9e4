"""Is the nearest object the red one? Both sensors are needed, and what they see at one place."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import (
    BLUE,
    RED,
    draw_distances,
    draw_places,
    draw_shades,
    stream,
)
from fusebench.synthetic.task import Interaction, Task, Views


class NearestTask(Task):
    """Two or three spheres, one of them red: is that one the nearest?

    The image tells where the red one is, the LiDAR map where the nearest is. Where each is says
    nothing of the class; only whether it is the same place. Twins differ in which distance belongs
    to which sphere, so their images are equal to the bit.
    """

    classes: ClassVar = ("other_nearest", "red_nearest")
    positive = "red_nearest"
    interaction: ClassVar[Interaction] = "synergistic"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 50.0, "lidar": 50.0}

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return spheres of which the first is red."""
        count = difficulty.objects
        streams = [stream("nearest", seed, id_) for id_ in ids]
        places, shade_nk1 = draw_places(streams, count), draw_shades(streams, count)
        distance_nk = draw_distances(streams, count, difficulty.gap)
        # How far the red one comes where it is not the first; the others follow in their order.
        place_n = np.array([of_id.integers(1, count) for of_id in streams])
        if class_name == "red_nearest":
            place_n = np.zeros_like(place_n)
        rank_nk = np.stack([_ranks(int(place), count) for place in place_n])
        colour_nk3 = shade_nk1 * np.stack([RED, *[BLUE] * (count - 1)])
        return Views(
            places.imaged(colour_nk3),
            places.ranged(np.take_along_axis(distance_nk, rank_nk, axis=1)),
        )


def _ranks(of_red: int, count: int) -> list[int]:
    """Return which of the distances each sphere has: the red one, then the others."""
    return [of_red, *(rank for rank in range(count) if rank != of_red)]
