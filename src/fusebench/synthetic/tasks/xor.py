"""Is it either near or red, but not both? Only both sensors together tell, wherever it is."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import (
    BLUE,
    RED,
    draw_near_and_far,
    draw_places,
    draw_shades,
    stream,
)
from fusebench.synthetic.task import Interaction, Task, Views


class XorTask(Task):
    """A sphere, near or far, red or blue: the class is the exclusive or of near and red.

    Colour and range are drawn apart, each alike in both classes. There is one object, so nothing
    has to be found at the same place of both maps. Twins have one colour, so their images are equal
    to the bit.
    """

    classes: ClassVar = ("both_or_neither", "exactly_one")
    positive = "exactly_one"
    interaction: ClassVar[Interaction] = "synergistic"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 50.0, "lidar": 50.0}

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return a sphere whose range makes the class with its colour."""
        streams = [stream("xor", seed, id_) for id_ in ids]
        places, shade_nk1 = draw_places(streams, 1), draw_shades(streams, 1)
        distance_n2 = draw_near_and_far(streams, difficulty.gap)
        red_n = np.array([of_id.random() < 0.5 for of_id in streams])
        near_n = ~red_n if class_name == "exactly_one" else red_n
        colour_nk3 = shade_nk1 * np.where(red_n[:, None, None], RED, BLUE)
        distance_n = np.where(near_n, distance_n2[:, 0], distance_n2[:, 1])
        return Views(places.imaged(colour_nk3), places.ranged(distance_n[:, None]))
