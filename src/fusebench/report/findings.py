"""What a comparison found: its table, every pair, the distance to the best, what the data are like.

All of it is kept together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from fusebench.evaluation.metrics import means
from fusebench.files import write_table
from fusebench.prediction.predictions import BASELINES, FusionPredictions
from fusebench.report.best import BEST, best_of, draws_of, parse_best
from fusebench.report.chance import chance_remarks, with_chance
from fusebench.report.interaction import Interaction, interaction_of, read_interaction
from fusebench.report.interaction_text import interaction_sentences
from fusebench.report.pairs import PAIRS, correct, estimate_pairs, parse_pairs
from fusebench.report.probabilities import (
    PROBABILITIES,
    probabilities_table,
    read_probabilities,
)
from fusebench.report.recommendation import recommendation, remarks
from fusebench.report.results import Comparison
from fusebench.report.robustness_text import Robustness
from fusebench.report.roles import BASELINE, PLANNED, UNPLANNED
from fusebench.report.settings import CompareParams, planned, unplanned
from fusebench.report.stored import decoded
from fusebench.report.study import Study
from fusebench.report.suite import SuiteRow
from fusebench.report.table import RESULTS, TABLE, comparison_table, parse_comparison_table
from fusebench.report.verdict import sentences

_, THRESHOLD = BASELINES


@dataclass(frozen=True)
class Findings:
    """All that views show of a comparison.

    Attributes
    ----------
    table, pairs, best : DataFrame
        As metrics/comparison.csv, metrics/pairs.csv and metrics/best.csv.
    interaction : Interaction or None
        As metrics/interaction.json; None: of a commit before there was one.
    robustness : Robustness or None
        As the files of stage robustness; None: of a commit before there was such a stage.
    probabilities : DataFrame or None
        As metrics/probabilities.csv; None: of a commit before there was one.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    best: pd.DataFrame
    interaction: Interaction | None = None
    robustness: Robustness | None = None
    probabilities: pd.DataFrame | None = None

    @classmethod
    def of(
        cls,
        comparison: Comparison,
        params: CompareParams,
        suite: Sequence[SuiteRow] = (),
        robustness: Robustness | None = None,
    ) -> Self:
        """Compare.

        Parameters
        ----------
        suite : sequence of SuiteRow
            What was measured on the demonstration tasks.
        robustness : Robustness or None
            What stage robustness found.
        """
        rows = {row.name: row.predictions for row in comparison.results}
        pairs, best = compare_fusions(comparison.fusions, params, rows.get(THRESHOLD))
        table = with_chance(comparison_table(comparison), comparison)
        probabilities = probabilities_table(comparison, temperature=params.temperature)
        interaction = interaction_of(comparison, suite)
        return cls(table, pairs, best, interaction, robustness, probabilities)

    @classmethod
    def read(cls, read: Callable[[Path], bytes]) -> Self:
        """Return what was kept; `read` gives the content of a file by its path.

        Raises
        ------
        ArtifactError
            A file is missing, broken, or of another version of fusebench.
        """
        table = parse_comparison_table(decoded(read(TABLE), TABLE))
        interaction = read_interaction(read)
        # A file left behind by another comparison says nothing of this one.
        if interaction and interaction.results not in table.get(RESULTS, pd.Series()).tolist():
            interaction = None
        pairs, best = (
            parse(decoded(read(path), path))
            for parse, path in ((parse_pairs, PAIRS), (parse_best, BEST))
        )
        probabilities = read_probabilities(read)
        return cls(table, pairs, best, interaction, Robustness.read(read), probabilities)

    def write(self) -> None:
        """Write the tables, and what the data are like."""
        for path, table in ((TABLE, self.table), (PAIRS, self.pairs), (BEST, self.best)):
            write_table(path, table)
        if self.probabilities is not None:
            write_table(PROBABILITIES, self.probabilities)
        if self.interaction:
            self.interaction.write()

    @property
    def answer(self) -> str:
        """What the data say of which fusion to use."""
        return recommendation(self.pairs, self.best)

    @property
    def paragraphs(self) -> list[list[str]]:
        """What limits that answer, what the data are like, and what corruptions change of it."""
        limits = [*chance_remarks(self.table, self.pairs), *remarks(self.pairs, self.best)]
        withstood = self.robustness.remarks if self.robustness else []
        of_data = list(interaction_sentences(self.interaction))
        return [part for part in (limits, of_data, withstood) if part]

    @property
    def remarks(self) -> list[str]:
        """The sentences of all `paragraphs`."""
        return [sentence for part in self.paragraphs for sentence in part]

    @property
    def sentences(self) -> list[str]:
        """One sentence on each pair, and on each that is shown to differ under corruptions."""
        return [*sentences(self.pairs), *(self.robustness.sentences if self.robustness else [])]


def compare_fusions(
    fusions: Mapping[str, FusionPredictions],
    params: CompareParams,
    threshold: FusionPredictions | None = None,
    *,
    draws: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare every two fusions, and each with the best and with the threshold.

    Parameters
    ----------
    threshold : FusionPredictions or None
        Of the baseline; None: without it.
    draws : str or None
        As in `Best`; None: told by the val samples.

    Returns
    -------
    DataFrame, DataFrame
        As metrics/pairs.csv and metrics/best.csv.

    Raises
    ------
    ArtifactError
        The seeds differ, or the samples of a seed do.
    """
    infos = {name: predictions.info for name, predictions in fusions.items()}
    chosen = planned(params.contrasts, infos)
    pairs = {PLANNED: chosen, UNPLANNED: unplanned(list(fusions), chosen)}
    known = dict(fusions)
    if threshold is not None:
        known[THRESHOLD] = threshold
        pairs[BASELINE] = [(name, THRESHOLD) for name in fusions]
    study, margin = Study.of(known), params.primary_margin
    seeds = study.by_seed(params.primary, list(fusions))
    others = [name for name in means() if name != params.primary]
    table = correct(estimate_pairs(study, seeds, params.primary, pairs, margin, others))
    return table, best_of(table, seeds, infos, params.primary, margin, draws or draws_of(fusions))
