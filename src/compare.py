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

    from fusebench.comparison.settings import CompareParams
    from fusebench.config import PARAMS_FILE, load_keys, load_section
    from fusebench.models.strategies import StrategyParams
    from fusebench.runtime import RuntimeParams

    strategies = load_keys(PARAMS_FILE, StrategyParams).strategies
    primary = load_section(PARAMS_FILE, "compare", CompareParams).primary
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.comparison.draw import write_plots
    from fusebench.comparison.environment import differences, present
    from fusebench.comparison.pairs import PAIRS, Pair, pairs_of
    from fusebench.comparison.results import read_comparison
    from fusebench.comparison.table import comparison_json, csv_rows, screen_table
    from fusebench.comparison.verdict import baseline_remark, on_screen, recommendation
    from fusebench.data.samples import read_csv, write_csv
    from fusebench.files import replace_file, write_json

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
    for line in differences(trained, present(runtime.threads)):
        print(on_screen([line]))


if __name__ == "__main__":
    cli.run(main)
