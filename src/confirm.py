"""Open the holdout: python src/confirm.py

The samples that no stage has read, once, at the very end. Says first what they can tell and when
they were opened before, and asks. A yes is recorded in git: a commit of metrics/holdout/opened.csv
alone, on top of the one that names what is opened. Then every kept model answers for them, and
metrics/holdout/ holds what is said by the same measures and statistics as on test.
"""

import argparse
import sys

from fusebench import cli


def main() -> None:
    """Read the arguments, look, ask, open."""
    parser = cli.parser(__doc__)
    parser.add_argument("--yes", action="store_true", help="open it without asking")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load, load_section
    from fusebench.device import RuntimeParams, prepare

    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.confirm.ready import check_ready
    from fusebench.params import Params

    params = load(PARAMS_FILE, Params)
    commit = check_ready(params)

    from fusebench.confirm.confirm import Proposal

    proposal = Proposal.read(commit, params.compare, params.fusions, prepare(runtime))
    cli.show(proposal.text())
    if _agreed(arguments):
        cli.show(proposal.open(cli.show).screen())
    else:
        print("Not opened; all is as it was.")


def _agreed(arguments: argparse.Namespace) -> bool:
    from fusebench.errors import HoldoutError

    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise HoldoutError(
            "not opened: there is no terminal to ask on; 'make confirm YES=1' (or --yes) opens it"
        )
    try:
        return input("Open it? [y/N] ").strip().lower() == "y"
    except EOFError:
        return False


if __name__ == "__main__":
    cli.run(main)
