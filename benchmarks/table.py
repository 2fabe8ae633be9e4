"""Print results as Markdown: python benchmarks/table.py [--write] [file …]

Without files: all that bench.py left in benchmarks/results/. With --write, README.md and
docs/speed.md are made to show what is there.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Read the arguments and the results, print their tables."""
    parser = cli.parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="JSON files that bench.py wrote")
    parser.add_argument("--write", action="store_true", help="into README.md and docs/speed.md")
    arguments = parser.parse_args()
    from benchmarks.documents import read_results, result_files, write
    from benchmarks.markdown import tables

    if arguments.write:
        write(ROOT)
        return
    print(tables(read_results(arguments.files or result_files(ROOT))))


if __name__ == "__main__":
    cli.run(main)
