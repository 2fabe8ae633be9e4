import gc
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.archives import (
    CLASSES,
    IDS,
    IMAGE_SIZE,
    LIDAR_SIZE,
    MAX_RANGE,
    angle_array,
    claim_size,
    damage_member,
    encrypt_member,
    image_array,
    members,
    npy,
    params,
    png,
    range_array,
    sensors,
    write_zip,
)
from tests.data.place import Place

from fusebench.data.demonstration import SYNTHETIC_COMMENT, comment_of
from fusebench.data.extract import ArrayWriter
from fusebench.data.summary import report_lines
from fusebench.errors import ArchiveError, BadSamplesError, FusebenchError
from fusebench.samples.samples import SCHEMA, open_samples, read_dataset, read_samples_table

OUTPUTS = {"rgb.npy", "lidar.npy", "angles.npz", "samples.csv", "skipped.csv", "dataset.json"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def expected_keys(ids: Mapping[str, Iterable[str]] = IDS) -> list[tuple[str, str]]:
    return [(name, key) for name, keys in ids.items() for key in sorted(keys)]


def assert_holds(samples: Path, keys: list[tuple[str, str]]) -> None:
    """The arrays hold exactly these samples, in this order, to the bit."""
    rgb = np.load(samples / "rgb.npy", allow_pickle=False)
    lidar = np.load(samples / "lidar.npy", allow_pickle=False)
    assert (str(rgb.dtype), str(lidar.dtype)) == ("uint8", "float32")
    np.testing.assert_array_equal(rgb, np.stack([image_array(*key) for key in keys]))
    np.testing.assert_array_equal(lidar, np.stack([range_array(*key) for key in keys]))


# --- What comes out ---


def test_arrays_hold_what_was_put_in(place: Place) -> None:
    write_zip(place.zip, members())
    place.extract()
    assert {path.name for path in place.samples.iterdir()} == OUTPUTS
    assert place.keys() == expected_keys()
    assert_holds(place.samples, expected_keys())
    with np.load(place.samples / "angles.npz", allow_pickle=False) as angles:
        assert set(angles) == {"azimuth", "zenith"}
        np.testing.assert_array_equal(angles["azimuth"], angle_array(LIDAR_SIZE[0]))
        np.testing.assert_array_equal(angles["zenith"], angle_array(LIDAR_SIZE[1]))


def test_table_says_row_id_group_class_label_and_digest(place: Place) -> None:
    write_zip(place.zip, members())
    place.extract(classes=["spheres", "cubes"])
    lines = ["row,id,group,class,label,digest"]
    keys = [*((("spheres", key)) for key in IDS["spheres"]), *(("cubes", k) for k in IDS["cubes"])]
    for row, (class_name, key) in enumerate(keys):
        content = image_array(class_name, key).tobytes() + range_array(class_name, key).tobytes()
        digest = blake2b(content, digest_size=16).hexdigest()
        label = ["spheres", "cubes"].index(class_name)
        lines.append(f"{row},{key},{key},{class_name},{label},{digest}")
    assert (place.samples / "samples.csv").read_text("utf-8") == "\n".join(lines) + "\n"


def test_what_later_stages_need_stands_beside_the_arrays(place: Place) -> None:
    write_zip(place.zip, members())
    changes = {"max_range": 60.0, "focal_length": 50.5, "quarter_turns": 3}
    place.extract(**changes, positive="cubes")
    described = json.loads((place.samples / "dataset.json").read_text("utf-8"))
    assert described.pop("digest")
    assert described == {
        "classes": ["cubes", "spheres"],
        "positive": "cubes",
        "sensors": sensors(**changes).model_dump(mode="json"),
        "layout": "class_folders",
        "schema": SCHEMA,
        "synthetic": False,
        "task": None,
        "samples": len(read_samples_table(place.samples)),
        "files": {
            name: blake2b((place.samples / name).read_bytes(), digest_size=16).hexdigest()
            for name in ("rgb.npy", "lidar.npy", "angles.npz", "samples.csv")
        },
    }
    assert open_samples(place.samples).dataset == read_dataset(place.samples)


def test_three_classes(place: Place) -> None:
    ids = {"cones": ("7",), "cubes": ("1", "7"), "spheres": ("1", "2", "7")}
    write_zip(place.zip, members(ids), prefix="deep/in/the/zip/")
    summary = place.extract(classes=list(ids))
    assert_holds(place.samples, expected_keys(ids))
    assert read_samples_table(place.samples)["label"].tolist() == [0, 1, 1, 2, 2, 2]
    assert summary["pairs"] == {"cones": 1, "cubes": 2, "spheres": 3}
    assert summary["shared_ids"] == 2


def test_other_sizes(place: Place) -> None:
    image_size, lidar_size = (48, 16), (3, 50)
    content = members(image_size=image_size, lidar_size=lidar_size)
    write_zip(place.zip, content)
    place.extract(image_size=list(image_size), size=list(lidar_size))
    samples = open_samples(place.samples)
    for row, key in enumerate(place.keys()):
        np.testing.assert_array_equal(samples.rgb[row], image_array(*key, image_size))
        np.testing.assert_array_equal(samples.lidar[row], range_array(*key, lidar_size))
    assert samples.azimuth.shape == (lidar_size[0],)
    assert samples.zenith.shape == (lidar_size[1],)


def test_images_may_have_mixed_sizes_and_modes(place: Place) -> None:
    small = np.full((5, 90, 3), (10, 20, 30), np.uint8)
    write_zip(place.zip, members(mode="RGBA"), overrides={"cubes/rgb/0001.png": png(small, "RGB")})
    place.extract()
    rgb = np.load(place.samples / "rgb.npy", allow_pickle=False)
    np.testing.assert_array_equal(rgb[1], np.broadcast_to([10, 20, 30], (*IMAGE_SIZE, 3)))
    np.testing.assert_array_equal(rgb[2], image_array("cubes", "0002"))


def test_big_endian_maps_are_stored_as_little_endian(place: Place) -> None:
    ranges = range_array("cubes", "0000").astype(">f4")
    assert b"'>f4'" in npy(ranges)
    write_zip(place.zip, members(), overrides={"cubes/lidar/0000.npy": npy(ranges)})
    place.extract()
    assert_holds(place.samples, expected_keys())
    assert b"'<f4'" in (place.samples / "lidar.npy").read_bytes()[:128]


def test_ids_of_any_kind_come_through(place: Place) -> None:
    keys = ("a,b", 'say "x"', " lead", "ünï", "0001", "1", "2024.01.31", "NA", "nan", "null", "1e5")
    write_zip(place.zip, members(dict.fromkeys(CLASSES, keys)))
    place.extract()
    assert place.keys() == expected_keys(dict.fromkeys(CLASSES, keys))
    assert_holds(place.samples, place.keys())


def test_name_and_order_of_the_archive_change_no_byte(place: Place, tmp_path: Path) -> None:
    content = members()
    more = {"cubes/rgb/0100.png": b"unmatched"}
    write_zip(place.zip, content, overrides=more)
    place.extract()
    other = Place(tmp_path / "other")
    other.zip.parent.mkdir()
    other.zip = other.zip.with_name("another.zip")
    write_zip(
        other.zip,
        content,
        overrides=more,
        prefix="nested/deeper/",
        beside={"__MACOSX/nested/._deeper": b"x"},
        compression=zipfile.ZIP_STORED,
        shuffle=1,
    )
    other.extract()
    theirs, ours = other.contents(), place.contents()
    assert len(theirs) == len(OUTPUTS) + 1
    assert {name: ours[name] for name in theirs} == theirs
    place.extract()
    assert {name: place.contents()[name] for name in theirs} == theirs


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(order=st.permutations(sorted(members())))
def test_no_order_of_members_changes_a_byte(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    place = Place(tmp_path_factory.mktemp("zip"))
    write_zip(place.zip, members())
    place.extract()
    before = place.contents()
    write_zip(place.zip, {name: members()[name] for name in order})
    place.extract()
    assert place.contents() == before


def small_pairs(count: int) -> dict[str, bytes]:
    """The members of an archive with one image under many ids, and as many maps of two ranges."""
    image = png(image_array("cubes", "0", (16, 16)))
    content = {}
    for class_name in CLASSES:
        content[f"{class_name}/azimuth.npy"] = npy(angle_array(1))
        content[f"{class_name}/zenith.npy"] = npy(angle_array(2))
        for number in range(count):
            ranges = np.array([[number / 1000, CLASSES.index(class_name)]], np.float32)
            content[f"{class_name}/rgb/{number:06}.png"] = image
            content[f"{class_name}/lidar/{number:06}.npy"] = npy(ranges)
    return content


@pytest.mark.slow
def test_memory_hardly_grows_with_the_archive(tmp_path: Path) -> None:
    few, many = 150, 900

    def peak(count: int) -> int:
        place = Place(tmp_path)
        write_zip(place.zip, small_pairs(count), compression=zipfile.ZIP_STORED)
        gc.collect()
        tracemalloc.start()
        try:
            place.extract(image_size=[16, 16], size=[1, 2])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The first run imports.
    peak(1)
    per_pair = (peak(many) - peak(few)) / (len(CLASSES) * (many - few))
    # With an object per member, id and digest it was 2,400 bytes; the pixels of a pair have 776.
    assert per_pair < 300


# --- What it says ---


def test_summary_counts_pairs_unmatched_shared_ids_and_duplicates(place: Place) -> None:
    content = members(
        {"cubes": ("0000", "0001", "0002", "0003", "0004"), "spheres": ("0001", "0004", "0009")}
    )
    # 0002 and 0003 as 0000; the sphere 0009 as the cube 0001; the sphere 0004 as no other.
    for key in ("0002", "0003"):
        for folder, suffix in (("rgb", ".png"), ("lidar", ".npy")):
            content[f"cubes/{folder}/{key}{suffix}"] = content[f"cubes/{folder}/0000{suffix}"]
    content["spheres/rgb/0009.png"] = content["cubes/rgb/0001.png"]
    content["spheres/lidar/0009.npy"] = content["cubes/lidar/0001.npy"]
    # The same image is no duplicate where the map is another.
    content["spheres/rgb/0004.png"] = content["cubes/rgb/0004.png"]
    content |= {
        "cubes/rgb/0100.png": b"",
        "spheres/lidar/0100.npy": b"",
        "spheres/lidar/1.npy": b"",
    }
    write_zip(place.zip, content, comment=SYNTHETIC_COMMENT)
    summary = place.extract()
    share = 100 * (open_samples(place.samples).lidar < MAX_RANGE).mean()
    assert summary == {
        "synthetic": True,
        "task": "shape",
        "pairs": {"cubes": 5, "spheres": 3},
        "groups": None,
        "unmatched": {"cubes": {"rgb": 1, "lidar": 0}, "spheres": {"rgb": 0, "lidar": 2}},
        "shared_ids": 2,
        "content_duplicates": {"samples": 3, "across_classes": 1},
        "bad_samples": 0,
        "passed_over": {},
        "rgb": {"pixels_not_black": 100.0, "images_of_one_colour": 0},
        "lidar": {"cells_with_return": pytest.approx(share), "maps_without_return": 0},
    }
    assert json.loads(place.metrics.read_text("utf-8")) == summary
    assert read_dataset(place.samples).synthetic is True
    assert read_dataset(place.samples).task == "shape"
    write_zip(place.zip, content, comment=comment_of("xor"))
    place.extract()
    assert read_dataset(place.samples).task == "xor"
    text = "\n".join(report_lines(params(place.zip), summary))
    for said in ("synthetic samples", "8 pairs", "cubes: 5 pairs", "1 images", "2 LiDAR maps"):
        assert said in text


# --- Bad samples ---

NAN = np.full(LIDAR_SIZE, 20, np.float32)
NAN[2, 3] = np.nan
BAD: dict[str, bytes] = {
    "cubes/lidar/0000.npy": npy(NAN),
    "cubes/rgb/0002.png": b"\x89PNG\r\n\x1a\n and no more",
    "spheres/lidar/0001.npy": npy(np.full(LIDAR_SIZE, 20.1)),
    "spheres/rgb/0005.png": b"",
}
GOOD = [key for key in expected_keys() if not any(f"{key[0]}/{m}/{key[1]}" in name for name in BAD
        for m in ("rgb", "lidar"))]  # fmt: skip


def test_all_bad_samples_are_listed_and_an_older_result_stays(place: Place) -> None:
    write_zip(place.zip, members(), overrides=BAD)
    with pytest.raises(BadSamplesError) as caught:
        place.extract()
    message = str(caught.value)
    first, *lines = message.splitlines()
    assert first.startswith(f"{place.zip}: 4 bad sample(s)")
    assert "data.on_bad_sample: skip" in first
    assert len(lines) == len(caught.value.problems) == 4
    for name in BAD:
        assert sum(f"assessment/{name}: " in line for line in lines) == 1
    assert place.contents() == {}
    assert not place.samples.exists()
    write_zip(place.zip, members())
    assert "recorded samples" in report_lines(params(place.zip), place.extract())[0]
    before = place.contents()
    assert len(before) == len(OUTPUTS) + 1
    write_zip(place.zip, members(), overrides=BAD)
    with pytest.raises(BadSamplesError):
        place.extract()
    assert place.contents() == before


def test_skip_leaves_bad_samples_out_and_names_them(place: Place) -> None:
    write_zip(place.zip, members(), overrides=BAD)
    summary = place.extract(on_bad_sample="skip")
    assert len(GOOD) == 3
    assert place.keys() == GOOD
    assert_holds(place.samples, GOOD)
    assert summary["bad_samples"] == 4
    assert summary["pairs"] == {"cubes": 2, "spheres": 1}
    assert summary["shared_ids"] == 0
    skipped = place.skipped()
    assert len(skipped) == 4
    for name in BAD:
        assert sum(line.startswith(f"assessment/{name}: ") for line in skipped) == 1


@pytest.mark.parametrize("on_bad_sample", ["error", "skip"])
def test_a_class_whose_samples_are_all_bad_is_refused(place: Place, on_bad_sample: str) -> None:
    bad = {f"spheres/rgb/{key}.png": b"bad" for key in IDS["spheres"]}
    write_zip(place.zip, members(), overrides=bad)
    with pytest.raises(ArchiveError, match=r"spheres") as caught:
        place.extract(on_bad_sample=on_bad_sample)
    assert isinstance(caught.value, BadSamplesError) is (on_bad_sample == "error")
    assert place.contents() == {}


def test_both_members_of_a_sample_are_named_where_both_are_bad(place: Place) -> None:
    """It is one bad sample, but mending the image alone would not help."""
    bad = {"cubes/rgb/0001.png": b"bad", "cubes/lidar/0001.npy": b"bad"}
    write_zip(place.zip, members(), overrides=bad)
    with pytest.raises(BadSamplesError) as caught:
        place.extract()
    for name in bad:
        assert name in str(caught.value)
    assert place.extract(on_bad_sample="skip")["bad_samples"] == 1


def test_two_images_of_one_id_are_a_bad_sample(place: Place) -> None:
    second = {"cubes/rgb/0001.jpg": png(image_array("cubes", "0001"))}
    write_zip(place.zip, members(), overrides=second)
    with pytest.raises(BadSamplesError) as caught:
        place.extract()
    assert len(caught.value.problems) == 1
    assert "cubes/rgb/0001.jpg" in str(caught.value)
    assert "cubes/rgb/0001.png" in str(caught.value)
    summary = place.extract(on_bad_sample="skip")
    assert summary["bad_samples"] == 1
    kept = [key for key in expected_keys() if key != ("cubes", "0001")]
    assert_holds(place.samples, kept)


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_a_member_damaged_in_the_zip_is_a_bad_sample(place: Place, compression: int) -> None:
    member = "spheres/lidar/0002.npy"
    write_zip(place.zip, members(), compression=compression)
    place.extract()
    damage_member(place.zip, f"assessment/{member}")
    with pytest.raises(BadSamplesError) as caught:
        place.extract()
    assert len(caught.value.problems) == 1
    assert f"assessment/{member}: " in caught.value.problems[0]
    assert place.extract(on_bad_sample="skip")["bad_samples"] == 1


def test_an_encrypted_member_is_a_bad_sample(place: Place) -> None:
    write_zip(place.zip, members())
    encrypt_member(place.zip, "assessment/cubes/rgb/0001.png")
    with pytest.raises(BadSamplesError, match=r"cubes/rgb/0001\.png: .*encrypted") as caught:
        place.extract()
    assert len(caught.value.problems) == 1


def test_a_member_that_claims_to_be_huge_is_not_unpacked(place: Place) -> None:
    """600 MiB of zeros take less than one in a zip."""
    write_zip(place.zip, members())
    claim_size(place.zip, "assessment/cubes/rgb/0001.png", 600 << 20)
    with pytest.raises(BadSamplesError, match=r"rgb/0001\.png: 629,145,600 bytes; at most"):
        place.extract()


@pytest.mark.parametrize("where", [0.02, 0.5])
@pytest.mark.parametrize("lost", [1, 8, 300])
def test_a_zip_that_lost_bytes_is_refused(place: Place, where: float, lost: int) -> None:
    """As after a broken transfer: the directory at the end is whole, but nothing is in place."""
    write_zip(place.zip, members(), compression=zipfile.ZIP_STORED)
    whole = place.zip.read_bytes()
    cut = int(where * len(whole))
    place.zip.write_bytes(whole[:cut] + whole[cut + lost :])
    with pytest.raises(FusebenchError) as caught:
        place.extract()
    assert str(place.zip) in str(caught.value)
    assert place.contents() == {}


# --- Angles ---


@pytest.mark.parametrize(("class_name", "angle"), [("cubes", "zenith"), ("spheres", "azimuth")])
def test_missing_angles_are_an_error(place: Place, class_name: str, angle: str) -> None:
    write_zip(place.zip, members(), omit=[f"{class_name}/{angle}.npy"])
    with pytest.raises(ArchiveError, match=rf"assessment/{class_name}/{angle}\.npy is missing"):
        place.extract(on_bad_sample="skip")
    assert place.contents() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        npy(angle_array(5)),
        npy(angle_array(6)[:, None]),
        npy(np.linspace(-0.1, 0.1, 8)),
        npy(np.zeros(8, np.bool_)),
        npy(np.full(8, np.nan, np.float32)),
        npy(np.array(0.0, np.float32)),
        npy(angle_array(8))[:-1],
    ],
    ids=["empty", "text", "length", "2-d", "float64", "bool", "nan", "0-d", "cut"],
)
def test_ill_shaped_angles_are_an_error_even_where_bad_samples_are_skipped(
    place: Place, content: bytes
) -> None:
    write_zip(place.zip, members(lidar_size=(8, 8)), overrides={"spheres/zenith.npy": content})
    with pytest.raises(ArchiveError, match=r"assessment/spheres/zenith\.npy: "):
        place.extract(on_bad_sample="skip", size=[8, 8])
    assert place.contents() == {}


