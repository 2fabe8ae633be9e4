"""Stage extract: python src/extract.py data/samples

Reads the pairs of the archive that data.archive names into packed arrays, and writes what it
holds to metrics/data.json.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, extract, say what was found."""
    parser = cli.parser(__doc__)
    parser.add_argument("samples", type=Path, help="folder to write")
    arguments = parser.parse_args()

    from fusebench.config import load
    from fusebench.data.extract import extract
    from fusebench.data.settings import load_data_params
    from fusebench.data.summary import report_lines
    from fusebench.samples.sensors import Sensors

    params = load_data_params(Path("checked/classes.json"))
    sensors = load(Path(params.sensors), Sensors)
    summary = extract(params, sensors, arguments.samples, Path("metrics/data.json"))
    cli.show("\n".join(report_lines(params, summary)))


if __name__ == "__main__":
    cli.run(main)
