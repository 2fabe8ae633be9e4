"""What a trained fusion answers for new samples: python src/predict.py concat rgb.png lidar.npy

Takes a file per sensor that the fusion sees; or one folder with rgb/ and lidar/; or one table (CSV,
Parquet) with columns id, rgb and lidar. Prints CSV: class, its probability as the mean over the
seeds' models (each by its temperature, where compare.temperature is true), and how much they
differ. Samples are prepared as those that the models were trained on. docs/predict.md says more.
"""

import sys
from argparse import Namespace
from pathlib import Path

from fusebench import cli
from fusebench.errors import ParamsError

SUFFIXES = (".csv", ".json")
MODELS = Path("models")


def main() -> None:
    """Read the arguments, predict."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a fusion that was trained")
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="+", help="what to predict")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="default: models/<fusion>")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="default: all")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"{' or '.join(SUFFIXES)}")
    parser.add_argument("--raw", action="store_true", help="without temperatures")
    parser.add_argument("--skip-bad", action="store_true", help="leave out what cannot be read")
    arguments = parser.parse_args()

    from fusebench.models.registry import FUSIONS
    from fusebench.recorded import check_files

    FUSIONS.check(arguments.fusion)
    models = arguments.models or MODELS / arguments.fusion
    if arguments.output is not None:
        _check_output(arguments.output, arguments.paths, models)
    check_files([models])
    _predict(arguments, models)


def _check_output(output: Path, paths: list[Path], models: Path) -> None:
    """Refuse, before any work, a file that cannot be written, is read, or belongs to a stage."""
    from fusebench.recorded import used_by

    if output.suffix not in SUFFIXES:
        raise ParamsError(f"--output {output}: must end in {' or '.join(SUFFIXES)}")
    if output.is_dir() or not output.parent.is_dir():
        wrong = "is a folder" if output.is_dir() else f"there is no folder {output.parent}"
        raise ParamsError(f"--output {output}: {wrong}")
    if output.resolve() in [path.resolve() for path in paths]:
        raise ParamsError(f"--output {output}: is read, and would be replaced")
    if output.resolve().is_relative_to(models.resolve()):
        raise ParamsError(f"--output {output}: is in the folder of the models, {models}")
    if stage := used_by(output):
        raise ParamsError(f"--output {output}: belongs to stage {stage} in dvc.lock")


def _predict(arguments: Namespace, models: Path) -> None:
    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams, prepare
    from fusebench.inference.runtime import DEFAULT

    runtime = DEFAULT
    # Models from elsewhere are asked in any folder, whose params.yaml may be that of another tool.
    if PARAMS_FILE.exists() and models.resolve().parent == MODELS.resolve():
        runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.aside import replace_file
    from fusebench.inference.predict import answer_files
    from fusebench.inference.table import as_csv, as_json

    output = arguments.output
    answers = answer_files(
        arguments.paths, models, arguments.seeds, fusion=arguments.fusion,
        calibrated=not arguments.raw, skip_bad=arguments.skip_bad,
        batch_size=arguments.batch_size, device=prepare(runtime),
        say=lambda line: cli.show(line, sys.stderr),
    )  # fmt: skip
    text = as_json(answers) if output is not None and output.suffix == ".json" else as_csv(answers)
    if output is None:
        print(text, end="")
        return
    with replace_file(output) as aside:
        aside.write_text(text, "utf-8", newline="")
    print(f"{output}: {len(answers.ids)} samples")


if __name__ == "__main__":
    cli.run(main)
