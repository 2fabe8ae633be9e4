"""Stage headline: python src/headline.py

Measures the kept predictions of the fusion under study (`fusion` in params.yaml) and writes its
figures to metrics/headline.json: val first, to choose by; then test, to quote.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and that fusion's predictions, write its headline."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys
    from fusebench.evaluation.measure import fusion_metrics
    from fusebench.files import write_json
    from fusebench.models.registry import FusionParams
    from fusebench.prediction.predictions import read_predictions
    from fusebench.report.headline import headline, headline_text
    from fusebench.report.table import SCREEN_WIDTH

    fusion = load_keys(PARAMS_FILE, FusionParams).fusion
    figures = headline(fusion_metrics(read_predictions(Path("predictions") / fusion)))
    write_json(Path("metrics/headline.json"), figures)
    print(headline_text(fusion, figures, SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
