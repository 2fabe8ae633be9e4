"""All that the page is made of, read and checked before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import read_json, read_table
from fusebench.page.checkout import Commit, commit_of
from fusebench.page.stored import STUDIES, TABLES, read_tables
from fusebench.prediction.predictions import FusionPredictions, read_predictions
from fusebench.report.declared import Origin, deciding_in, read_origin
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION
from fusebench.report.looks import title
from fusebench.report.results import SOURCES
from fusebench.report.stored import read_measured
from fusebench.report.suite import SUMMARY, SuiteRow, read_suite
from fusebench.samples.samples import Samples, open_samples

_CONFUSION = {"actual": str, "predicted": str, "count": float, "share": float}


@dataclass(frozen=True)
class Sources:
    """What the stages before wrote.

    Attributes
    ----------
    fusions : sequence of str
        In the order of `fusions` of the params.
    findings : Findings
        Comparison, pairs, distance to the best, and their sentences.
    tables : mapping of str to DataFrame
        By the names of `stored.TABLES`; without a row: not run.
    predictions, trainings, confusion : mapping
        By fusion: predictions/<fusion>/, metrics/training/<fusion>.json and
        plots/confusion/<fusion>.csv.
    suite : sequence of SuiteRow
        What was measured on the demonstration tasks; may be none.
    data, compared : dict
        metrics/data.json and metrics/sources.json.
    samples : Samples
    commit : Commit
        What git says of the checkout.
    origins : mapping of str to Origin
        What studies belong to, by the names of `stored.STUDIES`.
    declared : dict
        What decides results here, as `deciding_in` returns it.
    """

    fusions: Sequence[str]
    findings: Findings
    tables: Mapping[str, pd.DataFrame]
    predictions: Mapping[str, FusionPredictions]
    trainings: Mapping[str, dict[str, Any]]
    confusion: Mapping[str, pd.DataFrame]
    suite: Sequence[SuiteRow]
    data: dict[str, Any]
    compared: dict[str, Any]
    samples: Samples
    commit: Commit
    origins: Mapping[str, Origin]
    declared: dict[str, Any]

    @property
    def info(self) -> dict[str, Any]:
        """What info.json says of the first fusion: samples, classes and seeds are all fusions'."""
        return self.predictions[self.fusions[0]].info

    @property
    def named(self) -> dict[str, str]:
        """The names of fusions by what charts call them."""
        return {title(name): name for name in self.fusions}


def read_sources(root: Path, fusions: Sequence[str]) -> Sources:
    """Return what the stages before wrote of `fusions`.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or of other fusions.
    """

    def stored(path: Path) -> bytes:
        return _bytes(root, path)

    # Of a commit before there was one it may be missing; here stage compare wrote it.
    stored(INTERACTION)
    findings = Findings.read(stored)
    _check_fusions(findings, fusions)
    confusion = {
        name: read_table(root / f"plots/confusion/{name}.csv", _CONFUSION) for name in fusions
    }
    return Sources(
        fusions=tuple(fusions),
        findings=findings,
        tables=read_tables(root),
        predictions={name: read_predictions(root / "predictions" / name) for name in fusions},
        trainings={name: read_measured(root / f"metrics/training/{name}.json") for name in fusions},
        confusion=confusion,
        suite=read_suite(root / SUMMARY),
        data=read_json(root / "metrics/data.json"),
        compared=read_json(root / SOURCES),
        samples=open_samples(root / "data/samples"),
        commit=commit_of(root),
        origins={name: read_origin((root / TABLES[name].path).parent) for name in STUDIES},
        declared=deciding_in(root),
    )


def _bytes(root: Path, path: Path) -> bytes:
    try:
        content = (root / path).read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: broken ({error}); 'make mend' repairs it") from None
    return content


def _check_fusions(findings: Findings, fusions: Sequence[str]) -> None:
    compared = set(findings.best["fusion"])
    for name in fusions:
        if name not in compared:
            raise ArtifactError(
                f"metrics/best.csv: fusion '{name}' is not in it, fusions of params.yaml names it; "
                "'dvc repro' compares anew"
            )
