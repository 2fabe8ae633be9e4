"""Keep the comparison of a revision or experiment: python src/keep.py REV metrics/verdict

Copies its tables and pictures from git, and writes verdict.md beside them.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, copy, draw the verdict."""
    parser = cli.parser(__doc__)
    parser.add_argument("rev", help="git revision or experiment")
    parser.add_argument("folder", type=Path, help="folder to write, replaced as a whole")
    arguments = parser.parse_args()

    from fusebench.report.export import keep
    from fusebench.revisions.revisions import read_bytes

    keep(lambda path: read_bytes(path, arguments.rev), arguments.folder)
    print((arguments.folder / "verdict.md").read_text("utf-8"), end="")


if __name__ == "__main__":
    cli.run(main)
