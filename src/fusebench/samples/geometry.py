"""Which cell of a LiDAR map looks where: one angle per row, one per column."""

import numpy as np
import numpy.typing as npt

Angles = npt.NDArray[np.floating]
"""Angles in radians."""
_TURN = 2 * np.pi
# From -180° to 180° is one, whatever the last bits of the two say.
_MORE_THAN_A_TURN = _TURN + 1e-3
# A gap is as many times as wide as the widest step, or more.
_GAP = 1.01


def nearest_angles(
    angles: Angles, wanted: Angles
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the index of the nearest angle, and whether one is within half a step."""
    order = np.argsort(angles)
    ascending = angles[order].astype(np.float64)
    between = (ascending[1:] + ascending[:-1]) / 2
    index = np.searchsorted(between, wanted)
    half_step = np.diff(ascending).max() / 2 if len(ascending) > 1 else np.inf
    inside = (wanted >= ascending[0] - half_step) & (wanted <= ascending[-1] + half_step)
    return order[index], inside


def nearest_azimuths(
    azimuth: Angles, wanted: Angles
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return what `nearest_angles` does on a circle, whichever turn an angle is of.

    A sensor may begin anywhere on its way round: to 350°, 355°, 0° and 5° these are neighbours.
    """
    on_a_turn = _without_gap(azimuth)
    middle = (float(on_a_turn.min()) + float(on_a_turn.max())) / 2
    return nearest_angles(on_a_turn, wanted - _TURN * np.round((wanted - middle) / _TURN))


def _without_gap(azimuth: Angles) -> Angles:
    """Return azimuths with turns added so that their largest gap is not between two of them."""
    if np.ptp(azimuth) > _MORE_THAN_A_TURN:
        azimuth = azimuth.astype(np.float64) % _TURN
    order = np.argsort(azimuth)
    ascending = azimuth[order].astype(np.float64)
    gaps = np.diff(ascending, append=ascending[0] + _TURN)
    last = int(gaps.argmax())
    # All the way round there is none.
    if last == len(gaps) - 1 or gaps[last] < _GAP * np.delete(gaps, last).max():
        return azimuth
    ascending[: last + 1] += _TURN
    on_a_turn = np.empty_like(ascending)
    on_a_turn[order] = ascending
    return on_a_turn
