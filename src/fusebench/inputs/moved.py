"""A LiDAR map of a scene that was moved against the sensor."""

import numpy as np
import numpy.typing as npt

from fusebench.inputs.lidar import Floats, LidarGeometry, directions
from fusebench.samples.geometry import nearest_angles, nearest_azimuths


def moved(
    ranges: Floats,
    geometry: LidarGeometry,
    rotation: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
) -> Floats:
    """Return the map after each return p was moved to rotation · p + shift.

    A cell takes the nearest of the points that fall into it; a point outside the field of view, or
    beyond the maximum range, is lost.

    Parameters
    ----------
    ranges : array of float32, shape (h, w), metres
    rotation : array, shape (3, 3)
    shift : array, shape (3,), metres
        To the right, forward and up.
    """
    vectors = np.stack(np.broadcast_arrays(*directions(geometry.azimuth, geometry.zenith)), axis=-1)
    hit = ranges < np.float32(geometry.max_range)
    points = (ranges[..., None] * vectors)[hit].astype(np.float64) @ rotation.T + shift
    distances = np.linalg.norm(points, axis=1)
    x, y, z = points.T
    # A point at the sensor has no direction.
    upward = np.divide(z, distances, out=np.zeros_like(z), where=distances > 0)
    rows, in_rows = nearest_azimuths(geometry.azimuth, -np.arctan2(x, y))
    columns, in_columns = nearest_angles(geometry.zenith, -np.arcsin(np.clip(upward, -1, 1)))
    kept = in_rows & in_columns & (distances < geometry.max_range)
    made = np.full_like(ranges, geometry.max_range)
    np.minimum.at(made, (rows[kept], columns[kept]), distances[kept].astype(np.float32))
    return made
