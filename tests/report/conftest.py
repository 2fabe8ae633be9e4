"""The made-up results of two fusions and the baselines, and their comparison."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fusebench.report.results import Comparison


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's root with results. Read-only."""
    from tests.report.made_up import write_results

    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def root(results: Path, tmp_path: Path) -> Path:
    """A copy of `results` that a test may spoil."""
    return shutil.copytree(results, tmp_path / "root")


@pytest.fixture(scope="session")
def comparison(results: Path) -> Comparison:
    """The comparison of `results`."""
    from tests.report.made_up import NAMES

    from fusebench.report.results import read_comparison

    return read_comparison(results, NAMES)


@pytest.fixture(scope="session")
def compared(
    results: Path, comparison: Comparison, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project's root in which stage compare has run on `results`. Read-only."""
    from tests.report.made_up import PAIR, findings_of, told

    from fusebench.files import write_json, write_table
    from fusebench.report.best import BEST
    from fusebench.report.curves import curve_tables
    from fusebench.report.figures import write_plots
    from fusebench.report.interaction import INTERACTION
    from fusebench.report.pairs import PAIRS
    from fusebench.report.probabilities import PROBABILITIES, probabilities_table
    from fusebench.report.results import SOURCES
    from fusebench.report.table import TABLE

    root = shutil.copytree(results, tmp_path_factory.mktemp("compared") / "root")
    found = told(0.97, 0.0, 0.01, 0.0, results=comparison.fingerprint)
    pairs = PAIR, PAIR._replace(metric="nll", role="descriptive")
    table = probabilities_table(comparison, temperature=True)
    findings = replace(findings_of(comparison, *pairs), interaction=found, probabilities=table)
    write_table(root / PROBABILITIES, table)
    write_json(root / INTERACTION, found.model_dump())
    for path, table in ((TABLE, findings.table), (PAIRS, findings.pairs), (BEST, findings.best)):
        write_table(root / path, table)
    write_json(
        root / SOURCES, comparison.sources({"primary": "balanced_accuracy"}, "digest", "digest")
    )
    tables = curve_tables(comparison, findings, root / "plots")
    write_plots(comparison, findings, tables, root / "plots")
    return root
