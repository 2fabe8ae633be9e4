"""Is it red or blue? Only the image tells."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import (
    BLUE,
    RED,
    draw_any_distance,
    draw_places,
    draw_shades,
    stream,
)
from fusebench.synthetic.task import Interaction, Task, Views


class ColourTask(Task):
    """A sphere, red or blue.

    Twins differ in the colour alone, so their LiDAR maps are equal to the bit.
    """

    classes: ClassVar = ("blue", "red")
    positive = "red"
    interaction: ClassVar[Interaction] = "unique to RGB"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 100.0, "lidar": 50.0}

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return a sphere of the class's colour."""
        del difficulty
        streams = [stream("colour", seed, id_) for id_ in ids]
        places, shade_nk1 = draw_places(streams, 1), draw_shades(streams, 1)
        colour_3 = RED if class_name == "red" else BLUE
        return Views(places.imaged(shade_nk1 * colour_3), places.ranged(draw_any_distance(streams)))
