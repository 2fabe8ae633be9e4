"""The study of training on corrupted samples, put together."""

from collections.abc import Callable

from studies.common.experiments import run_queued
from studies.common.kept import Unit, deciding_here
from studies.common.study import Runner, Study
from studies.robust.found import find
from studies.robust.page import PAGE, write_results
from studies.robust.plan import units
from studies.robust.tables import FOLDER


def planned() -> list[Unit]:
    """Return what is to be run with this folder's params; raise FusebenchError."""
    return units(deciding_here())


def study(
    *, commits: bool = True, say: Callable[[str], None] = print, runner: Runner = run_queued
) -> Study:
    """Return the study of this folder."""
    return Study(
        title="Robust training", folder=FOLDER, params=deciding_here(), planned=planned,
        find=find, write=write_results, own=lambda: PAGE.own(FOLDER), runner=runner,
        commits=commits, say=say,
    )  # fmt: skip
