"""What a card says of inputs: what an exported model takes, and how raw files become that."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fusebench.data.layout import Layout
from fusebench.data.settings import LAYOUTS
from fusebench.samples.sensors import LidarSensor, Sensors

_MEANS = {"zero": "0", "nan": "NaN", "inf": "infinity"}


def inputs_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines, Markdown, of how inputs are made and what the model makes of them.

    Parameters
    ----------
    content : mapping
        As `about.about`.
    """
    sensors = Sensors.model_validate(content["sensors"])
    names = [each["name"] for each in content["inputs"]]
    yield "How raw files become that, as for the samples that it was trained on:"
    yield ""
    layout = content["data"]["layout"]
    if not LAYOUTS.load(layout, Layout).whole_files:
        yield (
            "- A sample is cut out of its recording first, as "
            f"src/fusebench/data/layouts/{layout}.py of fusebench does."
        )
    if "rgb" in names:
        yield from _rgb_file(sensors)
    if "lidar" in names:
        yield from _lidar_file(sensors.lidar, content)
    if "ids" in names:
        yield "- `ids`: the sample's id, a number."
    yield ""
    yield "All else is in the model:"
    yield ""
    if "rgb" in names:
        yield from _rgb_in_model(content)
    if "lidar" in names:
        yield from _lidar_in_model(sensors, content)


def _rgb_file(sensors: Sensors) -> Iterator[str]:
    height, width = sensors.camera.image_size
    yield (
        "- `rgb`: decode the PNG or JPEG to 8 bits of red, green and blue: turned as its "
        "orientation tag says, without transparency, of 16 bits the upper 8. Where it is not "
        f"{height} × {width} (height × width), resample it, bilinear over the whole footprint of "
        f"a pixel: Pillow's `image.resize(({width}, {height}), Image.Resampling.BILINEAR)`. "
        "Values stay 0 to 255."
    )


def _lidar_file(lidar: LidarSensor, content: Mapping[str, Any]) -> Iterator[str]:
    rows, columns = len(content["azimuth"]), len(content["zenith"])
    farthest = f"{lidar.max_range:g}"
    if lidar.format == "points":
        yield (
            f"- `lidar`: a map of {rows} × {columns} cells of points. To the right, forward and up "
            f"are the stored {', '.join(lidar.axes or ())}. A point at range d = √(right² + "
            "forward² + up²) has the azimuth −atan2(right, forward), on a circle, and the zenith "
            "−asin(up / d); it falls into the row and column of the nearest angles (below), if "
            "each is within half a step. A cell holds the smallest d of its points, and "
            f"{farthest} where there is none; points at {farthest} m or farther, and at 0, are "
            "left out."
        )
        return
    height, width = lidar.size
    stored = f"the `.npy` file of {height} × {width} ranges in metres, as float32"
    if lidar.format == "depth":
        stored = f"the grey 16-bit PNG of {height} × {width}, times {lidar.step:g} m"
    turned = ""
    if lidar.rows == "zenith":
        turned = (
            ", turned by a quarter against the clock (`numpy.rot90`), for its rows are zeniths: "
            f"{rows} × {columns}"
        )
    nothing = "".join(
        f"; {_MEANS[word]} means the same: write {farthest}" for word in lidar.no_return
    )
    yield (
        f"- `lidar`: {stored}{turned}. Ranges are 0 to {farthest}; {farthest} where nothing came "
        f"back{nothing}."
    )


def _rgb_in_model(content: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "- Colours are divided by 255; a fourth channel is 0, so that both sensors have as many."
    )
    if content["stem"] != "notebook":
        yield "- Then they are normalised by the mean and deviation of ImageNet's."


def _lidar_in_model(sensors: Sensors, content: Mapping[str, Any]) -> Iterator[str]:
    params, farthest = content["lidar"], f"{sensors.lidar.max_range:g}"
    yield (
        f"- There is a return where range d < {farthest}: the mask, 1 or 0. In the row of azimuth "
        "az and the column of zenith ze it is the point x = d·sin(−az)·cos(−ze) (right), "
        "y = d·cos(−az)·cos(−ze) (forward), z = d·sin(−ze) (up). Channels are x, y, z, mask."
    )
    if params["projection"] == "notebook":
        yield (
            "- az and ze are one each for the whole map: those at the position of the sample's id, "
            "and 0 where it is past their end (`lidar.projection: notebook`)."
        )
    if params["normalize"]:
        yield f"- x, y and z are divided by {farthest}, and are 0 where the mask is."
    else:
        yield f"- x, y and z are metres; where the mask is 0, at a range of {farthest}."
    yield from _aligned(sensors, content)
    for word, one in (("azimuth", "row"), ("zenith", "column")):
        degrees = np.degrees(content[word])
        way = "to the left" if word == "azimuth" else "downwards"
        yield (
            f"- {word.capitalize()} of each {one}, {way}: {len(degrees)} angles, "
            f"{degrees[0]:.4g}° to {degrees[-1]:.4g}°; all of them, in radians, are in export.json "
            f"(`{word}`)."
        )


def _aligned(sensors: Sensors, content: Mapping[str, Any]) -> Iterator[str]:
    align = content["lidar"]["align"]
    rows, columns = len(content["azimuth"]), len(content["zenith"])
    if align == "camera":
        yield (
            "- Each pixel has the cell nearest to its ray, of a pinhole camera at the sensor whose "
            f"focal length is {sensors.camera.focal_length:g} pixels; past the angles nothing came "
            "back (`lidar.align: camera`)."
        )
        return
    if align == "rotate":
        yield (
            f"- The map is turned clockwise by {sensors.lidar.turns} quarter(s) (`lidar.align: "
            "rotate`)."
        )
        rows, columns = (columns, rows) if sensors.lidar.turns % 2 else (rows, columns)
    if (rows, columns) != sensors.camera.image_size:
        height, width = sensors.camera.image_size
        yield (
            f"- It is brought to {height} × {width}: each pixel has the cell at the same relative "
            "place."
        )