def test_azimuth_belongs_to_rows_and_zenith_to_columns(place: Place) -> None:
    rows, columns = LIDAR_SIZE
    swapped = {}
    for name in CLASSES:
        swapped[f"{name}/azimuth.npy"] = npy(angle_array(columns))
        swapped[f"{name}/zenith.npy"] = npy(angle_array(rows))
    write_zip(place.zip, members(), overrides=swapped)
    with pytest.raises(ArchiveError, match=r"azimuth\.npy: shape \(8,\); must be \(6,\)"):
        place.extract()


@pytest.mark.parametrize("angle", ["azimuth", "zenith"])
def test_angles_that_differ_between_classes_are_an_error(place: Place, angle: str) -> None:
    length = dict(zip(("azimuth", "zenith"), LIDAR_SIZE, strict=True))[angle]
    other = np.nextafter(angle_array(length), np.float32(9))
    write_zip(place.zip, members(), overrides={f"spheres/{angle}.npy": npy(other)})
    with pytest.raises(ArchiveError, match="differs from") as caught:
        place.extract()
    for name in CLASSES:
        assert f"assessment/{name}/{angle}.npy" in str(caught.value)


def test_damaged_angles_are_an_error(place: Place) -> None:
    write_zip(place.zip, members())
    damage_member(place.zip, "assessment/cubes/zenith.npy")
    with pytest.raises(ArchiveError, match=r"assessment/cubes/zenith\.npy: "):
        place.extract()


