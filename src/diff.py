"""Compare each fusion with itself before a change: python src/diff.py [REV [REV2]]

REV is a git revision or the name of an experiment (HEAD~1 unless given), REV2 another (the
workspace unless given). Paired by seed and test sample; the metric that decides is compare.primary
of params.yaml. Predictions come out of DVC's cache, or a remote.
"""

from fusebench import cli


def main() -> None:
    """Read the predictions of both, compare, print."""
    parser = cli.parser(__doc__)
    parser.add_argument("before", metavar="REV", nargs="?", default="HEAD~1", help="before")
    parser.add_argument("after", metavar="REV2", nargs="?", default="workspace", help="after")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.report.settings import CompareParams
    from fusebench.revisions.diff import diff
    from fusebench.revisions.diff_text import diff_text
    from fusebench.revisions.matching import Side
    from fusebench.revisions.revisions import read_fusions

    primary = load_section(PARAMS_FILE, "compare", CompareParams).primary
    before, after = (Side(name, read_fusions(name)) for name in (arguments.before, arguments.after))
    print(diff_text(diff(before, after, primary)))


if __name__ == "__main__":
    cli.run(main)
