"""An archive of one's own through the real DVC, by the README; and the demonstration's."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import encoded, npy
from tests.project import ROOT, SENSORS, Project, make_project, stages_run

pytestmark = pytest.mark.slow

CLASSES = ("bikes", "cars", "signs")
COUNTS = (40, 35, 30)
ROWS, COLUMNS, CELLS = 48, 80, 32
NO_RETURN = 80.0


def sample(label: int, generator: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """An image of 48 × 80 and a map of 32 × 32: an object whose size tells its class."""
    image = generator.integers(0, 80, (ROWS, COLUMNS, 3), np.uint8)
    image[10 : 26 + 7 * label, 25:55] = (60 * (label + 1),) * 3
    ranges = np.full((CELLS, CELLS), NO_RETURN)
    ranges[8 : 14 + 5 * label, 10:22] = np.float32(generator.uniform(5, 20))
    ranges[0, 0], ranges[0, 1] = np.nan, 0
    return image, ranges


def write_archive(path: Path, azimuth: float = 0.0) -> None:
    """Three classes, deep in the zip, with what lies about in folders; float64 where it is exact.

    The sensor looks `azimuth` radians past the camera.
    """
    generator = np.random.default_rng(0)
    angles = np.linspace(-0.4, 0.4, CELLS, dtype="f4").astype("f8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for label, name in enumerate(CLASSES):
            folder = f"export/2031/run one/{name}"
            turned = (angles + azimuth).astype("f4")
            archive.writestr(f"{folder}/azimuth.npy", npy(turned))
            archive.writestr(f"{folder}/zenith.npy", npy(angles))
            for number in range(COUNTS[label]):
                image, ranges = sample(label, generator)
                jpeg = encoded(Image.fromarray(image), "JPEG", quality=90)
                archive.writestr(f"{folder}/rgb/frame-{number}.jpg", jpeg)
                archive.writestr(f"{folder}/lidar/frame-{number}.npy", npy(ranges))
            archive.writestr(f"{folder}/lidar/frame-unpaired.npy", npy(ranges))
            archive.writestr(f"{folder}/rgb/notes.txt", "not a sample")


# What init cannot see, and what is not of the data.
CHOSEN = {"split.holdout": 0.1, "split.train": 0.5, "lidar.align": "camera"}


def readme_commands() -> list[str]:
    """The commands of the README's section, in their order."""
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## Your own data\n")[2]
    block = re.search(r"\n```\n(.*?)\n```\n", section.partition("\n## ")[0], re.DOTALL)
    assert block is not None
    return [line.partition("  #")[0].strip() for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project in which the README's section was followed word by word, and what that printed.

    But that the data are a zip.
    """
    folder = tmp_path_factory.mktemp("own")
    project = make_project(folder / "project")
    write_archive(project.root / "data/mine.zip")
    look, keep, run = readme_commands()
    assert look == "cp -r ~/mine data/mine && make init DATA=data/mine"
    # This environment is set up.
    project.run("make", "-o", "setup", "init", "DATA=data/mine.zip")
    sensors = project.root / "data/sensors-mine.yaml"
    written = sensors.read_text("utf-8")
    assert "focal_length:\n" in written
    sensors.write_text(written.replace("focal_length:\n", "focal_length: 70.0\n"), "utf-8")
    project.set_params(CHOSEN)
    project.run("sh", "-c", keep.replace("data/mine", "data/mine.zip"))
    output = project.run("sh", "-c", run)
    project.dvc("remote", "add", "--default", "store", str(folder / "store"))
    project.commit("a place to keep results")
    return project, output.stdout + output.stderr


def _json(project: Project, path: str) -> Any:
    return json.loads((project.root / path).read_text("utf-8"))


def test_init_writes_what_the_archive_tells(own: tuple[Project, str]) -> None:
    root = own[0].root
    data = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["data"]
    assert (data["archive"], data["layout"]) == ("data/mine.zip", "class_folders")
    assert (data["sensors"], data["positive"]) == ("data/sensors-mine.yaml", "signs")
    assert data["classes"] == list(CLASSES)
    sensors = yaml.safe_load((root / "data/sensors-mine.yaml").read_text("utf-8"))
    assert sensors["camera"]["image_size"] == [ROWS, COLUMNS]
    lidar = sensors["lidar"]
    assert (lidar["size"], lidar["max_range"]) == ([CELLS, CELLS], NO_RETURN)
    assert set(lidar["no_return"]) == {"nan", "zero"}


def test_three_classes_run_by_the_readme(own: tuple[Project, str]) -> None:
    project, output = own
    stages = stages_run(output)
    assert {"check", "extract", "check_inputs", "train@add", "compare", "gallery"} <= set(stages)
    assert not [name for name in stages if name.startswith("synthesize")]
    data = _json(project, "metrics/data.json")
    assert data["pairs"] == dict(zip(CLASSES, COUNTS, strict=True))
    assert data["unmatched"]["cars"] == {"rgb": 0, "lidar": 1}
    assert data["synthetic"] is False
    assert 0 < data["lidar"]["cells_with_return"] < 30
    metrics = _json(project, "metrics/fusions/add.json")
    assert np.shape(metrics["test"]["seeds"]["0"]["confusion"]) == (3, 3)
    table = project.run("python", "src/show.py", "table").stdout
    assert "Recorded samples" in table
    assert "hadamard" in table
    # Three classes, and one cut: the positive class against the rest.
    assert "threshold" in table
    with (project.root / "plots/confusion/add.csv").open(encoding="utf-8") as file:
        assert set(CLASSES) <= set(file.read().replace(",", "\n").split())


def test_the_screen_says_how_much_of_each_sensor_there_is(own: tuple[Project, str]) -> None:
    output = own[1]
    for words in (
        "images: 100.0 % of pixels are not black; 0 of 105 have one colour",
        "of cells have a return; 0 of 105 have none",
        "lidar.align: camera keeps ",
        "0 of 105 maps keep none",
    ):
        assert words in output
    assert _json(own[0], "metrics/inputs.json")["lidar"]["maps_empty"] == 0
    assert _json(own[0], "metrics/inputs.json")["rgb"]["images"] == 105


def test_the_gallery_shows_images_of_another_shape(own: tuple[Project, str]) -> None:
    with Image.open(io.BytesIO((own[0].root / "plots/samples.png").read_bytes())) as picture:
        assert min(picture.size) > 300
    samples = np.load(own[0].root / "data/samples/rgb.npy", mmap_mode="r")
    assert samples.shape == (sum(COUNTS), ROWS, COLUMNS, 3)


def test_git_sees_neither_the_archive_nor_what_plots_leave(own: tuple[Project, str]) -> None:
    project = own[0]
    tracked = project.git("ls-files").split("\n")
    assert {"data/sensors-mine.yaml", "data/mine.zip.dvc", "metrics/inputs.json"} <= set(tracked)
    assert "data/mine.zip" not in tracked
    project.dvc("plots", "show")
    assert (project.root / "dvc_plots/index.html").is_file()
    assert project.git("status", "--porcelain") == ""


@pytest.mark.thorough
def test_own_data_are_pushed_and_pulled_though_no_demonstration_was_ever_made(
    own: tuple[Project, str], tmp_path: Path
) -> None:
    project = own[0]
    project.dvc("push")
    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("pull")
    assert (clone.root / "data/mine.zip").is_file()
    assert not (clone.root / "data/demo.zip").exists()
    for each in (project, clone):
        assert "Data and pipelines are up to date." in each.dvc("status")
        each.dvc("checkout")
        output = each.dvc("repro")
        assert "up to date" in output
        assert stages_run(output) == []
        assert "Everything is up to date" in each.dvc("push")
        assert each.git("status", "--porcelain") == ""


@pytest.fixture
def stored(clean: Project, tmp_path: Path) -> Iterator[Project]:
    """The small demonstration project, with a remote that git does not see."""
    clean.dvc("remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    yield clean
    (clean.root / ".dvc/config.local").unlink()


@pytest.mark.thorough
def test_the_demonstration_is_pushed_and_pulled(stored: Project, tmp_path: Path) -> None:
    stored.dvc("push")
    stored.run("git", "clone", "--quiet", str(stored.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    clone.dvc("pull")
    made = (stored.root / "data/demo.zip").read_bytes()
    assert (clone.root / "data/demo.zip").read_bytes() == made
    assert "Data and pipelines are up to date." in clone.dvc("status")
    assert stages_run(clone.dvc("repro")) == []


@pytest.mark.thorough
def test_another_demonstration_is_made_once(clean: Project) -> None:
    made = (clean.root / "data/demo.zip").read_bytes()
    output = clean.dvc("exp", "run", "-S", "synthesize.seed=3", "extract")
    assert stages_run(output) == ["check", "synthesize@demo", "extract"]
    assert (clean.root / "data/demo.zip").read_bytes() != made
    # And back: the run cache still holds the first.
    clean.git("checkout", "--", "params.yaml")
    output = clean.dvc("repro", "extract")
    assert "Stage 'synthesize@demo' is cached" in output
    assert stages_run(output) == []
    assert (clean.root / "data/demo.zip").read_bytes() == made


# --- The file of sensors ---


def test_a_change_of_the_sensors_reads_the_archive_again(clean: Project) -> None:
    path = clean.root / "data/sensors.yaml"
    path.write_text(f"# Another comment.\n{SENSORS}", "utf-8")
    assert clean.changed_stages() == {"check", "extract"}
    # The same samples come out of it: nothing is trained.
    assert stages_run(clean.dvc("repro")) == ["check", "extract"]


def test_another_file_of_sensors_is_named_by_an_experiment(clean: Project) -> None:
    (clean.root / "data/mine.yaml").write_text(SENSORS.replace("50.0", "60.0"), "utf-8")
    output = clean.dvc("exp", "run", "-S", "data.sensors=data/mine.yaml", "extract")
    assert stages_run(output) == ["check", "extract"]
    assert _json(clean, "data/samples/dataset.json")["sensors"]["lidar"]["max_range"] == 60.0


def test_wrong_sensors_are_refused_before_any_work(clean: Project) -> None:
    path = clean.root / "data/sensors.yaml"
    path.write_text(SENSORS.replace("max_range", "maxrange"), "utf-8")
    output = clean.dvc("repro", ok=False)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert lines[0].startswith(
        "error: data/sensors.yaml: unknown key 'lidar.maxrange'; did you mean 'lidar.max_range'?"
    )
    assert stages_run(output) == ["check"]


@pytest.mark.thorough
def test_a_key_that_moved_is_told_its_place(clean: Project) -> None:
    output = clean.dvc("exp", "run", "-S", "+data.max_range=60", ok=False)
    assert "unknown key 'data.max_range'; it is now lidar.max_range in the file that" in output
    assert stages_run(output) == ["check"]


# --- What carries nothing ---


def test_nothing_is_trained_where_the_camera_sees_no_return(own: tuple[Project, str]) -> None:
    project = own[0]
    write_archive(project.root / "data/turned.zip", azimuth=3.0)
    project.set_params({"data.archive": "data/turned.zip"})
    try:
        output = project.dvc("repro", "train@add", ok=False)
        assert not [name for name in stages_run(output) if name.startswith("train")]
        (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
        assert "no LiDAR map keeps a return under lidar.align = 'camera'" in line
        assert "data.sensors" in line
        # As stored, there is something to see.
        project.set_params({"lidar.align": "none"})
        assert stages_run(project.dvc("repro", "check_inputs"))[-1] == "check_inputs"
    finally:
        project.restore()


def test_other_shares_train_nothing_again(clean: Project) -> None:
    """Stage check_inputs runs, says other shares, and its output for training stays the same."""
    before = (clean.root / "data/inputs.json").read_bytes()
    clean.set_params({"lidar.align": "camera"})
    assert "check_inputs" in stages_run(clean.dvc("repro", "check_inputs"))
    assert (clean.root / "data/inputs.json").read_bytes() == before
    clean.set_params({"lidar.align": "none"})
    clean.dvc("repro", "check", "check_inputs")
    assert not [name for name in clean.changed_stages() if name.startswith("train")]


# --- The rest ---


def test_an_override_of_each_fusion_needs_no_plus(clean: Project) -> None:
    fusions = ("rgb_only", "late_matched")
    changes = [word for name in fusions for word in ("-S", f"override.{name}.lr=0.002")]
    output = clean.dvc("exp", "run", *changes, "check")
    assert stages_run(output) == ["check"]
    for name in fusions:
        assert _json(clean, f"checked/settings/{name}.json")["train"]["lr"] == 0.002


@pytest.mark.thorough
def test_bad_samples_of_ones_own_archive_stop_the_run_or_are_left_out(clean: Project) -> None:
    with (
        zipfile.ZipFile(clean.root / "data/demo.zip") as good,
        zipfile.ZipFile(clean.root / "data/own.zip", "w") as bad,
    ):
        for name in good.namelist():
            broken = name.endswith(("cubes/rgb/0003.png", "spheres/lidar/0005.npy"))
            bad.writestr(name, b"broken" if broken else good.read(name))
    clean.set_params({"data.archive": "data/own.zip"})
    output = clean.dvc("repro", "extract", ok=False)
    for member in ("cubes/rgb/0003.png", "spheres/lidar/0005.npy"):
        assert f"assessment/{member}: " in output
    assert "Traceback" not in output
    clean.set_params({"data.on_bad_sample": "skip"})
    clean.dvc("repro", "extract")
    data = json.loads((clean.root / "metrics/data.json").read_text("utf-8"))
    assert data["bad_samples"] == 2
    assert data["pairs"] == {"cubes": 89, "spheres": 59}