# --- The writer of arrays ---


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(
    count=st.one_of(st.integers(0, 40), st.sampled_from([99, 100, 999, 1000, 10_001])),
    shape=st.sampled_from([(), (1,), (2, 3), (0,)]),
    dtype=st.sampled_from(["u1", "<f4", ">f4"]),
)
def test_any_number_of_arrays_comes_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, shape: tuple[int, ...], dtype: str
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "some.npy"
    values = np.arange(count * int(np.prod(shape))).astype(dtype).reshape(count, *shape)
    with ArrayWriter(path, shape, dtype) as writer:
        for value in values:
            writer.append(np.asarray(value))
        assert writer.count == count
    stored = np.load(path, allow_pickle=False)
    assert stored.dtype == values.dtype
    np.testing.assert_array_equal(stored, values)


def test_an_interrupted_file_of_arrays_claims_to_hold_none(tmp_path: Path) -> None:
    def interrupted(writer: ArrayWriter) -> None:
        with writer:
            writer.append(np.ones(3))
            raise KeyboardInterrupt

    writer = ArrayWriter(tmp_path / "some.npy", (3,), "<f4")
    with pytest.raises(KeyboardInterrupt):
        interrupted(writer)
    assert np.load(tmp_path / "some.npy", allow_pickle=False).shape == (0, 3)


