"""What the stages before compare would have written, made up: two fusions and the baselines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusebench.device import present_environment
from fusebench.evaluation.measure import fusion_metrics
from fusebench.files import write_json, write_table
from fusebench.prediction.predictions import (
    BASELINES,
    PartPredictions,
    read_predictions,
    write_info,
    write_seed,
)
from fusebench.report import robustness_files
from fusebench.report.best import Best
from fusebench.report.findings import Findings
from fusebench.report.interaction import KINDS, SEEN, Amount, Interaction, Source
from fusebench.report.pairs import Pair
from fusebench.report.results import Comparison
from fusebench.report.robustness_files import SUMMARY_KINDS
from fusebench.report.robustness_pairs import PAIR_KINDS
from fusebench.report.suite import SUMMARY, write_suite
from fusebench.report.table import comparison_table

NAMES = ("late", "hadamard")
MAJORITY, THRESHOLD = BASELINES
CLASSES = ["cubes", "spheres"]
SIZES = {"val": 30, "test": 60}


def part_of(seed: int, part: str, quality: float) -> PartPredictions:
    """Make predictions that are the better, the higher `quality` is; 0: a constant answer."""
    # The labels of a part are the same for every fusion; only the logits differ.
    size = SIZES[part]
    labels = np.arange(size) % 5 == 0
    noise = np.random.default_rng([seed, size, int(10 * quality)]).normal(size=(size, 2))
    logits = noise + quality * np.stack((~labels, labels), axis=1)
    if not quality:
        logits = np.tile(np.log([0.8, 0.2]), (size, 1))
    return PartPredictions(
        np.array([f"{row:04d}" for row in range(size)]),
        np.array(CLASSES)[labels.astype(int)],
        np.array([f"{part}{row}" for row in range(size)]),
        labels.astype(np.int64),
        logits.astype(np.float32),
    )


def write_predictions(
    root: Path, name: str, quality: float, seeds: Sequence[int], **info: Any
) -> None:
    """Write predictions/<name>/ and metrics/fusions/<name>.json."""
    folder = root / "predictions" / name
    folder.mkdir(parents=True)
    for seed in seeds:
        write_seed(folder, seed, {part: part_of(seed, part, quality) for part in SIZES})
    content = {
        "fusion": name, "inputs": ["rgb", "lidar"], "parameters": 3_336_662,
        "strategy": "late" if name == "late" else "intermediate", "classes": CLASSES,
        "positive": "spheres", "synthetic": True, "seeds": list(seeds),
        "train_counts": {str(seed): {"cubes": 80, "spheres": 20} for seed in seeds},
    }  # fmt: skip
    write_info(folder, content | info)
    write_json(root / f"metrics/fusions/{name}.json", fusion_metrics(read_predictions(folder)))


def write_fusion(root: Path, name: str, quality: float, seeds: Sequence[int], **info: Any) -> None:
    """Write all that is kept of a trained fusion."""
    write_predictions(root, name, quality, seeds, **info)
    measured = {
        "seconds_per_epoch": {"median": 1.5}, "memory": {"peak_mb": 900.0},
        "environment": {"device": "cpu", **present_environment(1)},
    }  # fmt: skip
    write_json(root / f"metrics/training/{name}.json", measured)
    write_json(root / f"metrics/cost/{name}.json", cost_of(name))
    losses = [
        {"seed": seed, "epoch": epoch, "val_loss": 1 / epoch + seed / 10}
        for seed in seeds
        for epoch in (1, 2, 3)
    ]
    write_table(root / f"plots/training/{name}.csv", pd.DataFrame(losses))


def cost_of(name: str) -> dict[str, Any]:
    """Return a made-up metrics/cost/<name>.json; a longer name takes longer."""
    latency = 0.25 * len(name)
    return {
        "parameters": 3_336_662, "mflops_per_sample": 101.5,
        "latency_ms": {"median": latency, "p95": 2 * latency, "runs": 200},
        "samples_per_second": {"median": 640.0, "batch": 256},
        "step_mb": 120.5, "train_seconds": 22.5,
        "environment": {"device": "cpu", **present_environment(1)},
    }  # fmt: skip


def write_results(root: Path, names: Sequence[str] = NAMES, seeds: Sequence[int] = (0, 1)) -> Path:
    """Write all that is kept of fusions and baselines; the first fusion is the best."""
    for number, name in enumerate(names):
        write_fusion(root, name, 3 / (1 + 5 * number), seeds)
    none = {"strategy": "none", "parameters": 0}
    write_predictions(root, MAJORITY, 0.0, seeds, **none, inputs=[])
    write_predictions(root, THRESHOLD, 1.0, seeds, **none | {"parameters": 1}, inputs=["lidar"])
    write_suite(root / SUMMARY, [])
    write_robustness(root, names, seeds)
    return root


def write_robustness(root: Path, names: Sequence[str], seeds: Sequence[int] = (0, 1)) -> None:
    """Write the files of stage robustness: models were put under no corruption."""
    no_figure = [
        {"fusion": name, "robustness": np.nan, "worst": "", "corruptions": 0, "seeds": len(seeds)}
        for name in names
    ]
    summary = pd.DataFrame(no_figure, columns=list(SUMMARY_KINDS))
    write_table(root / robustness_files.SUMMARY, summary)
    write_table(root / robustness_files.PAIRS, pd.DataFrame(columns=list(PAIR_KINDS)))


# Ten seeds; the first fusion is shown to be better.
PAIR = Pair(
    metric="balanced_accuracy", role="planned", first="late", second="hadamard", difference=8.0,
    fixed_low=6.9, fixed_high=9.1, fixed_p=0.0, fixed_holm=0.0,
    retrained_low=4.5, retrained_high=11.5, retrained_error=1.5, retrained_df=9.0,
    retrained_p=0.001, compares="means", first_succeeded=10, second_succeeded=10, success_p=1.0,
    holm=0.001, simultaneous_low=4.5, simultaneous_high=11.5,
    bootstrap_low=4.7, bootstrap_high=11.2, seed_deviation=3.2, id_deviation=1.1,
    seed_id_deviation=2.2, pseudo_deviation=0.47, step=0.33, discordant=30, first_mean=97.5,
    second_mean=89.5, first_collapsed=0, second_collapsed=0, collapse_rate=0.2589,
    difference_at_collapse_rate=-4.3, seeds=10, ids=60,
)  # fmt: skip
BEST = Best(
    metric="balanced_accuracy", fusion="late", inputs="rgb lidar", mean=97.5, below=0.0,
    candidate="yes", margin=2.0, irregular="no", succeeded=10, success_beyond=74.5, collapsed=0,
    collapse_rate=0.2589, mean_at_collapse_rate=85.2, draws="anew", seeds=10,
)  # fmt: skip
WORSE = BEST._replace(fusion="hadamard", mean=89.5, below=10.7, candidate="no")


def pairs_table(*pairs: Pair) -> pd.DataFrame:
    """Return lines of metrics/pairs.csv."""
    return pd.DataFrame(pairs, columns=Pair._fields)


def best_table(*rows: Best) -> pd.DataFrame:
    """Return lines of metrics/best.csv."""
    return pd.DataFrame(rows, columns=Best._fields)


def findings_of(comparison: Comparison, *pairs: Pair, best: Sequence[Best] = ()) -> Findings:
    """Return what a comparison is made to have found."""
    rows = best or (BEST, WORSE)
    return Findings(comparison_table(comparison), pairs_table(*pairs), best_table(*rows))


def _amount(bits: float, margin: float = 0.05) -> Amount:
    return Amount(bits=bits, low=max(0.0, bits - margin), high=min(1.0, bits + margin))


def told(*bits: float, seeds: int = 10, results: str = "1dd7573", advice: str = "") -> Interaction:
    """Make what the data are like, from the bits of each kind."""
    models = [("rgb_only", 3), ("threshold", 0), ("concat", 7)]
    return Interaction(
        results=results, seeds=seeds, class_bits=1.0,
        bits=dict(zip(KINDS, map(_amount, bits), strict=True)),
        information={seen: _amount(0.9) for seen in SEEN},
        models={
            seen: Source(model=name, seed=seed, val_nll=0.1)
            for seen, (name, seed) in zip(SEEN, models, strict=True)
        },
        advice=advice,
    )  # fmt: skip
