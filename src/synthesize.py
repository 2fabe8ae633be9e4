"""Render the demonstration archive: cubes and spheres as the real one has them.

Reads the section `synthesize` of params.yaml. The same params give the same bytes.
"""

from functools import partial
from pathlib import Path

from fusebench import cli


def synthesize(archive: Path) -> None:
    """Render the archive and say what is in it."""
    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.data.simulate import SynthesizeParams, write_archive

    params = load_section(PARAMS_FILE, "synthesize", SynthesizeParams)
    write_archive(archive, params)
    counts, megabytes = params.counts, archive.stat().st_size / 1e6
    print(
        f"{archive}: {counts.cubes} cubes and {counts.spheres} spheres, seed {params.seed}, "
        f"{megabytes:.1f} MB"
    )


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("archive", type=Path, help="the zip to write, such as data/demo.zip")
    cli.run(partial(synthesize, parser.parse_args().archive))
