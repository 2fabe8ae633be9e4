"""Look at data and write the params that fit: python src/init.py PATH [--layout L] [--sensors FILE]

PATH is a zip, a folder, or a table (CSV, Parquet) of samples. Writes section data and the shares of
params.yaml, and a file of sensors; says what it saw, and what it could not know. docs/your-data.md
says more.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, look, write, say what was seen."""
    parser = cli.parser(__doc__)
    parser.add_argument("path", metavar="PATH", type=Path, help="zip, folder or table")
    parser.add_argument("--layout", help="where several fit")
    parser.add_argument("--sensors", metavar="FILE", help="default: data/sensors-<name>.yaml")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    arguments = parser.parse_args()

    from fusebench.inspection.init import init

    lines = init(
        arguments.path.expanduser(),
        arguments.layout,
        arguments.sensors,
        write=not arguments.dry_run,
    )
    cli.show("\n".join(lines))


if __name__ == "__main__":
    cli.run(main)
