"""Tell a tracker of the results in the workspace: python src/track.py

Each training and the comparison, unless the tracker was told: what came out of DVC's cache, and
what was made while the tracker did not answer. docs/trackers.md says more.
"""

from fusebench import cli


def main() -> None:
    """Read the arguments, tell."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tracker", metavar="NAME", help="default: that of params.yaml")
    parser.add_argument(
        "--again", action="store_true", help="also what it was told before, which is replaced"
    )
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import TRACKERS, RuntimeParams
    from fusebench.errors import ParamsError
    from fusebench.tracking.tracker import check_tracker

    name, named_by, instead = arguments.tracker, "--tracker", ""
    if name is None:
        name = load_section(PARAMS_FILE, "runtime", RuntimeParams).tracker
        named_by, instead = "params.yaml: runtime.tracker =", ", or --tracker NAME"
    if name == "none":
        raise ParamsError(
            f"{named_by} 'none': nobody to tell; must be one of {TRACKERS.names()}{instead}"
        )
    check_tracker(name, named_by)

    from fusebench.tracking.workspace import tell_results

    tell_results(name, again=arguments.again)


if __name__ == "__main__":
    cli.run(main)
