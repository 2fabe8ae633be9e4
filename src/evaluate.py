"""Stage evaluate: python src/evaluate.py

Measures all kept predictions, those of `fusions` and of the baselines, and writes per fusion
metrics/test/<fusion>.json, the few figures that DVC compares; metrics/fusions/<fusion>.json, all
metrics of each seed; and plots/confusion/<fusion>.csv. Nothing is inferred anew.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the predictions, measure."""
    cli.parser(__doc__).parse_args()

    from fusebench.aside import replace_outputs
    from fusebench.config import PARAMS_FILE, load_keys
    from fusebench.evaluation.compared import row_figures
    from fusebench.evaluation.measure import collapse_text, confusion_table, fusion_metrics
    from fusebench.evaluation.metrics import METRICS
    from fusebench.files import write_json, write_table
    from fusebench.models.registry import FusionParams
    from fusebench.prediction.predictions import BASELINES, read_predictions

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    folders = [Path("metrics/test"), Path("metrics/fusions"), Path("plots/confusion")]
    with replace_outputs(folders) as (compared_folder, metrics_folder, confusion_folder):
        for name in (*fusions, *BASELINES):
            predictions = read_predictions(Path("predictions") / name)
            metrics = fusion_metrics(predictions)
            write_json(metrics_folder / f"{name}.json", metrics)
            write_json(compared_folder / f"{name}.json", row_figures(metrics))
            if name in fusions:
                write_table(confusion_folder / f"{name}.csv", confusion_table(predictions))
            test = {
                METRICS[key].label: METRICS[key].text(metrics["test"][key]["mean"])
                for key in ("balanced_accuracy", "nll")
            }
            seeds = f"{len(predictions.seeds)} seed(s)"
            print(
                f"{name}: {collapse_text(metrics) if name in fusions else seeds}; test "
                + ", ".join(f"{label} {value}" for label, value in test.items())
            )


if __name__ == "__main__":
    cli.run(main)
