"""What was found, read for whoever computes with it: `load_results`."""

import os
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from fusebench.api.tables import (
    comparison_rows,
    cost_rows,
    metrics_of,
    prediction_rows,
    robustness_rows,
    seed_rows,
    training_rows,
)
from fusebench.errors import ArtifactError
from fusebench.prediction.predictions import BASELINES
from fusebench.report.findings import Findings
from fusebench.report.table import RESULTS
from fusebench.revisions.findings import named_after, read_findings, remedy
from fusebench.revisions.revisions import WORKSPACE, read_fusions, reader
from fusebench.stale import Stale, stale


class StaleResultsWarning(UserWarning):
    """Results are of other params, seeds or models than those beside them, or it cannot be told."""


@dataclass(frozen=True, repr=False, eq=False)
class Results:
    """What a comparison of fusions found, as tables; `load_results` reads it.

    Rates are in percent, differences of rates in points, NLL in nats per sample. "fusion" holds
    fusions and the two baselines (majority_class, threshold). NaN: not known, or there is none.

    Attributes
    ----------
    root : Path
        The project.
    rev : str
        "workspace", a git revision or an experiment.
    fingerprint : str
        Seven hexadecimal digits that name what was compared; tables and pictures bear them.
    samples : str
        "recorded", or "synthetic" with the task.
    stale : tuple of str
        What is of another state than the params, seeds and models beside it, a sentence each.
    comparison : DataFrame
        A row per fusion, part ("test", "val") and metric: unit, mean, deviation (sample standard
        deviation over seeds), seeds (their number). Of test, where a metric has such a level:
        chance (what an answer that does not look at the sample reaches) and at_chance (whether it
        is not shown to be better than that).
    seeds : DataFrame
        A row per fusion, seed, part and metric: value; collapsed: the class that the seed answers
        for every sample of the part, or "".
    pairs : DataFrame
        As metrics/pairs.csv, a row per metric and two fusions: difference (first − second), 95 %
        intervals (fixed_low to fixed_high: of these trained models; retrained_low to
        retrained_high: of the fusions, trained again), p-values, and those after Holm's correction
        over the planned contrasts (fixed_holm, holm); all: `fusebench.report.pairs.Pair`.
    best : DataFrame
        As metrics/best.csv, a row per fusion: how far below the best it can be; all columns:
        `fusebench.report.best.Best`.
    cost : DataFrame
        A row per fusion: parameters, mflops_per_sample (10⁶ floating-point operations), latency_ms
        and latency_p95_ms (one sample), samples_per_second, step_mb (memory of a training step, 10⁶
        bytes), seconds_per_epoch, train_seconds.
    training : DataFrame
        A row per fusion, seed and epoch: train_loss and val_loss (nats per sample); on val
        accuracy, balanced_accuracy and f1.
    robustness : DataFrame
        As metrics/robustness.csv, a row per fusion, corruption and severity: balanced_accuracy with
        its 95 % interval over seeds (low, high), nll, robustness (share of the advantage over
        chance that is left). Without a row where stage robustness did not run.
    robustness_summary, robustness_pairs : DataFrame
        As the files of the same names in metrics/.
    """

    root: Path
    rev: str
    fingerprint: str
    samples: str
    stale: tuple[str, ...]
    comparison: pd.DataFrame
    seeds: pd.DataFrame
    pairs: pd.DataFrame
    best: pd.DataFrame
    cost: pd.DataFrame
    training: pd.DataFrame
    robustness: pd.DataFrame
    robustness_summary: pd.DataFrame
    robustness_pairs: pd.DataFrame
    _findings: Findings = field(repr=False)
    _refused: str = field(repr=False)

    @property
    def fusions(self) -> list[str]:
        """The fusions that were compared, without the baselines, in their order."""
        return [name for name in self.cost["fusion"] if name not in BASELINES]

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """What each model says of each sample of val and test; read when it is first asked for.

        Returns
        -------
        DataFrame
            fusion, seed, part, id, group (what is drawn as one), class (the true one), predicted;
            p_<class>: probabilities, without temperature; logit_<class>: float32.

        Raises
        ------
        ArtifactError
            A file is missing or broken; of a revision: neither DVC's cache nor a remote has it.
        """
        return prediction_rows(read_fusions(self.rev, self.root, list(self.cost["fusion"])))

    @property
    def verdict(self) -> list[str]:
        """What may be said: which fusion to use, what limits that, then every pair.

        Returns
        -------
        list of str
            Sentences, as `python src/show.py verdict` has them.

        Raises
        ------
        ArtifactError
            The results are stale: there would be said something of another state.
        """
        if self._refused:
            raise ArtifactError(self._refused)
        return [self._findings.answer, *self._findings.remarks, *self._findings.sentences]

    def __repr__(self) -> str:
        seeds = self.seeds["seed"].nunique()
        said = f"{', '.join(self.fusions)}; {seeds} seed(s), {self.samples} samples"
        mark = "; STALE" if self.stale else ""
        return f"<Results {self.fingerprint} of {self.rev}: {said}{mark}>"


def load_results(root: str | os.PathLike[str] = ".", rev: str | None = None) -> Results:
    """Return what was found in a project, or in one of its commits or experiments.

    Reads what git tracks, so that neither DVC's cache nor models need be there; predictions are
    read when they are asked for.

    Parameters
    ----------
    root : path
        The folder of the project, with params.yaml.
    rev : str, optional
        A git commit, branch or tag, or the name of an experiment of DVC. By default the files as
        they are in the folder.

    Warns
    -----
    StaleResultsWarning
        Results are of other params, seeds or models than those beside them; `Results.stale` keeps
        what was said.

    Raises
    ------
    ArtifactError
        There are no results, there is no such revision, or a file is broken or of another version.
    """
    folder = Path(root)
    if not (folder / "params.yaml").is_file():
        raise ArtifactError(f"root = '{folder}': no params.yaml; must be the folder of a project")
    name = rev or WORKSPACE
    try:
        results = _read(folder, name)
    except ArtifactError as error:
        if folder == Path() or name != WORKSPACE:
            raise
        raise ArtifactError(f"{folder}: {error}") from None
    if results.stale:
        warnings.warn(" ".join(results.stale), StaleResultsWarning, stacklevel=2)
    return results


def _read(root: Path, rev: str) -> Results:
    read = reader(rev, root)
    findings, state = read_findings(rev, read), stale(read)
    table = findings.table
    with named_after(rev):
        metrics = metrics_of(read, table["Model"].tolist())
        training = training_rows(read, [name for name in metrics if name not in BASELINES])
        robustness, summary, robustness_pairs = robustness_rows(read, findings)
    return Results(
        root=root,
        rev=rev,
        fingerprint=table[RESULTS].iloc[0] if RESULTS in table else "",
        samples=table["Samples"].iloc[0],
        stale=_words(state, rev),
        comparison=comparison_rows(metrics, table),
        seeds=seed_rows(metrics),
        # Copies: whoever changes a table does not change what the verdict is computed from.
        pairs=findings.pairs.copy(),
        best=findings.best.copy(),
        cost=cost_rows(table),
        training=training,
        robustness=robustness,
        robustness_summary=summary,
        robustness_pairs=robustness_pairs,
        _findings=findings,
        _refused=" ".join(_words(state, rev)) if state else "",
    )


def _words(state: Stale, rev: str) -> tuple[str, ...]:
    """Return what is stale, and last what mends it; empty: nothing is."""
    return (*state.lines(), remedy(rev)) if state else tuple(state.lines())
