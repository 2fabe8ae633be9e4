"""The study of training sizes, put together."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from fusebench.config import PARAMS_FILE, load
from fusebench.params import Params
from fusebench.samples.samples import read_samples_table
from studies.common.experiments import run_queued
from studies.common.kept import Unit, deciding_here
from studies.common.study import Runner, Study
from studies.learning_curve.found import find
from studies.learning_curve.page import PAGE, write_results
from studies.learning_curve.plan import units
from studies.learning_curve.tables import FOLDER

_SAMPLES = Path("data/samples")


def planned() -> list[Unit]:
    """Return what is to be run with this folder's params and samples.

    Raises
    ------
    FusebenchError
        Params are wrong, stage extract has not run, or a size is too small.
    """
    params = load(PARAMS_FILE, Params)
    return units(params, deciding_here(), read_samples_table(_SAMPLES))


def study(
    *, commits: bool = True, say: Callable[[str], None] = print, runner: Runner = run_queued
) -> Study:
    """Return the study of this folder."""
    margin = load(PARAMS_FILE, Params).compare.margin.balanced_accuracy
    return Study(
        title="Learning curve", folder=FOLDER, params=deciding_here(), planned=planned,
        find=find, write=partial(write_results, margin=margin), own=lambda: PAGE.own(FOLDER),
        runner=runner, commits=commits, say=say,
    )  # fmt: skip
