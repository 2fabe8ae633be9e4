"""Write a trained fusion as one file: python src/export.py concat --format onnx

From what the sensors recorded to probabilities: the mean over all kept seeds' models, in fp32. The
file is run on all of test beside the models in torch, and is not written if it differs. Beside it
lie README.md, its card, and export.json. docs/export.md says more.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, export."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a fusion that was trained")
    parser.add_argument("--format", required=True, metavar="NAME", help="onnx or torch")
    parser.add_argument("--seed", type=int, metavar="N", help="one model; default: the mean of all")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER",
        help="default: exports/<fusion>-<format>, with --seed exports/<fusion>-seed_<N>-<format>",
    )  # fmt: skip
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams, prepare
    from fusebench.export.format import FORMATS
    from fusebench.models.registry import FUSIONS
    from fusebench.recorded import check_files

    fusion, name, seed = arguments.fusion, arguments.format, arguments.seed
    FUSIONS.check(fusion)
    FORMATS.check(name)
    of_seed = "" if seed is None else f"-seed_{seed}"
    folder = arguments.output or Path("exports") / f"{fusion}{of_seed}-{name}"
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.export.export import export, read_paths

    check_files(read_paths(fusion))
    # What is exported runs anywhere, and is checked where everybody has it.
    threads = prepare(runtime.model_copy(update={"device": "cpu"})).threads
    for line in export(fusion, name, folder, seed, threads).lines:
        cli.show(line)


if __name__ == "__main__":
    cli.run(main)
