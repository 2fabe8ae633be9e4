"""All that stage robustness leaves: tables for git, and pictures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.files import write_table
from fusebench.report.drawing import save
from fusebench.report.origin import origin_of
from fusebench.report.robustness import Stressed, robustness_table, stress_table, summary_table
from fusebench.report.robustness_files import PAIRS, SUMMARY, TABLE
from fusebench.report.robustness_pairs import pairs_table
from fusebench.report.robustness_text import Robustness
from fusebench.report.roles import PLANNED, UNPLANNED
from fusebench.report.settings import CompareParams, planned, unplanned
from fusebench.report.severity import severity_figures

_PICTURES, _OF_FUSIONS = Path("plots/stress"), Path("metrics/stress")


def write_robustness(stressed: Stressed, params: CompareParams) -> Robustness:
    """Set fusions side by side under each corruption; write tables and pictures, all or none."""
    seeds = len(stressed.first.seeds)
    table = robustness_table(stressed)
    found = Robustness(summary_table(table, seeds), _pairs(stressed, params))
    info = stressed.first.info
    note = f"{origin_of(info['synthetic'], info.get('task'))} samples, {seeds} seed(s)"
    figures = severity_figures(table, found.summary, stressed.chance, note)
    outputs = [_PICTURES, _OF_FUSIONS], [TABLE, SUMMARY, PAIRS]
    with replace_outputs(*outputs) as (pictures, of_fusions, *files):
        for name, of in stressed.fusions.items():
            write_table(of_fusions / f"{name}.csv", stress_table(of))
        for name, figure in figures.items():
            save(figure, pictures / f"{name}.png")
        for path, made in zip(files, (table, found.summary, found.pairs), strict=True):
            write_table(path, made)
    return found


def _pairs(stressed: Stressed, params: CompareParams) -> pd.DataFrame:
    infos = {name: of.info for name, of in stressed.fusions.items()}
    chosen: Sequence[tuple[str, str]] = planned(params.contrasts, infos)
    roles = {PLANNED: chosen, UNPLANNED: unplanned(list(infos), chosen)}
    return pairs_table(stressed, roles, params.margin.balanced_accuracy)
