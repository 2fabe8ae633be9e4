"""Where the camera has an object in front of it, found in another way than the renderer's."""

import numpy as np
from numpy.typing import NDArray

from fusebench.synthetic.render import FOCAL_LENGTH, RADIUS, SIZE, Scenes, Shape


def silhouettes(shape: Shape, scenes: Scenes) -> NDArray[np.bool_]:
    """Whether the ray through a pixel's centre meets the object, shape (n, 64, 64).

    A ball is met where the ray passes its centre within its radius; a cube where, in its own
    axes, the spans of the ray between its three pairs of faces have a point in common.
    """
    offset = np.arange(SIZE) + 0.5 - SIZE / 2
    right, down = np.meshgrid(offset, offset)
    rays = np.stack([right, np.full_like(right, FOCAL_LENGTH), -down], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    if shape == "spheres":
        along = rays @ scenes.centre_n3.T
        passed = (scenes.centre_n3**2).sum(-1) - along**2
        return np.asarray(np.moveaxis(passed < RADIUS**2, -1, 0))
    own_rays = np.einsum("hwi,nij->nhwj", rays, scenes.turn_n33)
    own_centres = np.einsum("ni,nij->nj", scenes.centre_n3, scenes.turn_n33)[:, None, None]
    faces = np.stack([(own_centres - RADIUS) / own_rays, (own_centres + RADIUS) / own_rays])
    return np.asarray(faces.min(0).max(-1) < faces.max(0).min(-1))
