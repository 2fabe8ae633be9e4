"""Stage train@<fusion>: python src/train.py late

Trains all seeds of one fusion and writes models/<fusion>/, plots/training/<fusion>.csv and
metrics/training/<fusion>.json.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from fusebench import cli

if TYPE_CHECKING:
    from fusebench.device import RuntimeParams
    from fusebench.inputs.lidar import LidarParams
    from fusebench.models.settings import ModelSettings
    from fusebench.training.settings import TrainParams


def main() -> None:
    """Read the arguments and settings, train."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams
    from fusebench.models.registry import FUSIONS

    FUSIONS.check(fusion)
    # Before what imports numpy, which reads the environment then.
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.training.settings import read_settings

    # Settings first: a wrong value is refused before torch is even imported.
    _train(fusion, runtime, *read_settings(Path("checked/settings") / f"{fusion}.json"))


def _train(
    fusion: str,
    runtime: "RuntimeParams",
    train: "TrainParams",
    lidar: "LidarParams",
    model: "ModelSettings",
) -> None:
    """Say what is trained on what, train."""
    from functools import partial

    from fusebench.device import prepare, resolve_precision
    from fusebench.progress import Progress
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples
    from fusebench.stages import place
    from fusebench.tracking.live import told
    from fusebench.tracking.session import Session
    from fusebench.training.kept import KeptSeeds
    from fusebench.training.recipe import Recipe, Training, loaded_code
    from fusebench.training.train import OutputPaths, same_code, train_fusion
    from fusebench.training.workers import trainer_of, worker_count

    device, where = prepare(runtime), place(fusion)
    corruptions = list(train.probabilities)
    code = loaded_code(fusion, corruptions)
    training = Training(
        Recipe(fusion, train, lidar, resolve_precision(train.precision, device), model),
        open_samples(Path("data/samples")),
        read_manifest(Path("data/split.csv")),
        device,
        code,
        runtime.stacked,
    )
    name = f"{fusion} ({where})" if where else fusion
    workers = worker_count(runtime, device, len(train.seeds))
    beside = f"{workers} seeds at a time, each with " if workers > 1 else ""
    if training.together:
        beside = "in one pass, "
    print(
        f"{name}: seeds {', '.join(map(str, train.seeds))} on {device.name} ({device.reason}), "
        f"{beside}{device.threads} thread(s), {training.recipe.precision} (train.precision is "
        f"{train.precision})",
        flush=True,
    )
    # Without what may come: the moving line has no room for it.
    place_alone = where.partition(",")[0]
    shown = Progress(runtime.progress, len(train.seeds), place=place_alone)
    paths = OutputPaths.of(fusion)
    with (
        Session(runtime.tracker, fusion) as session,
        shown,
        told(session, training, paths, shown) as progress,
    ):
        kept = KeptSeeds.of(runtime, progress.note, partial(same_code, fusion, corruptions, code))
        train_fusion(training, progress, paths, kept, trainer_of(runtime, workers))


if __name__ == "__main__":
    cli.run(main)
