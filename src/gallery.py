"""Stage gallery: python src/gallery.py data/samples plots/samples.png

Draws a few samples of each class, RGB beside LiDAR, without and with alignment, and says how many
returns each alignment keeps.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, draw."""
    parser = cli.parser(__doc__)
    parser.add_argument("samples", type=Path, help="folder that stage extract wrote")
    parser.add_argument("picture", type=Path, help="PNG file to write")
    arguments = parser.parse_args()

    from fusebench.report.gallery import write_gallery
    from fusebench.samples.samples import open_samples
    from fusebench.survival import shares_line

    # Of all samples, the holdout's among them: no model or rule answers here.
    samples = open_samples(arguments.samples)
    write_gallery(samples, arguments.picture, shares_line(samples))


if __name__ == "__main__":
    cli.run(main)
