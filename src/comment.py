"""Write what a change makes of the results, for a pull request: python src/comment.py --base main

Which results there are and whether they are stale, each fusion against itself in the base with its
significance, the params that changed, the comparison, pictures: as Markdown for GitHub or GitLab.
What cannot be compared is said. docs/pull-requests.md says more.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, write."""
    parser = cli.parser(__doc__)
    revision = "git commit, branch or tag, or name of an experiment"
    parser.add_argument("--base", required=True, metavar="REV", help=f"before: {revision}")
    parser.add_argument("--of", metavar="REV", help=f"after: {revision} (default: the workspace)")
    parser.add_argument(
        "--output", type=Path, default=Path(".work/comment.md"), metavar="FILE",
        help="default: .work/comment.md",
    )  # fmt: skip
    parser.add_argument(
        "--pictures", default="", metavar="PREFIX",
        help="what stands before the name of a picture: the address of plots/ of that commit, or "
        "that folder as seen from the comment (default: no pictures)",
    )  # fmt: skip
    parser.add_argument(
        "--small", nargs=2, metavar=("BEFORE", "AFTER"), help="two experiments: a smaller setting"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N",
        help="characters at most; the longest sections are left out (default: GitHub's 65,536)",
    )  # fmt: skip
    arguments = parser.parse_args()

    from fusebench.comment.comment import Small, comment
    from fusebench.comment.pictures import checked_prefix
    from fusebench.comment.sections import LIMIT
    from fusebench.files import write_text
    from fusebench.revisions.revisions import WORKSPACE

    written = comment(
        arguments.base,
        WORKSPACE if arguments.of is None else arguments.of,
        Small(*arguments.small) if arguments.small else None,
        checked_prefix(arguments.pictures) if arguments.pictures else "",
        LIMIT if arguments.limit is None else arguments.limit,
    )
    write_text(arguments.output, written)
    print(f"{arguments.output}: {len(written):,} characters")


if __name__ == "__main__":
    cli.run(main)
