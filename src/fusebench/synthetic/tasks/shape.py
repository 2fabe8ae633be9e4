"""Is it a cube or a sphere? Either sensor suffices."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.placing import stream
from fusebench.synthetic.render import RADIUS, Floats, Scenes, Shape
from fusebench.synthetic.task import Interaction, Objects, Task, Views

_CENTRE, _SPREAD = np.array([0.0, 25.0, 0.0]), 5.0


class ShapeTask(Task):
    """Cubes and spheres with the numbers of the real archive.

    A cube and a sphere of one id share centre and colour. Both sensors see the outline, so the
    information is redundant; few objects are partly outside the LiDAR's view.
    """

    classes: ClassVar = ("cubes", "spheres")
    positive = "spheres"
    interaction: ClassVar[Interaction] = "redundant"
    ceilings: ClassVar[Mapping[str, float]] = {"rgb": 100.0, "lidar": 100.0}
    # As many as in the archive behind the notebook.
    counts: ClassVar = (9999, 752)

    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return the same object for both sensors; `difficulty` changes nothing of it."""
        del difficulty
        shape: Shape = "cubes" if class_name == "cubes" else "spheres"
        objects = (Objects(shape, draw_scenes(seed, ids)),)
        return Views(objects, objects)


def draw_scenes(seed: int, ids: Sequence[int]) -> Scenes:
    """Draw scenes, each a pure function of the seed and its own id.

    The centre is uniform in ±5 on each axis about (0, 25, 0), the colour uniform in [0, 1]³, the
    rotation uniform over all rotations. The shape is no part of the draw, and the rotation comes
    from a stream of its own.

    Parameters
    ----------
    seed : int
        Other seeds give other scenes.
    ids : sequence of int
        The samples' ids, in the order of the result.
    """
    place_colour_n6 = np.stack([stream("scene", seed, id_).random(6) for id_ in ids])
    normals_n4 = np.stack([stream("turn", seed, id_).standard_normal(4) for id_ in ids])
    return Scenes(
        centre_n3=_CENTRE + _SPREAD * (2 * place_colour_n6[:, :3] - 1),
        colour_n3=place_colour_n6[:, 3:],
        turn_n33=_rotations(normals_n4),
        radius_n=np.full(len(ids), RADIUS),
    )


def _rotations(normals_n4: Floats) -> Floats:
    """Turn normal draws into uniformly random rotations, by way of unit quaternions."""
    w, x, y, z = (normals_n4 / np.sqrt((normals_n4**2).sum(-1, keepdims=True))).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
