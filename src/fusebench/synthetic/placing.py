"""Spheres placed so that neither sensor sees their distance in their size.

A sensor at the origin sees a scene that is scaled about the origin along the same rays: the image
stays the same, and each range grows by the factor. So a sphere has a direction and an angle that
it fills, and a distance of its own: the image tells nothing of the distance, and the number of
returns neither.

Shape suffixes: n samples, k objects, 3 for x, y, z.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusebench.seeds import derive_seed
from fusebench.synthetic.difficulty import FARTHEST, NEAREST
from fusebench.synthetic.render import Floats, Scenes
from fusebench.synthetic.task import Objects

_IMAGED_AT = 25.0
"""Metres at which all images are rendered, so that those of twins are equal to the bit."""

# Half of what a sphere fills, in degrees: lowest and highest.
_HALF_ANGLES = 3.0, 6.0
# Degrees from the middle within which both sensors see a sphere as a whole.
_IN_VIEW = 15.0
# Degrees between the rims of two spheres: more than a cell of a map that is halved.
_APART = 2.0

RED, BLUE = np.array([1.0, 0.05, 0.05]), np.array([0.05, 0.05, 1.0])
_DARKEST = 0.5


def stream(*names: str | int) -> np.random.Generator:
    """Return random numbers that are a function of the names alone."""
    return np.random.default_rng(derive_seed("synthesize", *names))


@dataclass(frozen=True)
class Places:
    """Where k spheres of each of n samples are, but for their distance.

    Attributes
    ----------
    direction_nk3 : ndarray of float64, shape (n, k, 3)
        Of length 1.
    half_angle_nk : ndarray of float64, shape (n, k)
        Between the direction and the rim, in radians.
    """

    direction_nk3: Floats
    half_angle_nk: Floats

    def spheres(self, distance_nk: Floats, colour_nk3: Floats) -> tuple[Objects, ...]:
        """Return the spheres, whose centres are at these distances in metres, one after another."""
        count, several = self.half_angle_nk.shape
        radius_nk = distance_nk * np.sin(self.half_angle_nk)
        turn_n33 = np.broadcast_to(np.eye(3), (count, 3, 3))
        return tuple(
            Objects(
                "spheres",
                Scenes(
                    self.direction_nk3[:, number] * distance_nk[:, number, None],
                    colour_nk3[:, number],
                    turn_n33,
                    radius_nk[:, number],
                ),
            )
            for number in range(several)
        )

    def imaged(self, colour_nk3: Floats) -> tuple[Objects, ...]:
        """Return what the camera sees of spheres, whatever their distance is."""
        return self.spheres(np.full_like(self.half_angle_nk, _IMAGED_AT), colour_nk3)

    def ranged(self, distance_nk: Floats) -> tuple[Objects, ...]:
        """Return what the LiDAR sees of spheres, whatever their colour is."""
        return self.spheres(distance_nk, np.ones((*distance_nk.shape, 3)))

    def take(self, object_nk: Sequence[int]) -> "Places":
        """Return some of the k spheres of each sample."""
        chosen = list(object_nk)
        return Places(self.direction_nk3[:, chosen], self.half_angle_nk[:, chosen])


def draw_places(streams: Sequence[np.random.Generator], count: int) -> Places:
    """Draw places of `count` spheres a sample that do not touch in the view of either sensor.

    All spheres of a sample fill the same angle: by their sizes nobody tells which sphere of the
    image is which of the LiDAR map, only by their places. These are drawn alike and independently,
    and all anew where two are too close: so no sphere's place tells its number.
    """
    drawn = [_draw_apart(stream, count) for stream in streams]
    return Places(np.stack([place for place, _ in drawn]), np.stack([half for _, half in drawn]))


def _draw_apart(stream: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    while True:
        half_k = np.full(count, np.radians(stream.uniform(*_HALF_ANGLES)))
        reach_k = math.radians(_IN_VIEW) - half_k
        azimuth_k, elevation_k = reach_k * stream.uniform(-1, 1, (2, count))
        level_k = np.cos(elevation_k)
        direction_k3 = np.stack(
            [np.sin(azimuth_k) * level_k, np.cos(azimuth_k) * level_k, np.sin(elevation_k)], axis=-1
        )
        cosines_kk = (direction_k3[:, None] * direction_k3).sum(-1)
        apart_kk = half_k[:, None] + half_k + math.radians(_APART)
        first, second = np.triu_indices(count, 1)
        if (cosines_kk < np.cos(apart_kk))[first, second].all():
            return direction_k3, half_k


def draw_distances(streams: Sequence[np.random.Generator], count: int, gap: float) -> Floats:
    """Draw distances (n, k) in metres, ascending, each at least `gap` from the next."""
    spare = FARTHEST - NEAREST - gap * (count - 1)
    shares_nk = np.stack([np.sort(stream.random(count)) for stream in streams])
    return NEAREST + spare * shares_nk + gap * np.arange(count)


def draw_near_and_far(streams: Sequence[np.random.Generator], gap: float) -> Floats:
    """Draw for each sample a near and a far distance (n, 2) in metres.

    Near ones end half the gap before the middle of all distances, far ones begin half of it beyond.
    """
    width = (FARTHEST - NEAREST - gap) / 2
    shares_n2 = np.stack([stream.random(2) for stream in streams])
    return np.array([NEAREST, FARTHEST - width]) + width * shares_n2


def draw_any_distance(streams: Sequence[np.random.Generator]) -> Floats:
    """Draw a distance for each sample, (n, 1), in metres."""
    shares_n1 = np.stack([stream.random(1) for stream in streams])
    return NEAREST + (FARTHEST - NEAREST) * shares_n1


def draw_shades(streams: Sequence[np.random.Generator], count: int) -> Floats:
    """Draw how bright each colour is, (n, k, 1), 0.5 to 1."""
    return np.stack([stream.uniform(_DARKEST, 1, (count, 1)) for stream in streams])
