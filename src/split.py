"""Stage split: python src/split.py data/samples data/split.csv

Draws holdout and test once, then train and val for each seed, and prints what each part holds.
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
    from fusebench.files import write_table
    from fusebench.samples.samples import read_dataset, read_samples_table
    from fusebench.split.draw import draw, part_counts, read_seeds
    from fusebench.split.params import SplitParams

    params = load_section(PARAMS_FILE, "split", SplitParams)
    seeds = read_seeds(Path("checked/seeds.json"))
    manifest = draw(read_samples_table(arguments.samples), params, seeds)
    write_table(arguments.manifest, manifest)
    print(part_counts(manifest, seeds, read_dataset(arguments.samples).classes).to_string())


if __name__ == "__main__":
    cli.run(main)
