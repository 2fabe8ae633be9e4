"""Stage train@<fusion>: python src/train.py late

Trains all seeds of one fusion and writes models/<fusion>/, plots/training/<fusion>.csv and
metrics/training/<fusion>.json.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments and params, train."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams
    from fusebench.files import read_json
    from fusebench.inputs.lidar import LidarParams
    from fusebench.models import registry
    from fusebench.training.settings import TrainParams, read_override, with_override

    registry.check_name(fusion)
    # Params first: a wrong value is refused before torch is even imported.
    override = read_override(
        read_json(Path("checked/override") / f"{fusion}.json"), f"params.yaml: override.{fusion}"
    )
    params = with_override(load_section(PARAMS_FILE, "train", TrainParams), override)
    lidar = load_section(PARAMS_FILE, "lidar", LidarParams)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.device import prepare, resolve_precision
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples
    from fusebench.training.progress import Progress
    from fusebench.training.train import Places, Recipe, train_fusion

    device = prepare(runtime)
    precision = resolve_precision(params.precision, device)
    seeds = ", ".join(map(str, params.seeds))
    print(
        f"{fusion}: seeds {seeds} on {device.name} ({device.reason}), {device.threads} thread(s), "
        f"{precision} (train.precision is {params.precision})",
        flush=True,
    )
    train_fusion(
        Recipe(fusion, params, lidar, precision),
        open_samples(Path("data/samples")),
        read_manifest(Path("data/split.csv")),
        device,
        Progress(runtime.progress, len(params.seeds)),
        Places.of(fusion),
    )


if __name__ == "__main__":
    cli.run(main)
