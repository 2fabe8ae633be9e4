"""Stage headline: python src/headline.py

Measures the kept predictions of the fusion under study (`fusion` in params.yaml), shows all its
metrics, and writes those that DVC compares to metrics/headline.json: val first, to choose by; then
test, to quote.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and that fusion's predictions, write its headline."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys
    from fusebench.evaluation.compared import headline_figures
    from fusebench.evaluation.measure import fusion_metrics
    from fusebench.files import write_json
    from fusebench.models.registry import FusionParams
    from fusebench.prediction.predictions import read_predictions
    from fusebench.report.headline import headline_text
    from fusebench.report.table import SCREEN_WIDTH

    fusion = load_keys(PARAMS_FILE, FusionParams).fusion
    metrics = fusion_metrics(read_predictions(Path("predictions") / fusion))
    write_json(Path("metrics/headline.json"), headline_figures(metrics))
    print(headline_text(fusion, metrics, SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
