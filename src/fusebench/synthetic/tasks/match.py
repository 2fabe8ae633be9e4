"""Does the LiDAR show the object that the image shows? Places of both maps are to be compared."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import draw_any_distance, draw_places, stream
from fusebench.synthetic.task import Interaction, Task, Views


class MatchTask(Task):
    """A sphere in the image; in the LiDAR map the same one, or another elsewhere.

    Both places are drawn alike, so neither map tells whether it shows the one or the other. Twins
    share the image, to the bit.
    """

    classes: ClassVar = ("another", "same")
    positive = "same"
    interaction: ClassVar[Interaction] = "synergistic"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 50.0, "lidar": 50.0}

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return two places of which the camera sees the first."""
        del difficulty
        streams = [stream("match", seed, id_) for id_ in ids]
        places = draw_places(streams, 2)
        colour_nk3 = np.stack([of_id.uniform(0.2, 1, (1, 3)) for of_id in streams])
        distance_n1 = draw_any_distance(streams)
        seen_by_lidar = places.take([0 if class_name == "same" else 1])
        return Views(places.take([0]).imaged(colour_nk3), seen_by_lidar.ranged(distance_n1))
