"""Stage report: python src/report.py plots/report.html

Writes all that was found as one page that opens in a browser without a network: the answer, tables,
charts with the fusions to switch on and off, the samples that are missed most, and what it was made
of.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments and what the stages before wrote; write the page."""
    parser = cli.parser(__doc__)
    parser.add_argument("page", type=Path, help="HTML file to write")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load_keys
    from fusebench.models.registry import FusionParams
    from fusebench.page.page import write_page
    from fusebench.tracking.workspace import tell_comparison

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    size = write_page(Path(), fusions, arguments.page)
    print(f"{arguments.page}: {size / 1e6:.2f} MB", flush=True)
    # The last stage: all that there is to tell is there.
    tell_comparison(arguments.page)


if __name__ == "__main__":
    cli.run(main)
