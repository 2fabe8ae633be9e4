"""Stage synthesize: python src/synthesize.py data/demo.zip

Renders the demonstration archive of a task, in the real one's layout. The same params give the same
bytes.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments and params, render the archive, say what is in it."""
    parser = cli.parser(__doc__)
    parser.add_argument("archive", type=Path, help="the zip to write")
    archive = parser.parse_args().archive

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.synthetic.archive import write_archive
    from fusebench.synthetic.settings import SynthesizeParams

    params = load_section(PARAMS_FILE, "synthesize", SynthesizeParams)
    write_archive(archive, params)
    counts = " and ".join(f"{count:,} {name}" for name, count in params.class_counts().items())
    megabytes = archive.stat().st_size / 1e6
    print(f"{archive}: task {params.task}: {counts}, seed {params.seed}, {megabytes:.1f} MB")


if __name__ == "__main__":
    cli.run(main)
