"""Show the comparison that stage compare wrote: python src/table.py"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Print metrics/comparison.csv as a table."""
    cli.parser(__doc__).parse_args()

    from fusebench.comparison.table import screen_table
    from fusebench.data.samples import read_csv

    print(screen_table(read_csv(Path("metrics/comparison.csv"), ("Model",))))


if __name__ == "__main__":
    cli.run(main)
