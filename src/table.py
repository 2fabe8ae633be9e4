"""Show a comparison that stage compare wrote: python src/table.py [REV]

REV is a git revision or the name of an experiment; without it, the workspace is shown.
"""

from pathlib import Path

from fusebench import cli

TABLE = Path("metrics/comparison.csv")


def main() -> None:
    """Print metrics/comparison.csv as a table, and which fusion to use."""
    parser = cli.parser(__doc__)
    parser.add_argument("rev", nargs="?", help="git revision or experiment")
    rev = parser.parse_args().rev

    from fusebench.report.pairs import PAIRS, parse_pairs, read_pairs
    from fusebench.report.table import screen_table
    from fusebench.report.verdict import baseline_remark, on_screen, recommendation
    from fusebench.samples.samples import parse_csv, read_csv

    if rev is None:
        lines, pairs = read_csv(TABLE, ("Model",)), read_pairs(PAIRS)
    else:
        from fusebench.revisions.revisions import read_text

        lines = parse_csv(TABLE, read_text(TABLE, rev), ("Model",))
        pairs = parse_pairs(read_text(PAIRS, rev))
    print(screen_table(lines))
    print(on_screen([recommendation(pairs), baseline_remark(lines)]))


if __name__ == "__main__":
    cli.run(main)
