"""Stage baseline: python src/baseline.py

Fits a threshold on the size of what the LiDAR map shows, and keeps its answers as those of a
fusion: predictions/threshold/ and metrics/fusions/threshold.json.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Fit, predict, measure."""
    cli.parser(__doc__).parse_args()

    from fusebench.baselines.threshold import NAME, predict_threshold
    from fusebench.evaluation.metrics import fusion_metrics
    from fusebench.files import write_json
    from fusebench.prediction.predictions import read_predictions
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples

    folder = Path("predictions") / NAME
    predict_threshold(
        open_samples(Path("data/samples")), read_manifest(Path("data/split.csv")), folder
    )
    predictions = read_predictions(folder)
    metrics = fusion_metrics(predictions)
    write_json(Path("metrics/fusions") / f"{NAME}.json", metrics)
    test, positive = metrics["test"], predictions.info["positive"]
    cuts = ", ".join(
        f"{'above' if each['positive_above'] else 'below'} {each['cut']:,.0f}"
        for each in predictions.info["cuts"].values()
    )
    print(
        f"{NAME}: {positive} where returns · range² is {cuts} m²; "
        f"test balanced accuracy {test['balanced_accuracy']['mean']:.2f} %, "
        f"NLL {test['nll']['mean']:.4f}"
    )


if __name__ == "__main__":
    cli.run(main)
