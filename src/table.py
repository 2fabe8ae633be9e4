"""Show a comparison that stage compare wrote: python src/table.py [REV]

REV is a git revision or the name of an experiment; without it, the workspace is shown.
"""

from pathlib import Path

from fusebench import cli

TABLE = Path("metrics/comparison.csv")


def main() -> None:
    """Print metrics/comparison.csv as a table."""
    parser = cli.parser(__doc__)
    parser.add_argument("rev", nargs="?", help="git revision or experiment")
    rev = parser.parse_args().rev

    from fusebench.comparison.table import screen_table
    from fusebench.data.samples import parse_csv, read_csv

    if rev is None:
        lines = read_csv(TABLE, ("Model",))
    else:
        from fusebench.comparison.revisions import read_text

        lines = parse_csv(TABLE, read_text(TABLE, rev), ("Model",))
    print(screen_table(lines))


if __name__ == "__main__":
    cli.run(main)
