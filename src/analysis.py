"""Stage analysis: python src/analysis.py

Sets what the notebook claims of its fusions beside what was measured: metrics/analysis.md says of
each claim whether it holds, does not hold, or is not decided, and by which figures. Writes the
table with what may be said of it as metrics/comparison.md, for a pull request, and what the verdict
recommends as metrics/recommendation.json, for programmes.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read what was measured, judge, write."""
    cli.parser(__doc__).parse_args()

    from fusebench.files import write_json, write_text
    from fusebench.report.analysis import (
        ANALYSIS,
        COMPARISON,
        analysis_page,
        comparison_page,
        counts_of,
    )
    from fusebench.report.claims import judgements
    from fusebench.report.evidence import read_evidence
    from fusebench.report.recommended import RECOMMENDATION, recommendation_content
    from fusebench.report.table import SCREEN_WIDTH
    from fusebench.report.verdict import on_screen

    evidence = read_evidence(Path())
    judged = judgements(evidence)
    # All of it is made before anything is written.
    pages = {ANALYSIS: analysis_page(evidence, judged), COMPARISON: comparison_page(evidence)}
    content = recommendation_content(evidence)
    for path, text in pages.items():
        write_text(path, text)
    write_json(RECOMMENDATION, content)
    cli.show(on_screen([f"{ANALYSIS}: {counts_of(judged)}", content["reason"]], SCREEN_WIDTH))


if __name__ == "__main__":
    cli.run(main)
