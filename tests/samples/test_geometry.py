"""Which cell of a map looks where, held to one comparison with each angle."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from fusebench.samples.geometry import nearest_angles, nearest_azimuths

PROPERTY = settings(deadline=None, max_examples=200, derandomize=True, database=None)
Floats = NDArray[np.float64]
angles = hnp.arrays(
    np.float32, st.integers(1, 9), elements=st.floats(-3.125, 3.125, width=32), unique=True
)
wanted = hnp.arrays(np.float64, 8, elements=st.floats(-10, 10))


def apart(one: Floats, other: Floats) -> Floats:
    """The way between two azimuths on a circle."""
    return np.asarray(np.abs((one - other + np.pi) % (2 * np.pi) - np.pi))


@PROPERTY
@given(angles=angles, wanted=wanted)
def test_the_index_is_that_of_the_nearest_angle(
    angles: NDArray[np.float32], wanted: Floats
) -> None:
    index, inside = nearest_angles(angles, wanted)
    distances = np.abs(angles.astype(np.float64)[None] - wanted[:, None])
    nearest = distances.min(axis=1)
    np.testing.assert_allclose(distances[np.arange(8), index], nearest, atol=1e-12)
    if len(angles) == 1:
        assert inside.all()
        return
    step = np.diff(np.sort(angles.astype(np.float64))).max()
    ends = (wanted < angles.min()) | (wanted > angles.max())
    sure = np.abs(nearest - step / 2) > 1e-9
    np.testing.assert_array_equal(inside[sure], (~ends | (nearest < step / 2))[sure])


@PROPERTY
@given(angles=angles, wanted=wanted, turns=st.integers(-1, 1))
def test_on_a_circle_the_nearest_azimuth_is_found_whichever_turn_it_is_of(
    angles: NDArray[np.float32], wanted: Floats, turns: int
) -> None:
    index, inside = nearest_azimuths(angles, wanted)
    distances = apart(angles.astype(np.float64)[None], wanted[:, None])
    nearest = distances.min(axis=1)
    ascending = np.sort(angles.astype(np.float64))
    gaps = np.diff(ascending, append=ascending[0] + 2 * np.pi)
    # In the largest gap the sensor does not look; of two as large as each other it may be either.
    assume(len(gaps) == 1 or np.sort(gaps)[-1] > 1.02 * np.sort(gaps)[-2])
    sure = inside.copy()
    np.testing.assert_allclose(distances[np.arange(8), index][sure], nearest[sure], atol=1e-9)
    if len(angles) > 1:
        step = np.sort(gaps)[-2]
        gap = ascending[gaps.argmax()] + gaps.max() / 2
        in_gap = apart(wanted, np.full(8, gap)) < gaps.max() / 2 - step / 2 - 1e-9
        beside = apart(wanted, np.full(8, gap)) > gaps.max() / 2 - step / 2 + 1e-9
        assert not inside[in_gap].any()
        assert inside[beside].all()
    other, inside_other = nearest_azimuths(angles, wanted + 2 * np.pi * turns)
    decided = np.sort(distances, axis=1)
    clear = len(angles) == 1 or (decided[:, 1] - decided[:, 0] > 1e-9)
    both = sure & inside_other & clear
    np.testing.assert_array_equal(index[both], other[both])


@PROPERTY
@given(angles=angles, wanted=wanted)
def test_azimuths_of_one_side_need_no_circle(angles: NDArray[np.float32], wanted: Floats) -> None:
    """To the bit: what was measured with it before holds."""
    ahead, seen = angles / np.float32(4), wanted / 10
    for ours, theirs in zip(
        nearest_azimuths(ahead, seen), nearest_angles(ahead, seen), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("degrees", "seen", "row"),
    [
        ((350, 355, 0, 5), -2, 2),
        ((350, 355, 0, 5), -3, 1),
        ((350, 355, 0, 5), 180, None),
        ((5, 0, 355, 350), 365, 0),
        ((170, 175, 180, -175), -174, 3),
        ((170, 175, 180, -175), 0, None),
        ((0, 90, 180, 270), -44, 0),
        ((0, 90, 180, 270), -46, 3),
        ((30,), 200, 0),
        ((-180, -90, 0, 90, 180), 179, 4),
        ((-180, -90, 0, 90, 180), -179, 0),
        ((-355, -360, 350, 355), 7, 0),
        ((-355, -360, 350, 355), 8, None),
    ],
)
def test_neighbours_across_a_full_turn(
    degrees: tuple[float, ...], seen: float, row: int | None
) -> None:
    azimuth = np.radians(degrees).astype(np.float32)
    index, inside = nearest_azimuths(azimuth, np.radians([seen]))
    assert inside[0] == (row is not None)
    if row is not None:
        assert index[0] == row
