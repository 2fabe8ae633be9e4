"""New files become what stage extract made of the archive, to the bit."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import (
    IDS,
    angle_array,
    encoded,
    image_array,
    members,
    npy,
    params,
    range_array,
    sensors,
    write_folder,
)
from tests.inference.made_up import LIDAR, store_models

from fusebench.data.extract import extract
from fusebench.errors import ArchiveError
from fusebench.inference import preparation
from fusebench.inference.found import Found, NewSample, endings_of, find_new
from fusebench.inference.preparation import Preparation
from fusebench.inputs.inputs import Inputs, float_maps
from fusebench.inputs.lidar import LidarParams
from fusebench.models.description import Description
from fusebench.samples.samples import Samples, open_samples

BOTH = ("rgb", "lidar")
GIVEN = {"azimuth": [-3.0, 3.0], "zenith": [-2.0, 4.0]}
POINTS = {"format": "points", "axes": ["-y", "x", "z"], **GIVEN}


def points(class_name: str, key: str) -> NDArray[np.float32]:
    """Points of a sample, around the forward direction x: x, y, z and intensity."""
    numbers = np.random.default_rng(len(class_name) + int(key))
    return np.column_stack(
        [numbers.uniform(5, 30, 200), numbers.uniform(-2, 2, (200, 2)), np.ones(200)]
    ).astype(np.float32)


def ply(class_name: str, key: str) -> bytes:
    rows = [" ".join(map(repr, row)) for row in points(class_name, key)[:, :3].tolist()]
    head = ["ply", "format ascii 1.0", f"element vertex {len(rows)}",
            *(f"property float {axis}" for axis in "xyz"), "end_header"]  # fmt: skip
    return "\n".join([*head, *rows, ""]).encode()


def depth(class_name: str, key: str) -> bytes:
    steps = (range_array(class_name, key) / 0.002).astype(np.uint16)
    return encoded(Image.fromarray(steps))


def ranges_with_gaps(class_name: str, key: str) -> bytes:
    ranges = range_array(class_name, key)
    ranges[0, :4] = np.nan
    ranges[1, :4] = 0
    return npy(ranges)


@dataclass(frozen=True)
class Kind:
    """How a sensor's files look: keys of the sensors, the ending, and a file's content."""

    sensors: dict[str, Any]
    ending: str = ".npy"
    content: Callable[[str, str], bytes] = ranges_with_gaps


GAPS = {"no_return": ["nan", "zero"]}
KINDS = {
    "an azimuth per row": Kind(GAPS),
    "a zenith per row": Kind({"rows": "zenith", **GAPS}),
    "angles that are given": Kind({"rows": "zenith", **GIVEN, **GAPS}),
    "depth": Kind({"format": "depth", "step": 0.002, **GIVEN}, ".png", depth),
    "depth with a zenith per row": Kind(
        {"format": "depth", "step": 0.002, "rows": "zenith", **GIVEN}, ".PNG", depth
    ),
    "points in npy": Kind(POINTS, ".npy", lambda *of: npy(points(*of))),
    "points in bin": Kind(POINTS, ".bin", lambda *of: points(*of).tobytes()),
    "points in ply, a zenith per row": Kind({"rows": "zenith", **POINTS}, ".ply", ply),
}


@dataclass(frozen=True)
class Place:
    """A folder with a folder per class, what extract made of it, and models of that."""

    archive: Path
    samples: Samples
    description: Description

    def files(self, class_name: str) -> Found:
        lidar = self.samples.dataset.sensors.lidar
        return find_new([self.archive / class_name], endings_of(BOTH, lidar.format))


def made(folder: Path, kind: Kind, lidar: LidarParams = LIDAR) -> Place:
    changed = sensors(**kind.sensors)
    content = members(lidar_size=(6, 8), image_size=(20, 20), mode="RGB")
    for name in [name for name in content if "/lidar/" in name]:
        del content[name]
        class_name, _, file = name.split("/")
        key = file.removesuffix(".npy")
        content[f"{class_name}/lidar/{key}{kind.ending}"] = kind.content(class_name, key)
    if kind.sensors.get("rows") == "zenith":
        for class_name in IDS:
            content[f"{class_name}/azimuth.npy"] = npy(angle_array(8))
            content[f"{class_name}/zenith.npy"] = npy(angle_array(6))
    # One of another kind of image.
    del content["cubes/rgb/0001.png"]
    jpeg = encoded(Image.fromarray(image_array("cubes", "0001", (40, 31))), "JPEG")
    archive = write_folder(folder / "archive", {**content, "cubes/rgb/0001.jpg": jpeg})
    extract(params(archive), changed, folder / "samples", folder / "data.json")
    samples = open_samples(folder / "samples")
    return Place(
        archive, samples, Description.read(store_models(folder / "add", samples, lidar=lidar))
    )


def rows_of(place: Place, class_name: str) -> Any:
    return place.samples.table[place.samples.table["class"] == class_name]


def prepared(
    description: Description, samples: Sequence[NewSample], sees: tuple[str, ...] = BOTH
) -> tuple[list[Samples], list[str]]:
    problems: list[str] = []
    reading = Preparation(description, sees).read(samples, 32, problems)
    return list(reading), problems


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_files_become_what_extract_made_of_them(kind: Kind, tmp_path: Path) -> None:
    place = made(tmp_path, kind)
    for class_name, keys in IDS.items():
        found = place.files(class_name)
        Preparation(place.description, BOTH).check_angles(found)
        (new,), problems = prepared(place.description, found.samples)
        assert (new.table["id"].tolist(), problems) == ([*keys], [])
        rows = rows_of(place, class_name)["row"].tolist()
        for mine, kept in ((new.rgb, place.samples.rgb[rows]),
                           (new.lidar, place.samples.lidar[rows]),
                           (new.azimuth, place.samples.azimuth),
                           (new.zenith, place.samples.zenith)):  # fmt: skip
            np.testing.assert_array_equal(mine, kept, strict=True)
        assert len(np.unique(new.lidar)) > 2, "there are returns"
        assert new.dataset == place.samples.dataset


@pytest.mark.parametrize("align", ["none", "rotate", "camera"])
@pytest.mark.parametrize("projection", ["spherical", "notebook"])
@pytest.mark.parametrize("normalize", [True, False])
def test_models_get_the_inputs_that_they_were_trained_on(
    align: Any, projection: Any, normalize: bool, tmp_path: Path
) -> None:
    lidar = LidarParams(projection=projection, align=align, normalize=normalize)
    place = made(tmp_path, KINDS["a zenith per row"], lidar)
    (new,), _ = prepared(place.description, place.files("spheres").samples)
    rows = rows_of(place, "spheres")
    cpu = torch.device("cpu")
    mine = Inputs.load(new, new.table, place.description.lidar, BOTH, cpu)
    trained = Inputs.load(place.samples, rows, lidar, BOTH, cpu)
    for sensor in BOTH:
        assert torch.equal(mine.maps[sensor], trained.maps[sensor])
        streamed = float_maps(new, new.table, place.description.lidar, sensor)
        assert torch.equal(streamed, float_maps(place.samples, rows, lidar, sensor))


@pytest.mark.parametrize("sensor", BOTH)
def test_a_sensor_that_is_not_seen_is_nowhere_read(sensor: str, tmp_path: Path) -> None:
    place = made(tmp_path, KINDS["an azimuth per row"])
    seen = [
        replace(sample, files={sensor: sample.files[sensor]})
        for sample in place.files("cubes").samples
    ]
    (new,), problems = prepared(place.description, seen, (sensor,))
    rows = rows_of(place, "cubes")
    (mine,) = Inputs.load(new, new.table, LIDAR, [sensor], torch.device("cpu")).maps.values()
    kept = Inputs.load(place.samples, rows, LIDAR, [sensor], torch.device("cpu"))
    assert problems == []
    assert torch.equal(mine, kept.maps[sensor])
    unseen = new.lidar if sensor == "rgb" else new.rgb
    assert not unseen.any()
    assert unseen.strides[0] == 0, "it takes no memory"


def test_samples_that_a_table_listed_become_the_same(tmp_path: Path) -> None:
    place = made(tmp_path, KINDS["an azimuth per row"])
    ids = IDS["cubes"][2:]
    rows = [
        f"{key},{of},{of}/rgb/{key}.png,{of}/lidar/{key}.npy"
        for of, keys in (("cubes", ids), ("spheres", IDS["spheres"]))
        for key in keys
    ]
    table = place.archive / "list.csv"
    table.write_text("\n".join(["id,class,rgb,lidar", *rows, ""]), "utf-8")
    for angle in ("azimuth", "zenith"):
        shutil.copy(place.archive / f"cubes/{angle}.npy", place.archive)
    listed = params(place.archive, layout="manifest", manifest="list.csv")
    extract(listed, sensors(**GAPS), tmp_path / "listed", tmp_path / "listed.json")
    samples = open_samples(tmp_path / "listed")
    assert samples.dataset.layout == "manifest"
    description = Description.read(store_models(tmp_path / "late", samples, "late"))
    table.write_text("\n".join(["id,class,rgb,lidar", *rows[: len(ids)], ""]), "utf-8")
    found = find_new([table], endings_of(BOTH, "ranges"))
    Preparation(description, BOTH).check_angles(found)
    (new,), _ = prepared(description, found.samples)
    np.testing.assert_array_equal(new.rgb, samples.rgb[: len(ids)], strict=True)
    np.testing.assert_array_equal(new.lidar, samples.lidar[: len(ids)], strict=True)


# --- What goes wrong ---


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path, KINDS["an azimuth per row"])


def test_each_bad_file_is_named_and_the_others_are_read(place: Place) -> None:
    cubes = place.archive / "cubes"
    (cubes / "rgb/0000.png").write_bytes(b"no image")
    (cubes / "lidar/0000.npy").unlink()
    (cubes / "lidar/0002.npy").write_bytes(npy(range_array("cubes", "0002", (8, 6))))
    samples = place.files("spheres").samples
    files = [
        NewSample(key, {"rgb": cubes / f"rgb/{key}.png", "lidar": cubes / f"lidar/{key}.npy"})
        for key in ("0000", "0002", "0003")
    ]
    (new,), problems = prepared(place.description, [*samples, *files])
    assert new.table["id"].tolist() == [*IDS["spheres"], "0003"]
    assert new.table["row"].tolist() == [0, 1, 2, 3]
    assert len(new.rgb) == len(new.lidar) == 4
    first, second = problems
    assert first == (
        f"{cubes / 'rgb/0000.png'}: not a PNG or JPEG image; "
        f"{cubes / 'lidar/0000.npy'}: no such file"
    )
    assert second.startswith(f"{cubes / 'lidar/0002.npy'}: shape (8, 6); must be (6, 8)")


def test_of_none_that_can_be_read_there_is_nothing(place: Place) -> None:
    gone = NewSample("0", {"rgb": Path("0.png"), "lidar": Path("0.npy")})
    assert prepared(place.description, [gone])[0] == []
    assert prepared(place.description, []) == ([], [])


@pytest.mark.parametrize("angle", ["azimuth", "zenith"])
@pytest.mark.parametrize("kind", ["an azimuth per row", "a zenith per row"])
def test_other_angles_beside_the_samples_are_refused(angle: str, kind: str, tmp_path: Path) -> None:
    place = made(tmp_path, KINDS[kind])
    path = place.archive / f"cubes/{angle}.npy"
    turned = np.load(path)[::-1].copy()
    path.write_bytes(npy(turned))
    preparation = Preparation(place.description, BOTH)
    with pytest.raises(ArchiveError, match=f"^{re.escape(str(path))}: other angles than those"):
        preparation.check_angles(place.files("cubes"))
    preparation.check_angles(place.files("spheres"))
    Preparation(place.description, ("rgb",)).check_angles(place.files("cubes"))
    path.write_bytes(npy(turned[1:]))
    with pytest.raises(ArchiveError, match=f"^{re.escape(str(path))}: shape"):
        preparation.check_angles(place.files("cubes"))


def test_angles_that_the_sensors_give_are_not_looked_for(tmp_path: Path) -> None:
    place = made(tmp_path, KINDS["angles that are given"])
    (place.archive / "cubes/azimuth.npy").write_bytes(b"none")
    Preparation(place.description, BOTH).check_angles(place.files("cubes"))


def test_where_angles_are_looked_up_by_the_id_it_must_be_a_number(tmp_path: Path) -> None:
    lidar = LidarParams(projection="notebook", align="none", normalize=True)
    place = made(tmp_path, KINDS["an azimuth per row"], lidar)
    (sample, *_) = place.files("cubes").samples
    new, problems = prepared(place.description, [replace(sample, id="first")])
    assert (new, len(problems)) == ([], 1)
    assert problems[0].startswith("id 'first': must be a number, for the models were trained with")
    image = NewSample("first", {"rgb": sample.files["rgb"]})
    assert prepared(place.description, [image], ("rgb",))[1] == []


# --- How many at once ---


@given(
    bad=st.lists(st.booleans(), min_size=1, max_size=12),
    batch=st.integers(1, 5),
    held=st.integers(1, 20),
)
def test_batches_are_whole_whichever_samples_are_bad(
    bad: list[bool], batch: int, held: int, whole: Place
) -> None:
    good = whole.files("cubes").samples[0]
    gone = {sensor: path.with_name("gone" + path.suffix) for sensor, path in good.files.items()}
    samples = [
        NewSample(str(number), gone if is_bad else good.files) for number, is_bad in enumerate(bad)
    ]
    size = whole.samples.rgb[0].nbytes + whole.samples.lidar[0].nbytes
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "_HELD", held * size)
        parts = [*Preparation(whole.description, BOTH).read(samples, batch, problems)]
    lengths = [len(part.table) for part in parts]
    assert all(length % batch == 0 for length in lengths[:-1])
    assert all(length <= max(batch, held) for length in lengths)
    ids = [key for part in parts for key in part.table["id"]]
    assert ids == [sample.id for sample, is_bad in zip(samples, bad, strict=True) if not is_bad]
    assert len(problems) == sum(bad)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Files that no test spoils."""
    return made(tmp_path_factory.mktemp("whole"), KINDS["an azimuth per row"])