def test_angles_in_degrees_are_refused(place: Place) -> None:
    degrees = {
        f"{name}/azimuth.npy": npy(np.linspace(-16, 15.5, LIDAR_SIZE[0], dtype=np.float32))
        for name in ("cubes", "spheres")
    }
    write_zip(place.zip, members(), overrides=degrees)
    with pytest.raises(ArchiveError, match=r"cubes/azimuth\.npy: angle 16; .*numpy\.radians\("):
        place.extract()


def test_float64_angles_and_ranges_give_the_same_bytes_where_nothing_is_lost(
    place: Place, tmp_path: Path
) -> None:
    write_zip(place.zip, members())
    place.extract()
    single = place.contents()
    double = {
        name: npy(np.load(io.BytesIO(data), allow_pickle=False).astype(np.float64))
        for name, data in members().items()
        if name.endswith(".npy")
    }
    other = Place(tmp_path / "other")
    other.zip.parent.mkdir()
    write_zip(other.zip, members(), overrides=double)
    other.extract()
    assert other.contents() == single


def test_no_return_becomes_the_maximum_range_and_counts_as_none(place: Place) -> None:
    ranges = range_array("cubes", "0000")
    ranges[0, :3] = (0, np.nan, np.inf)
    write_zip(place.zip, members(), overrides={"cubes/lidar/0000.npy": npy(ranges)})
    with pytest.raises(BadSamplesError, match=r"lidar\.no_return must list nan"):
        place.extract()
    place.extract(no_return=["zero", "nan", "inf"])
    samples = open_samples(place.samples)
    np.testing.assert_array_equal(samples.lidar[0, 0, :3], [MAX_RANGE] * 3)
    np.testing.assert_array_equal(samples.lidar[0, 1:], ranges[1:])


