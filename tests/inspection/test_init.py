"""`make init`: what it sees in data, what it writes, and what it says that it cannot know."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data import kitti_files
from tests.data.archives import IDS, MAX_RANGE, encoded, members, npy, range_array, write_zip
from tests.in_process import run
from tests.project import ROOT, SENSORS

from fusebench.config import PARAMS_FILE, load, read
from fusebench.data.extract import extract
from fusebench.errors import ArchiveError, FusebenchError, ParamsError
from fusebench.inspection.init import init
from fusebench.params import Params
from fusebench.samples.sensors import Sensors

MANY = {name: [f"{number:03}" for number in range(40)] for name in IDS}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with params of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests/default_params.yaml", "params.yaml")
    Path("data").mkdir()
    Path("data/sensors.yaml").write_text(SENSORS, "utf-8")
    return tmp_path


def write_folder(root: Path, content: Mapping[str, bytes]) -> Path:
    for name, data in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def written(sensors: str) -> tuple[Params, Sensors]:
    """What stage check would read."""
    params = load(PARAMS_FILE, Params)
    assert params.data.sensors == sensors
    return params, load(Path(sensors), Sensors)


def extracted(params: Params, sensors: Sensors) -> dict[str, Any]:
    return extract(params.data, sensors, Path("samples"), Path("data.json"))


def said(lines: list[str], word: str) -> str:
    """The one line that says something of a key."""
    [line] = [line for line in lines if line.strip().startswith(word)]
    return line


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_the_seeds_layout_is_extracted_without_a_bad_sample(kind: str) -> None:
    content = members(MANY)
    path = (
        write_zip(Path("own set.zip"), content)
        if kind == "zip"
        else write_folder(Path("own set"), content)
    )
    lines = init(path, None, None, write=True)
    params, sensors = written("data/sensors-own-set.yaml")
    assert params.data.classes == ("cubes", "spheres")
    assert sensors.camera.image_size == (16, 32)
    assert (sensors.lidar.size, sensors.lidar.max_range) == ((6, 8), MAX_RANGE)
    assert (sensors.lidar.rows, sensors.lidar.quarter_turns) == ("azimuth", 1)
    summary = extracted(params, sensors)
    assert (summary["bad_samples"], summary["pairs"]) == (0, {"cubes": 40, "spheres": 40})
    assert "80 samples: 40 cubes, 40 spheres" in "\n".join(lines)
    assert "taken for no return: 50, the largest value" in said(lines, "lidar.max_range")


def test_keys_of_other_sections_and_unknown_ones_of_data_stay() -> None:
    before = read(PARAMS_FILE)
    init(write_zip(Path("own.zip"), members(MANY)), None, None, write=True)
    after = read(PARAMS_FILE)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"data", "split"}
    kept = ("kitti", "limits", "on_bad_sample")
    assert {key: after["data"][key] for key in kept} == {key: before["data"][key] for key in kept}
    assert {key: after["split"][key] for key in ("group", "draws", "seed")} == {
        key: before["split"][key] for key in ("group", "draws", "seed")
    }


def test_the_rarer_class_is_positive_and_said_to_be_a_choice() -> None:
    ids = {"a": MANY["cubes"], "b": MANY["cubes"][:30]}
    lines = init(write_zip(Path("own.zip"), members(ids)), None, None, write=True)
    assert load(PARAMS_FILE, Params).data.positive == "b"
    assert "the rarer one" in said(lines[lines.index("Could not know:") :], "data.positive")


def test_rows_and_turns_come_from_the_stored_angles() -> None:
    content = members(MANY, lidar_size=(6, 8))
    for name in MANY:
        # 6 rows and 8 columns: a zenith per row, and azimuths that fall to the right.
        content[f"{name}/zenith.npy"] = npy(np.radians(np.arange(6, dtype="f4")))
        content[f"{name}/azimuth.npy"] = npy(-np.radians(np.arange(8, dtype="f4")))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    params, sensors = written("data/sensors-own.yaml")
    assert (sensors.lidar.rows, sensors.lidar.quarter_turns) == ("zenith", 0)
    assert extracted(params, sensors)["bad_samples"] == 0
    assert "as the order of the stored angles has it" in said(lines, "lidar.quarter_turns")


@pytest.mark.parametrize(
    ("azimuth", "zenith", "turns"), [(1, 1, 1), (-1, -1, 3), (1, -1, None), (-1, 1, None)]
)
def test_turns_are_written_where_the_order_of_the_angles_tells_them(
    azimuth: int, zenith: int, turns: int | None
) -> None:
    content = members(MANY)
    for name in MANY:
        content[f"{name}/azimuth.npy"] = npy(azimuth * np.radians(np.arange(6, dtype="f4")))
        content[f"{name}/zenith.npy"] = npy(zenith * np.radians(np.arange(8, dtype="f4")))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    assert written("data/sensors-own.yaml")[1].lidar.quarter_turns == (turns or 0)
    if turns is None:
        assert "mirrored" in said(lines[lines.index("Could not know:") :], "lidar.quarter_turns")


def test_square_maps_leave_open_which_angle_a_row_has() -> None:
    content = members(MANY, lidar_size=(6, 6))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=False)
    assert "written: azimuth" in said(lines, "lidar.rows")


def test_values_that_may_mean_no_return_are_listed() -> None:
    content = members(MANY)
    for key in MANY["cubes"]:
        ranges = range_array("cubes", key)
        ranges[0, :3] = 0, np.nan, np.inf
        content[f"cubes/lidar/{key}.npy"] = npy(ranges)
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    params, sensors = written("data/sensors-own.yaml")
    assert set(sensors.lidar.no_return) == {"zero", "nan", "inf"}
    assert extracted(params, sensors)["bad_samples"] == 0
    assert "range of 0 is no return" in said(lines, "lidar.no_return")


def test_where_no_value_stands_out_the_largest_range_is_only_a_bound() -> None:
    content = members(MANY)
    for name, keys in MANY.items():
        for number, key in enumerate(keys):
            ranges = np.full((6, 8), 7.0, "f4") + np.arange(48).reshape(6, 8) / 64 + number / 1024
            content[f"{name}/lidar/{key}.npy"] = npy(ranges.astype("f4"))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    assert written("data/sensors-own.yaml")[1].lidar.max_range == 7.8
    assert "beyond the largest range" in said(lines, "lidar.max_range")


def test_what_files_do_not_tell_is_left_empty_and_then_refused_by_name() -> None:
    content = {
        f"{name}/{kind}/{key}.{ending}": data
        for name, keys in MANY.items()
        for key in keys
        for kind, ending, data in (
            ("rgb", "png", members({name: [key]})[f"{name}/rgb/{key}.png"]),
            ("lidar", "npy", npy(np.random.default_rng(int(key)).normal(size=(50, 4)))),
        )
    }
    lines = init(write_folder(Path("own"), content), None, None, write=True)
    left = ("lidar.axes", "lidar.size", "lidar.azimuth", "lidar.zenith")
    assert lines[-1].startswith(f"Next: fill in {', '.join(left)} in data/sensors-own.yaml")
    text = Path("data/sensors-own.yaml").read_text("utf-8")
    assert "format: points" in text
    assert text.count("# to be filled in: ") == len(left)
    with pytest.raises(ParamsError, match=r"data/sensors-own.yaml: lidar\.\w+ = empty"):
        load(Path("data/sensors-own.yaml"), Sensors)


def test_depth_images_are_told_by_their_ending() -> None:
    content = {}
    for name, keys in MANY.items():
        for key in keys:
            content[f"{name}/rgb/{key}.png"] = members({name: [key]})[f"{name}/rgb/{key}.png"]
            depth = Image.fromarray(np.full((6, 8), 900 + int(key), np.uint16))
            content[f"{name}/lidar/{key}.png"] = encoded(depth)
    lines = init(write_folder(Path("own"), content), None, None, write=True)
    assert "depth of 6 × 8 cells" in "\n".join(lines)
    assert "the largest value is 939" in said(lines, "lidar.max_range")
    assert read(Path("data/sensors-own.yaml"))["lidar"]["format"] == "depth"


def test_a_manifest_is_found_in_its_folder_or_named_itself() -> None:
    content = members(MANY)
    rows = ["id,class,rgb,lidar,group"]
    for name, keys in MANY.items():
        rows += [
            f"{name}-{key},{name},{name}/rgb/{key}.png,{name}/lidar/{key}.npy,{int(key) // 4}"
            for key in keys
        ]
    content = {
        **{f"one/{name}": data for name, data in content.items()},
        "azimuth.npy": content["cubes/azimuth.npy"], "zenith.npy": content["cubes/zenith.npy"],
        "samples.csv": "\n".join(rows).replace(",cubes/", ",one/cubes/")
        .replace(",spheres/", ",one/spheres/").encode(),
    }  # fmt: skip
    write_folder(Path("own"), content)
    with pytest.raises(ArchiveError, match=r"class_folders or manifest \(samples\.csv\)"):
        init(Path("own"), None, None, write=True)
    init(Path("own"), "manifest", None, write=False)
    lines = init(Path("own/samples.csv"), None, None, write=True)
    params, sensors = written("data/sensors-own.yaml")
    assert (params.data.archive, params.data.manifest) == ("own", "samples.csv")
    assert said(lines, "groups:").strip() == "groups: 10, each of which stays in one part"
    assert extracted(params, sensors)["bad_samples"] == 0


def test_a_table_may_name_files_above_its_folder() -> None:
    content = members(MANY)
    rows = ["id,class,rgb,lidar"]
    for name, keys in MANY.items():
        rows += [
            f"{name}-{key},{name},../{name}/rgb/{key}.png,../{name}/lidar/{key}.npy" for key in keys
        ]
    table = "\n".join(rows).encode()
    angles = {
        f"lists/{angle}.npy": content[f"cubes/{angle}.npy"] for angle in ("azimuth", "zenith")
    }
    write_folder(Path("own"), {**content, **angles, "lists/a.csv": table, "lists/b.csv": table})
    init(Path("own/lists/a.csv"), None, None, write=True)
    params, sensors = written("data/sensors-own.yaml")
    assert (params.data.archive, params.data.manifest) == ("own", "lists/a.csv")
    assert extracted(params, sensors)["bad_samples"] == 0


def test_a_class_of_which_every_row_is_bad_is_left_out() -> None:
    ids = dict.fromkeys(("a", "b", "c"), MANY["cubes"])
    content = members(ids)
    rows = ["id,class,rgb,lidar"]
    for name, keys in ids.items():
        folder = "nowhere" if name == "b" else name
        rows += [
            f"{name}{key},{name},{folder}/rgb/{key}.png,{name}/lidar/{key}.npy" for key in keys
        ]
    beside = {f"{angle}.npy": content[f"a/{angle}.npy"] for angle in ("azimuth", "zenith")}
    write_folder(Path("own"), {**content, **beside, "all.csv": "\n".join(rows).encode()})
    lines = init(Path("own/all.csv"), None, None, write=True)
    assert load(PARAMS_FILE, Params).data.classes == ("a", "c")
    assert "no such file" in said(lines, "data.classes: b is left out")
    Path("own/all.csv").write_text("\n".join(rows).replace(",a/rgb", ",x/rgb"), "utf-8")
    with pytest.raises(ArchiveError, match="fewer than two classes with a usable sample"):
        init(Path("own/all.csv"), None, None, write=True)


def test_a_table_without_a_row_is_refused() -> None:
    write_folder(Path("own"), {"a.csv": b"id,class,rgb,lidar\n"})
    with pytest.raises(ArchiveError, match="layout manifest lists no sample"):
        init(Path("own/a.csv"), None, None, write=True)


def test_a_table_that_is_no_manifest_says_what_it_lacks() -> None:
    write_folder(Path("own"), {"a.csv": b"id,class,rgb\n1,a,b.png\n"})
    with pytest.raises(ArchiveError, match=r"own/a\.csv: has no column lidar"):
        init(Path("own/a.csv"), None, None, write=True)


def test_kittis_layout_says_what_its_files_are_and_the_rest_is_a_choice() -> None:
    write_folder(Path("kitti"), kitti_files.members(kitti_files.crowd(60)))
    lines = init(Path("kitti"), None, None, write=True)
    params, sensors = written("data/sensors-kitti.yaml")
    assert (params.data.layout, sensors.lidar.format) == ("kitti", "points")
    assert sensors.camera.focal_length is None
    summary = extracted(params, sensors)
    assert summary["bad_samples"] == 0
    assert said(lines, "layout kitti").endswith(
        ", ".join(f"{count} {name}" for name, count in summary["pairs"].items())
    )
    assert "lidar.size [32, 64]" in said(lines, "what of an object")


def test_a_class_without_a_usable_sample_is_left_out_and_said_to_be() -> None:
    street = kitti_files.members(kitti_files.crowd(60))
    name = min(path for path in street if "label_2" in path)
    # Too far away: lower than data.kitti.min_height.
    tram = b"Tram 0.00 0 0.00 10.00 10.00 20.00 20.00 1.5 1.5 1.5 1.0 1.0 70.0 0.0\n"
    write_folder(Path("kitti"), {**street, name: street[name].rstrip(b"\n") + b"\n" + tram})
    lines = init(Path("kitti"), None, None, write=True)
    assert "Tram" not in load(PARAMS_FILE, Params).data.classes
    assert "no usable object of class 'Tram'" in said(lines, "data.classes: Tram is left out")


def test_large_images_are_brought_to_a_smaller_size_of_their_proportions() -> None:
    few = {name: keys[:8] for name, keys in MANY.items()}
    content = members(few, image_size=(480, 640))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    assert written("data/sensors-own.yaml")[1].camera.image_size == (96, 128)
    assert "images of 480 × 640 pixels" in "\n".join(lines)


def test_images_of_other_proportions_are_said_to_be_stretched() -> None:
    content = members(MANY)
    content["cubes/rgb/000.png"] = members({"cubes": ["000"]}, image_size=(32, 16))[
        "cubes/rgb/000.png"
    ]
    lines = init(write_zip(Path("own.zip"), content), None, None, write=False)
    assert said(lines, "images of").endswith(
        "brought to 16 × 32, which stretches them by 300 % at most"
    )


def test_shares_leave_each_class_in_each_part_or_it_is_said() -> None:
    few = {"a": MANY["cubes"], "b": ["000", "001"]}
    lines = init(write_zip(Path("own.zip"), members(few)), None, None, write=False)
    assert "no shares fit" in said(lines, "split: no")
    lines = init(write_zip(Path("own2.zip"), members(MANY)), None, None, write=False)
    assert "test has only 10" in said(lines, "split: test has")


def test_a_large_set_gets_a_holdout() -> None:
    ids = {name: [f"{number:04}" for number in range(500)] for name in ("a", "b")}
    content = members({"a": ["0"]})
    image, ranges = content["a/rgb/0.png"], content["a/lidar/0.npy"]
    alike = {f"{name}/rgb/{key}.png": image for name, keys in ids.items() for key in keys}
    alike |= {f"{name}/lidar/{key}.npy": ranges for name, keys in ids.items() for key in keys}
    for name in ids:
        alike |= {
            f"{name}/{angle}.npy": content[f"a/{angle}.npy"] for angle in ("azimuth", "zenith")
        }
    init(write_zip(Path("own.zip"), alike), None, None, write=True)
    assert load(PARAMS_FILE, Params).split.holdout == 0.1


def test_bad_samples_are_counted_and_some_named() -> None:
    content = members(MANY)
    for key in MANY["cubes"][:7]:
        content[f"cubes/rgb/{key}.png"] = b"no image"
    lines = init(write_zip(Path("own.zip"), content), None, None, write=False)
    text = "\n".join(lines)
    assert "7 bad sample(s)" in text
    assert text.count("not a PNG or JPEG") == 5
    assert "… and 2 more" in text


def test_what_no_file_could_tell_is_left_empty() -> None:
    content = members(MANY)
    broken = {name: b"broken" for name in content if name.endswith((".png", ".npy"))}
    kept = {name: content[name] for name in content if "azimuth" in name or "zenith" in name}
    lines = init(write_zip(Path("own.zip"), {**broken, **kept}), None, None, write=True)
    sensors = read(Path("data/sensors-own.yaml"))
    assert (sensors["camera"]["image_size"], sensors["camera"]["focal_length"]) == (None, None)
    assert (sensors["lidar"]["size"], sensors["lidar"]["max_range"]) == (None, None)
    assert lines[-1].startswith("Next: fill in camera.image_size, lidar.size, lidar.max_range")


def test_maps_that_float32_does_not_hold_are_told() -> None:
    content = members(MANY)
    content["cubes/lidar/000.npy"] = npy(range_array("cubes", "000").astype("f8") + 0.1)
    lines = init(write_zip(Path("own.zip"), content), None, None, write=False)
    assert "values that float32 does not hold" in "\n".join(lines)


def test_a_rounded_range_that_is_measured_a_few_times_is_no_return_of_none() -> None:
    content = members(MANY)
    for name, keys in MANY.items():
        for key in keys:
            ranges = np.round(
                range_array(name, key).clip(max=20) - np.arange(48).reshape(6, 8) / 9, 1
            )
            if key in ("000", "001"):
                ranges[0, :2] = 21
            content[f"{name}/lidar/{key}.npy"] = npy(ranges.astype("f4"))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=True)
    assert written("data/sensors-own.yaml")[1].lidar.max_range == 22
    assert "beyond the largest range, 21" in said(lines, "lidar.max_range")


def test_angles_that_extract_would_refuse_are_told() -> None:
    content = members(MANY)
    content["spheres/azimuth.npy"] = npy(np.radians(np.arange(6, dtype="f4") + 3))
    lines = init(write_zip(Path("own.zip"), content), None, None, write=False)
    assert "differs from" in said(lines, "how to mend what extract will refuse")


def with_points(size: tuple[int, int], shape: tuple[int, int]) -> dict[str, bytes]:
    """Arrays of a shape in place of maps, and so many stored angles."""
    content = members(MANY, lidar_size=size)
    for name, keys in MANY.items():
        for key in keys:
            values = np.random.default_rng(int(key)).uniform(1, 9, shape)
            content[f"{name}/lidar/{key}.npy"] = npy(values.astype("f4"))
    return content


def test_points_may_have_stored_angles() -> None:
    init(write_zip(Path("own.zip"), with_points((6, 8), (50, 3))), None, None, write=True)
    sensors = read(Path("data/sensors-own.yaml"))["lidar"]
    assert (sensors["format"], sensors["size"], sensors["azimuth"]) == ("points", [6, 8], "stored")
    assert sensors["axes"] is None


@pytest.mark.parametrize("shape", [(6, 3), (6, 4)])
def test_maps_of_few_columns_are_no_points_where_angles_say_so(shape: tuple[int, int]) -> None:
    init(write_zip(Path("own.zip"), with_points(shape, shape)), None, None, write=True)
    sensors = written("data/sensors-own.yaml")[1]
    assert (sensors.lidar.format, sensors.lidar.size) == ("ranges", shape)


def test_folders_of_classes_in_two_places_are_refused() -> None:
    content = members({name: ["0"] for name in "abcd"})
    below = {f"{'x' if name[0] in 'ab' else 'y'}/{name}": data for name, data in content.items()}
    with pytest.raises(ArchiveError, match=r"class_folders \(a, b\) or class_folders \(c, d\)"):
        init(write_folder(Path("own"), below), None, None, write=True)
    init(Path("own/x"), None, None, write=True)
    assert load(PARAMS_FILE, Params).data.classes == ("a", "b")


@pytest.mark.parametrize("path", [".", "data", "data/samples", "list.csv"])
def test_a_folder_that_holds_what_extract_writes_is_refused(path: str) -> None:
    Path("list.csv").write_text("id,class,rgb,lidar\n1,a,b.png,c.npy\n", "utf-8")
    with pytest.raises(ParamsError, match="holds data/samples, which stage extract writes"):
        init(Path(path), None, None, write=True)


def test_the_split_that_is_told_is_the_users() -> None:
    rows = ["id,class,rgb,lidar,group"]
    for name, keys in MANY.items():
        rows += [
            f"{name}-{key},{name},{name}/rgb/{key}.png,{name}/lidar/{key}.npy,{int(key) // 10}"
            for key in keys
        ]
    write_folder(Path("own"), {**members(MANY), "all.csv": "\n".join(rows).encode()})
    lines = init(Path("own/all.csv"), None, None, write=False)
    assert "test has only 1 groups with" in said(lines, "split: test has only")
    text = PARAMS_FILE.read_text("utf-8")
    PARAMS_FILE.write_text(text.replace("group: id", "group: none"), "utf-8")
    lines = init(Path("own/all.csv"), None, None, write=False)
    assert said(lines, "groups:").strip() == "groups: 4, split.group: none"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a.txt": b""}, "laid out in no way that is known"),
        (members({"cubes": ["1"]}), "one class, 'cubes'; two or more"),
    ],
)
def test_what_is_laid_out_in_no_known_way_is_refused(
    content: Mapping[str, bytes], message: str
) -> None:
    with pytest.raises(ArchiveError, match=message):
        init(write_folder(Path("own"), content), None, None, write=True)


def test_the_demonstration_is_refused_with_what_to_set() -> None:
    from tests.synthetic.made_up import synthesize_params

    from fusebench.synthetic.archive import write_archive

    write_archive(Path("copy.zip"), synthesize_params("shape", {"cubes": 9, "spheres": 9}, 1))
    with pytest.raises(ParamsError, match=r"demonstration.*data/demo\.zip"):
        init(Path("copy.zip"), None, None, write=True)


def test_a_file_of_sensors_with_other_content_is_not_overwritten() -> None:
    path = write_zip(Path("own.zip"), members(MANY))
    init(path, None, None, write=True)
    # The same again changes nothing.
    init(path, None, None, write=True)
    file = Path("data/sensors-own.yaml")
    mine = file.read_text("utf-8").replace("max_range: 50.0", "max_range: 60.0")
    file.write_text(mine, "utf-8")
    before = PARAMS_FILE.read_bytes()
    with pytest.raises(ParamsError, match=r"data/sensors-own\.yaml: is there"):
        init(path, None, None, write=True)
    assert (file.read_text("utf-8"), PARAMS_FILE.read_bytes()) == (mine, before)
    file.write_bytes(b"\xff")
    with pytest.raises(ParamsError, match=r"data/sensors-own\.yaml: is there"):
        init(path, None, None, write=True)
    init(path, None, "data/other.yaml", write=True)
    assert written("data/other.yaml")[1].lidar.max_range == MAX_RANGE


def test_a_dry_run_writes_nothing(place: Path) -> None:
    path = write_zip(Path("own.zip"), members(MANY))
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    lines = init(path, None, None, write=False)
    assert lines[-1] == "Nothing was written (a dry run)."
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


def test_an_archive_beyond_the_limits_is_refused_before_it_is_opened() -> None:
    text = PARAMS_FILE.read_text("utf-8").replace("members: 1000000", "members: 10")
    PARAMS_FILE.write_text(text, "utf-8")
    with pytest.raises(FusebenchError, match=r"data\.limits\.members allows 10"):
        init(write_zip(Path("own.zip"), members(MANY)), None, None, write=True)


def test_the_script_says_what_it_saw_and_fails_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("init", str(write_zip(Path("own.zip"), members(MANY)))) == 0
    assert capsys.readouterr().out.startswith("Saw:\n  layout class_folders, 80 samples")
    assert run("init", "nothing.zip") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert run("init", "own.zip", "--layout", "zebra") == 1
    assert "'zebra' is no layout" in capsys.readouterr().err
