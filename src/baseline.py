"""Stage baseline: python src/baseline.py

Keeps the answers of two rules without a trained model as those of a fusion: the majority class in
predictions/majority_class/, and in predictions/threshold/ a threshold on the size of what the
LiDAR map shows.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Fit, predict, say what was fitted."""
    cli.parser(__doc__).parse_args()

    from fusebench.baselines.predict import (
        THRESHOLD,
        majority_rule,
        predict_baseline,
        threshold_rule,
    )
    from fusebench.samples.manifest import read_manifest
    from fusebench.samples.samples import open_samples

    samples, manifest = open_samples(Path("data/samples")), read_manifest(Path("data/split.csv"))
    fits = {
        rule.name: predict_baseline(rule, samples, manifest, Path("predictions") / rule.name)
        for rule in (majority_rule(samples), threshold_rule(samples))
    }
    cuts = ", ".join(
        f"{'above' if fitted['positive_above'] else 'below'} {fitted['cut']:,.0f}"
        for fitted in fits[THRESHOLD].values()
    )
    print(f"threshold: {samples.dataset.positive} where returns · range² is {cuts} m²")


if __name__ == "__main__":
    cli.run(main)
