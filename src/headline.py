"""Stage headline: python src/headline.py

Writes the figures of the fusion under study (`fusion` in params.yaml) to metrics/headline.json:
val first, to choose by; then test, to quote.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and that fusion's metrics, write its headline."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys
    from fusebench.files import read_json, write_json
    from fusebench.models.registry import StrategyParams
    from fusebench.report.headline import headline, headline_lines

    fusion = load_keys(PARAMS_FILE, StrategyParams).fusion
    figures = headline(read_json(Path("metrics/fusions") / f"{fusion}.json"))
    write_json(Path("metrics/headline.json"), figures)
    print("\n".join(headline_lines(fusion, figures)))


if __name__ == "__main__":
    cli.run(main)
