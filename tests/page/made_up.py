"""A project's root with all that the page is made of, made up: three fusions and the baselines."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tests.datasets import dataset_of, table_of
from tests.project import ROOT, write_no_studies
from tests.report.made_up import (
    BEST,
    PAIR,
    SIZES,
    WORSE,
    findings_of,
    part_of,
    told,
    write_results,
)

from fusebench.config import PARAMS_FILE
from fusebench.evaluation.measure import confusion_table
from fusebench.files import write_json, write_table
from fusebench.page.scripts import PLOTS_PAGE
from fusebench.page.stored import STUDIES, TABLES
from fusebench.report.best import BEST as BEST_FILE
from fusebench.report.curves import curve_tables, write_curves
from fusebench.report.declared import deciding_in, write_origin
from fusebench.report.pairs import PAIRS
from fusebench.report.results import SOURCES, Comparison, read_comparison
from fusebench.report.suite import SUMMARY, SuiteRow, write_suite
from fusebench.report.table import TABLE
from fusebench.samples.samples import content_digest, describe

NAMES = ("late", "hadamard", "late_matched")
SEEDS = (0, 1)
_SIDE = 8
COMMIT = "abc1234" + 33 * "0"
# What each study consists of.
PLANNED = {
    "learning_curve": ("0.02", "0.04", "0.08"), "tuning": NAMES, "robust": ("dropout",),
}  # fmt: skip
# What results of earlier versions lack.
_OF_LATER_VERSIONS = ("pareto", "reliability", "probabilities")


def write_samples(folder: Path, keys: Sequence[tuple[str, str]], quarter_turns: int = 1) -> None:
    """Write data/samples/ of some ids and classes: noise, and a lit square."""
    classes = list(dict.fromkeys(name for _, name in keys))
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 255, (len(keys), _SIDE, _SIDE, 3), dtype=np.uint8)
    lidar = np.full((len(keys), _SIDE, _SIDE), 50, np.float32)
    lidar[:, 2:5, 1:4] = generator.uniform(10, 20, (len(keys), 3, 3))
    folder.mkdir(parents=True)
    np.save(folder / "rgb.npy", rgb)
    np.save(folder / "lidar.npy", lidar)
    angles = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    np.savez(folder / "angles.npz", azimuth=angles, zenith=angles)
    labels = [classes.index(of_class) for _, of_class in keys]
    digests = [content_digest(*content) for content in zip(rgb, lidar, strict=True)]
    table = table_of([name for name, _ in keys], labels, classes, digests=digests)
    write_table(folder / "samples.csv", table)
    dataset = dataset_of(tuple(classes), task="shape", quarter_turns=quarter_turns)
    describe(folder, dataset, len(keys))


def write_compared(root: Path) -> Comparison:
    """Write what the stages up to compare would have."""
    write_results(root, NAMES, SEEDS)
    test = part_of(0, "test", 0)
    assert SIZES["test"] == len(test.ids)
    write_samples(
        root / "data/samples", list(zip(test.ids.tolist(), test.classes.tolist(), strict=True))
    )
    comparison = read_comparison(root, NAMES)
    middle = WORSE._replace(fusion="late_matched", mean=95.0, below=4.0)
    pairs = (PAIR, PAIR._replace(second="late_matched", role="unplanned", difference=2.5))
    findings = findings_of(comparison, *pairs, best=(BEST, middle, WORSE))
    found = told(0.97, 0.0, 0.01, 0.0, results=comparison.fingerprint)
    write_json(root / "metrics/interaction.json", found.model_dump())
    for path, table in (
        (TABLE, findings.table),
        (PAIRS, findings.pairs),
        (BEST_FILE, findings.best),
    ):
        write_table(root / path, table)
    write_json(
        root / SOURCES, comparison.sources({"primary": "balanced_accuracy"}, "digest", "digest")
    )
    write_json(root / "metrics/data.json", {"synthetic": True, "pairs": {"cubes": 48}})
    write_curves(curve_tables(comparison, findings, root / "plots"), root / "plots")
    for name in _OF_LATER_VERSIONS:
        (root / TABLES[name].path).unlink(missing_ok=True)
    for name, predictions in comparison.fusions.items():
        write_table(root / f"plots/confusion/{name}.csv", confusion_table(predictions))
    write_no_studies(root)
    shutil.copy2(ROOT / "tests/default_params.yaml", root / PARAMS_FILE)
    (root / PLOTS_PAGE).parent.mkdir(parents=True)
    shutil.copy2(ROOT / PLOTS_PAGE, root / PLOTS_PAGE)
    return comparison


def write_all(root: Path) -> None:
    """Write also what need not have been run: tasks, robustness, cost, reliability, studies."""
    write_suite(root / SUMMARY, [_solved("xor", name, count) for count, name in enumerate(NAMES)])
    for name, rows in _rows().items():
        write_table(root / TABLES[name].path, pd.DataFrame(rows))
    for name in STUDIES:
        folder = (root / TABLES[name].path).parent
        write_origin(folder, deciding_in(root), [COMMIT], PLANNED[name], PLANNED[name])


def _solved(task: str, fusion: str, solved: int) -> SuiteRow:
    return SuiteRow(
        task=task, align="none", fusion=fusion, seeds=2, solved=solved, solved_low=0.0,
        solved_high=1.0, median_epoch=3.0, accuracy=97.0, budget_epochs=8, train_samples=100,
        image_size=8, cell=task, probe="",
    )  # fmt: skip


def _rows() -> dict[str, list[dict[str, object]]]:
    return {
        "robustness": [
            {"fusion": name, "corruption": corruption, "sensor": sensor, "severity": severity,
             "amount": float(severity), "unit": "m", "balanced_accuracy": 99.0 - number - severity,
             "low": 90.0, "high": 99.5, "nll": 0.1, "robustness": 0.9}
            for number, name in enumerate(NAMES)
            for corruption, sensor, severities in (
                ("clean", "", (0,)), ("range_noise", "lidar", (1, 2, 3, 4)),
                ("rgb_off", "rgb", (1, 2, 3, 4)),
            )
            for severity in severities
        ],
        "robustness_summary": [
            {"fusion": name, "robustness": 0.8, "worst": "rgb_off", "worst_robustness": 0.25,
             "corruptions": 2, "seeds": 2}
            for name in NAMES
        ],
        "pareto": [
            {"fusion": name, "nll": 0.1 + number, "nll_low": 0.05, "nll_high": 0.2 + number,
             "latency_ms": 1.5 * (number + 1), "parameters": 100_000 * (number + 1), "mflops": 12.5,
             "on_front_latency": int(not number), "on_front_parameters": int(number < 2)}
            for number, name in enumerate(NAMES)
        ],
        "reliability": [
            {"fusion": name, "scaled": scaled, "bin": place, "low": 100 * place / 15,
             "high": 100 * (place + 1) / 15, "confidence": 100 * (place + 0.5) / 15,
             "accuracy": 100 * place / 15, "count": 10.5 * (place - 6)}
            for name in NAMES for scaled in (0, 1) for place in range(7, 15)
        ],
        "probabilities": [
            {"fusion": name, "seed": seed, "temperature": 1.25, "nll": 0.2, "brier": 0.05,
             "calibration_error": 3.21, "scaled_nll": 0.18, "scaled_brier": 0.04,
             "scaled_calibration_error": 1.5}
            for name in NAMES for seed in SEEDS
        ],
        "learning_curve": [
            {"fusion": name, "train_samples": size, "share": size / 1000, "epochs": 4, "steps": 40,
             "seeds": 5, "balanced_accuracy": 60.0 + size / 10, "low": 55.0 + size / 10,
             "high": 65.0 + size / 10, "nll": 0.4, "best_within_margin": 0}
            for name in NAMES for size in (50, 100, 200)
        ],
        "tuning": [
            {"fusion": name, "lr": 0.0003, "schedule": "cosine", "epochs": 20, "trials": 12,
             "val_nll": 0.0123, "default_balanced_accuracy": 90.0, "tuned_balanced_accuracy": 94.5,
             "default_rank": 2, "tuned_rank": 1, "default_seeds": 5, "tuned_seeds": 5}
            for name in NAMES
        ],
        "robust": [
            {"fusion": name, "recipe": "dropout", "clean_balanced_accuracy": 97.5,
             "clean_change": -0.5, "robustness": 0.625, "robustness_change": 0.125, "low": 0.1,
             "high": 0.15, "corrupted_balanced_accuracy": 80.0, "corrupted_change": 12.5,
             "corrupted_low": 10.0, "corrupted_high": 15.0, "clean_low": -1.5, "clean_high": 0.5,
             "corrupted_p": 0.001, "clean_p": 0.321, "seeds": 5}
            for name in NAMES
        ],
    }  # fmt: skip