def test_it_says_how_much_each_sensor_carries(place: Place) -> None:
    black = np.zeros((*IMAGE_SIZE, 3), np.uint8)
    half = black.copy()
    half[: IMAGE_SIZE[0] // 2, :, 2] = 1
    empty = np.full(LIDAR_SIZE, MAX_RANGE, np.float32)
    two = empty.copy()
    two[0, :2] = 10
    ids = {"cubes": ("0", "1"), "spheres": ("0", "1")}
    images = [black, half, half, np.full_like(black, 7)]
    maps = [empty, two, empty, empty]
    keys = expected_keys(ids)
    overrides = {f"{c}/rgb/{k}.png": png(i) for (c, k), i in zip(keys, images, strict=True)}
    overrides |= {f"{c}/lidar/{k}.npy": npy(m) for (c, k), m in zip(keys, maps, strict=True)}
    write_zip(place.zip, members(ids), overrides=overrides)
    summary = place.extract()
    assert summary["rgb"] == {"pixels_not_black": 50.0, "images_of_one_colour": 2}
    share = 100 * 2 / (4 * LIDAR_SIZE[0] * LIDAR_SIZE[1])
    assert summary["lidar"] == {"cells_with_return": share, "maps_without_return": 3}
    text = "\n".join(report_lines(params(place.zip), summary))
    assert "images: 50.0 % of pixels are not black; 2 of 4 have one colour" in text
    assert "LiDAR maps: 1.0 % of cells have a return; 3 of 4 have none" in text
    assert "warning: many images have one colour" in text
    assert "warning: many LiDAR maps have no return; look at lidar.max_range" in text


@pytest.mark.parametrize(("images", "maps"), [(1, 0), (0, 1), (1, 1), (0, 0), (2, 2)])
def test_it_warns_above_a_tenth_of_the_samples(place: Place, images: int, maps: int) -> None:
    write_zip(place.zip, members({"cubes": ("0", "1"), "spheres": ("0", "1")}))
    summary = place.extract()
    pairs = {"cubes": 10, "spheres": 5}
    made = summary | {
        "pairs": pairs,
        "rgb": summary["rgb"] | {"images_of_one_colour": images},
        "lidar": summary["lidar"] | {"maps_without_return": maps},
    }
    lines = report_lines(params(place.zip), made)
    # One of fifteen is below, two are above.
    assert sum(line.startswith("warning: ") for line in lines) == (images > 1) + (maps > 1)
