"""Stage compare: python src/compare.py

Sets the fusions of `fusions` and the baselines side by side: metrics/comparison.csv, a table on the
screen; every two fusions in metrics/pairs.csv, and on the screen which one to use; tables for
`dvc plots` in plots/curves/, pictures in plots/, and the same as PDF and SVG for a paper in
plots/vector/; in metrics/sources.json, which predictions all that was made from. Results of fusions
that are not in `fusions` are ignored. Below the table stands what was not equal between the
trainings of the fusions, and what is not as on this machine; nothing, where all is.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and the results, compare."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys, load_section
    from fusebench.device import RuntimeParams, present_environment
    from fusebench.models.registry import FusionParams
    from fusebench.report.results import SOURCES, CompareParams, read_comparison

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    primary = load_section(PARAMS_FILE, "compare", CompareParams).primary
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.files import write_json, write_table
    from fusebench.report import table as tables
    from fusebench.report.chance import chance_remarks, with_chance
    from fusebench.report.figures import write_plots
    from fusebench.report.pairs import PAIRS, pairs_of
    from fusebench.report.provenance import differences
    from fusebench.report.verdict import baseline_remark, on_screen, recommendation

    comparison = read_comparison(Path(), fusions)
    table = with_chance(tables.comparison_table(comparison), comparison)
    pairs = pairs_of(comparison.fusions, primary)
    # Gone first and written last: what is ended between has no sources, and views say so.
    SOURCES.unlink(missing_ok=True)
    write_table(tables.TABLE, table)
    write_table(PAIRS, pairs)
    write_plots(comparison, pairs, Path("plots"))
    write_json(SOURCES, comparison.sources(primary))

    trained = {name: predictions.info for name, predictions in comparison.fusions.items()}
    cli.show(tables.screen_table(table, pairs))
    sentences = [
        recommendation(pairs),
        *chance_remarks(table, pairs),
        baseline_remark(table),
        *differences(trained, present_environment(runtime.threads)),
    ]
    cli.show(on_screen(sentences, tables.SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
