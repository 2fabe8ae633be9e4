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
    from fusebench.report.settings import CompareParams

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    params = load_section(PARAMS_FILE, "compare", CompareParams)

    from fusebench.report.robustness import Stressed
    from fusebench.report.robustness_views import write_robustness
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen
    from fusebench.stress.stored import read_stress

    stressed = Stressed({name: read_stress(Path("stress") / name) for name in fusions})
    text = write_robustness(stressed, params)
    cli.show(on_screen([*text.remarks, *text.sentences], SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
