"""Stage compare: python src/compare.py

Sets the fusions of `fusions` and the baselines side by side: metrics/comparison.csv, a table on the
screen; every two fusions in metrics/pairs.csv, each beside the best in metrics/best.csv, and on the
screen which one to use; how good probabilities are, as stored and after temperature scaling, in
metrics/probabilities.csv; what the data are like, by how much each sensor tells of the class, in
metrics/interaction.json; tables for `dvc plots` in plots/curves/, pictures in plots/, and the same
as PDF and SVG for a paper in plots/vector/; in metrics/sources.json, which predictions all that was
made from. Results of fusions that are not in `fusions` are ignored. Below the table stands what was
not equal between the trainings of the fusions, and what is not as on this machine; nothing, where
all is.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the params and the results, compare."""
    cli.parser(__doc__).parse_args()

    from fusebench.config import PARAMS_FILE, load_keys, load_section
    from fusebench.device import RuntimeParams, present_environment
    from fusebench.models.registry import FusionParams
    from fusebench.report.results import SOURCES, read_comparison
    from fusebench.report.settings import CompareParams, empty_contrasts

    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    params = load_section(PARAMS_FILE, "compare", CompareParams)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)

    from fusebench.files import dvc_digest, write_json
    from fusebench.report import robustness_files
    from fusebench.report.curves import curve_tables
    from fusebench.report.figures import write_plots
    from fusebench.report.findings import Findings
    from fusebench.report.provenance import differences
    from fusebench.report.robustness_text import Robustness
    from fusebench.report.suite import SUMMARY, read_suite
    from fusebench.report.table import SCREEN_WIDTH, screen_table
    from fusebench.report.verdict import on_screen

    comparison = read_comparison(Path(), fusions)
    robustness = Robustness.read(Path.read_bytes)
    findings = Findings.of(comparison, params, read_suite(), robustness)
    # This reads the learning curves: what is broken is found before anything is written.
    curves = curve_tables(comparison, findings, Path("plots"))
    # Gone first and written last: what is ended between has no sources, and views say so.
    SOURCES.unlink(missing_ok=True)
    findings.write()
    write_plots(comparison, findings, curves, Path("plots"))
    digests = dvc_digest(SUMMARY), dvc_digest(robustness_files.SUMMARY)
    write_json(SOURCES, comparison.sources(params.declared, *digests))

    infos = {name: of.info for name, of in comparison.fusions.items()}
    cli.show(screen_table(findings.table, findings.pairs))
    sentences = [
        findings.answer,
        *findings.remarks,
        *empty_contrasts(params.contrasts, infos),
        *differences(comparison.trainings, present_environment(runtime.wanted_threads)),
    ]
    cli.show(on_screen(sentences, SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
