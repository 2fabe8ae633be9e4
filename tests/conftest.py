"""A small synthetic archive, what the first stages make of it, and tiny inputs for training."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.project import Project, reproduced_project
from tests.reliability import Recorder, tally

if TYPE_CHECKING:
    from fusebench.device import Device
    from fusebench.inputs.inputs import Inputs
    from fusebench.samples.manifest import Manifest
    from fusebench.samples.samples import Samples
    from fusebench.training.loop import Task

__all__ = ["tally"]  # a fixture

SEEDS = (0, 1)
DATA = {
    "classes": ["cubes", "spheres"],
    "positive": "spheres",
    "layout": "class_folders",
    "manifest": None,
    "kitti": {"min_height": 25, "max_occlusion": 1, "max_truncation": 0.3, "margin": 0.1},
    "sensors": "data/sensors.yaml",
    "on_bad_sample": "error",
    "limits": {
        "members": 1000, "member_bytes": 1_000_000, "total_bytes": 10_000_000, "ratio": 500,
    },
}  # fmt: skip
TRAIN = {
    "seeds": SEEDS,
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.001,
    "weight_decay": 0.0,
    "schedule": "constant",
    "class_weights": "none",
    "augment": (),
    "pooling": "max",
    "precision": "fp32",
}
RUNTIME = {
    "device": "cpu", "threads": 1, "workers": 1, "portable": False, "progress": "off",
    "save_every": 10, "work_limit": 5, "memory_budget": "auto", "stacked": False,
    "tracker": "none",
}  # fmt: skip


# Files whose tests take five seconds and more together; other slow tests are marked in place.
SLOW = (
    "benchmarks/", "confirm/test_page.py", "cost/", "evaluation/test_chance.py",
    "evaluation/test_metrics.py", "models/test_encoders.py", "models/test_fusions.py",
    "page/test_browser.py", "page/test_page.py",
    "report/test_chance.py",
    "report/test_compare.py", "report/test_figures.py",
    "report/test_new_metric.py", "report/test_pairs.py", "report/test_pareto.py",
    "report/test_verdict.py", "revisions/test_diff.py", "statistics/", "studies/",
    "split/", "test_fairness.py", "test_portable.py", "test_precision.py", "test_startup.py",
    "training/test_fast_paths.py", "training/test_train.py",
)  # fmt: skip
# They take longest, so they begin, in this order. The first makes the project that the others copy;
# the second, on another worker meanwhile, one of its own.
FIRST = (
    "test_pipeline.py", "test_own_data.py", "studies/test_queued_dvc.py",
    "comment/test_comment_dvc.py", "test_experiments.py", "test_kills.py", "test_show.py",
    "studies/test_tuning_dvc.py", "studies/test_interactions_dvc.py", "test_repeats.py",
    "test_repeats_dvc.py", "test_stale_views.py", "test_interrupt.py", "test_stages.py",
    "report/test_page.py",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what `make test-all` asks for."""
    parser.addoption("--tally", action="store_true", help="write docs/reliability.md's numbers")


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what make hands on; count, if that is asked for."""
    # A make that runs these tests would hand its options and variables to those that tests run.
    for name in [name for name in os.environ if name.startswith(("MAKE", "MFLAGS"))]:
        del os.environ[name]
    # In the process that hears of all tests; pytest-xdist's workers hear of their own.
    if config.getoption("--tally") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and begin with the files that take longest."""
    names = {item: item.path.relative_to(Path(__file__).parent).as_posix() for item in items}
    for item, name in names.items():
        # Runs of DVC are slow, and what is thorough is.
        runs_dvc = "reproduced" in getattr(item, "fixturenames", ())
        if name.startswith(SLOW) or runs_dvc or item.get_closest_marker("thorough"):
            item.add_marker(pytest.mark.slow)
    order = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(names[item], len(FIRST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the golden training found that tests/golden.json does not hold yet."""
    reports = [
        report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)
    ]
    for name, text in (pair for report in reports for pair in report.user_properties):
        if name == "golden":
            terminalreporter.write_line(f"golden training: {text}", yellow=True)


@pytest.fixture(autouse=True)
def _signals_as_they_were(_signals: dict[int, Any]) -> Iterator[None]:
    """A script that ran in this process has set them; what tests start would ignore them then."""
    yield
    for number, handler in _signals.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def _signals() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@pytest.fixture(scope="session")
def params_text() -> str:
    """A complete, valid params.yaml: the tests' own, whatever the project's says."""
    return Path(__file__).with_name("default_params.yaml").read_text("utf-8")


@pytest.fixture(scope="session")
def samples_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stage extract makes of 60 synthetic cubes and 40 spheres. Read-only."""
    from tests.synthetic.made_up import synthesize_params

    from fusebench.config import load
    from fusebench.data.extract import extract
    from fusebench.data.settings import DataParams
    from fusebench.samples.sensors import Sensors
    from fusebench.synthetic.archive import write_archive

    root = tmp_path_factory.mktemp("small")
    write_archive(
        root / "small.zip",
        synthesize_params("shape", {"cubes": 60, "spheres": 40}, 1),
    )
    params = DataParams.model_validate({**DATA, "archive": str(root / "small.zip")})
    sensors = load(Path(__file__).with_name("sensors.yaml"), Sensors)
    extract(params, sensors, root / "samples", root / "data.json")
    return root / "samples"


@pytest.fixture(scope="session")
def samples(samples_folder: Path) -> Samples:
    """The small samples, opened."""
    from fusebench.samples.samples import open_samples

    return open_samples(samples_folder)


@pytest.fixture(scope="session")
def manifest_file(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of the small samples: 30 % train, 20 % val, 30 % test, for `SEEDS`. Read-only."""
    from fusebench.files import write_table
    from fusebench.split.draw import draw
    from fusebench.split.params import SplitParams

    shares = {"train": 0.3, "val": 0.2, "test": 0.3, "holdout": 0}
    params = SplitParams.model_validate(
        {**shares, "group": "id", "draws": "per_seed", "seed": 0},
    )
    path = tmp_path_factory.mktemp("split") / "split.csv"
    write_table(path, draw(samples.table, params, SEEDS))
    return path


@pytest.fixture(scope="session")
def manifest(manifest_file: Path) -> Manifest:
    """The split of the small samples, read."""
    from fusebench.samples.manifest import read_manifest

    return read_manifest(manifest_file)


@pytest.fixture(scope="session")
def cpu() -> Iterator[Device]:
    """The CPU with one thread, prepared as a stage prepares it."""
    import torch

    from fusebench.device import RuntimeParams, prepare

    threads = torch.get_num_threads()
    yield prepare(
        RuntimeParams(
            device="cpu",
            threads=1,
            workers=1,
            portable=False,
            progress="off",
            save_every=10,
            work_limit=5,
            memory_budget="auto",
            stacked=False,
            tracker="none",
        )
    )
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def trained(
    samples_folder: Path,
    samples: Samples,
    manifest_file: Path,
    manifest: Manifest,
    cpu: Device,
    params_text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A project's root in which fusion `add` was trained with two seeds. Read-only: copy it."""
    from fusebench.inputs.lidar import LidarParams
    from fusebench.progress import Progress
    from fusebench.training.recipe import Recipe, Training
    from fusebench.training.settings import TrainParams
    from fusebench.training.train import OutputPaths, train_fusion

    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(params_text, "utf-8")
    (root / "data").mkdir()
    shutil.copytree(samples_folder, root / "data/samples")
    shutil.copy(manifest_file, root / "data/split.csv")
    lidar = LidarParams(projection="spherical", align="none", normalize=True)
    recipe = Recipe("add", TrainParams.model_validate(TRAIN), lidar, "fp32")
    training = Training(recipe, samples, manifest, cpu, "")
    train_fusion(training, Progress("off", len(SEEDS)), OutputPaths.of("add", root))
    return root


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "project")


@pytest.fixture(scope="session")
def tiny_inputs() -> Callable[..., Inputs]:
    """Make random inputs in which the classes differ in brightness.

    Called with labels (a list), and optionally seed, contrast (0: the maps tell nothing), and size:
    height and width.
    """
    import torch

    from fusebench.inputs.inputs import Inputs

    def make(labels: list[int], seed: int = 0, contrast: float = 0.3, size: int = 16) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        label_tensor = torch.tensor(labels)
        maps = {
            name: torch.rand(len(labels), 4, size, size, generator=generator)
            + contrast * label_tensor[:, None, None, None]
            for name in ("rgb", "lidar")
        }
        return Inputs(maps, label_tensor)

    return make


@pytest.fixture
def tiny_task(tiny_inputs: Callable[..., Inputs], cpu: Device) -> Callable[..., Task]:
    """Make a training task on tiny inputs; keywords: fusion, seed, train, val, stem, any setting.

    The inputs are as small as the stem takes.
    """
    from fusebench.device import Precision
    from fusebench.models.base import ModelSpec
    from fusebench.models.settings import STEMS, StemName
    from fusebench.training.loop import Task
    from fusebench.training.settings import TrainParams

    def make(
        fusion: str = "add",
        seed: int = 0,
        train: Inputs | None = None,
        val: Inputs | None = None,
        stem: StemName = "notebook",
        **settings: Any,
    ) -> Task:
        size = STEMS[stem].smallest
        train = train or tiny_inputs([0, 0, 1] * 7, size=size)
        val = val or tiny_inputs([0, 1, 0, 1, 0], seed=1, size=size)
        # Not validated: a test may ask for a rate of 0.
        params = TrainParams.model_validate(TRAIN).model_copy(update={"batch_size": 8, **settings})
        classes = 1 + int(max(train.labels.max(), val.labels.max()))
        precision: Precision = "bf16" if params.precision == "bf16" else "fp32"
        spec = ModelSpec(fusion, max(2, classes), (size, size), params.pooling, precision, stem)
        return Task(spec, params, seed, train, val, 1, cpu.device)

    return make


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A small project after its first `dvc repro`, committed, and what that printed.

    Made once for all workers; each has a copy of its own.
    """
    base = tmp_path_factory.getbasetemp()
    # A worker's folder is in that of the run.
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "reproduced"
    return reproduced_project(shared, tmp_path_factory.mktemp("project"))


@pytest.fixture
def clean(reproduced: tuple[Project, str]) -> Project:
    """The same project as it was after the first run."""
    project, _ = reproduced
    project.restore()
    return project
