"""Stage evaluate@<fusion>: python src/evaluate.py late

Keeps the logits of val and test in predictions/<fusion>/ and writes what follows from them:
metrics/fusions/<fusion>.json and plots/confusion/<fusion>.csv.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, predict, measure."""
    parser = cli.parser(__doc__)
    parser.add_argument("fusion", help="name of a file in src/fusebench/fusions/")
    fusion = parser.parse_args().fusion

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams
    from fusebench.models import registry

    registry.check_name(fusion)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.device import prepare
    from fusebench.evaluation.confusion import write_confusion
    from fusebench.evaluation.metrics import fusion_metrics
    from fusebench.files import write_json
    from fusebench.prediction.predict import predict_fusion
    from fusebench.prediction.predictions import read_predictions
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples

    folder = Path("predictions") / fusion
    samples = open_samples(Path("data/samples"))
    manifest = read_manifest(Path("data/split.csv"))
    predict_fusion(Path("models") / fusion, samples, manifest, prepare(runtime), folder)
    predictions = read_predictions(folder)
    metrics = fusion_metrics(predictions)
    write_json(Path("metrics/fusions") / f"{fusion}.json", metrics)
    write_confusion(Path("plots/confusion") / f"{fusion}.csv", predictions)
    test = metrics["test"]
    print(
        f"{fusion}: {len(predictions.seeds)} seed(s), {metrics['stuck_seeds']} stuck at the "
        f"majority class; test balanced accuracy {test['balanced_accuracy']['mean']:.2f} %, "
        f"NLL {test['nll']['mean']:.4f}"
    )


if __name__ == "__main__":
    cli.run(main)
