"""Stage robustness: python src/robustness.py

Sets the fusions of `fusions` side by side under each corruption: metrics/robustness.csv has a row
per fusion, corruption and severity, metrics/robustness_summary.csv a row per fusion,
metrics/robustness_pairs.csv one per corruption and two fusions, metrics/stress/<fusion>.csv one per
corruption, severity and seed; pictures in plots/stress/.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read what stage stress kept, compare."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys, load_section
    from fusebench.models.registry import FusionParams
    from fusebench.report.settings import CompareParams, planned, unplanned

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    params = load_section(PARAMS_FILE, "compare", CompareParams)

    from fusebench.aside import replace_outputs
    from fusebench.files import write_table
    from fusebench.report.drawing import save
    from fusebench.report.origin import origin_of
    from fusebench.report.robustness import (
        Stressed,
        robustness_table,
        stress_table,
        summary_table,
    )
    from fusebench.report.robustness_files import PAIRS, SUMMARY, TABLE
    from fusebench.report.robustness_pairs import pairs_table
    from fusebench.report.robustness_text import Robustness
    from fusebench.report.roles import PLANNED, UNPLANNED
    from fusebench.report.severity import severity_figures
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen
    from fusebench.stress.stored import read_stress

    stressed = Stressed({name: read_stress(Path("stress") / name) for name in fusions})
    infos = {name: of.info for name, of in stressed.fusions.items()}
    chosen = planned(params.contrasts, infos)
    roles = {PLANNED: chosen, UNPLANNED: unplanned(fusions, chosen)}
    table = robustness_table(stressed)
    summary = summary_table(table, len(stressed.first.seeds))
    pairs = pairs_table(stressed, roles, params.margin.balanced_accuracy)
    origin = origin_of(stressed.first.info["synthetic"], stressed.first.info.get("task"))
    note = f"{origin} samples, {len(stressed.first.seeds)} seed(s)"
    figures = severity_figures(table, summary, stressed.chance, note)
    folders = [Path("plots/stress"), Path("metrics/stress")]
    with replace_outputs(folders, [TABLE, SUMMARY, PAIRS]) as (folder, of_fusions, *files):
        for name, of in stressed.fusions.items():
            write_table(of_fusions / f"{name}.csv", stress_table(of))
        for name, figure in figures.items():
            save(figure, folder / f"{name}.png")
        for path, made in zip(files, (table, summary, pairs), strict=True):
            write_table(path, made)
    cli.show(on_screen(Robustness(summary, pairs).sentences, SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
