"""Is it near or far? Only the LiDAR map tells."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import draw_near_and_far, draw_places, stream
from fusebench.synthetic.task import Interaction, Task, Views


class RangeTask(Task):
    """A sphere of any colour, near or far.

    How large it looks does not depend on how far it is. Twins differ in the range alone, so their
    images are equal to the bit.
    """

    classes: ClassVar = ("far", "near")
    positive = "near"
    interaction: ClassVar[Interaction] = "unique to LiDAR"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 50.0, "lidar": 100.0}

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return a sphere at a distance of the class."""
        streams = [stream("range", seed, id_) for id_ in ids]
        places = draw_places(streams, 1)
        colour_nk3 = np.stack([of_id.uniform(0.2, 1, (1, 3)) for of_id in streams])
        distance_n2 = draw_near_and_far(streams, difficulty.gap)
        chosen = 0 if class_name == "near" else 1
        return Views(places.imaged(colour_nk3), places.ranged(distance_n2[:, chosen, None]))
