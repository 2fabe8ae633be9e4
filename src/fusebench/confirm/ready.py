"""What must be so before anything of the holdout is looked at; cheap, so that it comes first."""

from fusebench.confirm.repository import check_committed
from fusebench.errors import HoldoutError
from fusebench.params import Params
from fusebench.revisions.revisions import WORKSPACE, reader
from fusebench.stale import stale


def check_ready(params: Params) -> str:
    """Return the full hash of HEAD, which names what would be opened.

    Raises
    ------
    HoldoutError
        No sample is held out, git cannot name or record what is opened, or results are stale.
    """
    if not params.split.holdout:
        raise HoldoutError(
            "params.yaml: split.holdout = 0: no sample is held out; must be above 0 before the "
            "models are trained, so set it, 'dvc repro' and commit"
        )
    commit = check_committed()
    state = stale(reader(WORKSPACE))
    if state or state.unknown:
        said = " ".join(state.lines())
        raise HoldoutError(f"{said} 'dvc repro' and commit before the holdout is opened.")
    return commit
