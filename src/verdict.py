"""Say what a comparison shows, pair by pair: python src/verdict.py [REV]

REV is a git revision or the name of an experiment; without it, the workspace is meant.
"""

from fusebench import cli


def main() -> None:
    """Print the sentences that metrics/pairs.csv allows."""
    parser = cli.parser(__doc__)
    parser.add_argument("rev", nargs="?", help="git revision or experiment")
    rev = parser.parse_args().rev

    from fusebench.report.pairs import PAIRS, parse_pairs, read_pairs
    from fusebench.report.verdict import on_screen, verdict

    if rev is None:
        pairs = read_pairs(PAIRS)
    else:
        from fusebench.revisions.revisions import read_text

        pairs = parse_pairs(read_text(PAIRS, rev))
    print(on_screen(verdict(pairs)))


if __name__ == "__main__":
    cli.run(main)
