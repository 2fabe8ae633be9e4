"""Stage split: python src/split.py data/samples data/split.csv

Draws test once, then train and val for each seed, and prints what each part holds.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, draw, write the manifest."""
    parser = cli.parser(__doc__)
    parser.add_argument("samples", type=Path, help="folder that stage extract wrote")
    parser.add_argument("manifest", type=Path, help="CSV file to write")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.data.split import SplitParams, counts_table, draw
    from fusebench.samples.manifest import write_manifest
    from fusebench.samples.samples import read_dataset, read_rows
    from fusebench.training.settings import TrainParams

    params = load_section(PARAMS_FILE, "split", SplitParams)
    seeds = load_section(PARAMS_FILE, "train", TrainParams).seeds
    rows = read_rows(arguments.samples)
    parts = draw(rows, params, seeds)
    write_manifest(arguments.manifest, rows, parts)
    print(counts_table(rows, parts, read_dataset(arguments.samples).classes))


if __name__ == "__main__":
    cli.run(main)
