"""Stage compare: python src/compare.py

Sets the fusions of `strategies` side by side: metrics/comparison.csv, metrics/comparison.json, a
table on the screen, every two fusions compared in metrics/pairs.csv and which one to use on the
screen, curves for `dvc plots` in plots/curves/ and pictures in plots/. Results of
fusions that are not in `strategies` are ignored. Below the table stands what was not equal between
the fusions' trainings, and what is not as on this machine; nothing, where all is.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and the results, compare."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys, load_section
    from fusebench.device import RuntimeParams, present_environment
    from fusebench.models.registry import StrategyParams
    from fusebench.report.settings import CompareParams

    strategies = load_keys(PARAMS_FILE, StrategyParams).strategies
    primary = load_section(PARAMS_FILE, "compare", CompareParams).primary
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.files import replace_file, write_json
    from fusebench.report.draw import write_plots
    from fusebench.report.pairs import PAIRS, Pair, pairs_of
    from fusebench.report.provenance import differences
    from fusebench.report.results import read_comparison
    from fusebench.report.table import comparison_json, csv_rows, screen_table
    from fusebench.report.verdict import baseline_remark, on_screen, recommendation
    from fusebench.samples.samples import read_csv, write_csv

    comparison = read_comparison(Path(), strategies)
    header, rows = csv_rows(comparison)
    path = Path("metrics/comparison.csv")
    with replace_file(path) as aside:
        write_csv(aside, header, rows)
    write_json(Path("metrics/comparison.json"), comparison_json(comparison))
    pairs = pairs_of(comparison, primary)
    with replace_file(PAIRS) as aside:
        write_csv(aside, Pair.columns(), [pair.cells() for pair in pairs])
    write_plots(comparison, pairs, Path("plots"))
    lines = read_csv(path, header)
    print(screen_table(lines))
    print(on_screen([recommendation(pairs), baseline_remark(lines)]))
    trained = {name: held.info for name, held in comparison.predictions.items()}
    for line in differences(trained, present_environment(runtime.threads)):
        print(on_screen([line]))


if __name__ == "__main__":
    cli.run(main)
