"""Does one learning rate for all decide which fusion is best? python studies/tune.py

Gives each fusion of params.yaml the same small budget of learning rate, schedule and epochs,
chosen on val, and trains the chosen values with ten seeds as experiment "tuned". What comes of it
is kept in metrics/tuning/, shown in docs/tuning.md, and committed. Half an hour; ended at any point
and started again it goes on. Needs 'dvc repro split check_inputs' first, as make tune does it.
"""

import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The library is not installed.
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Read the arguments, run what is not done."""
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--trials", type=int, metavar="N", help="trials of each fusion, 2 or more (8)"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N",
        help="with which the chosen values are trained: the first N, 2 or more (10)",
    )  # fmt: skip
    parser.add_argument("--no-commit", action="store_true", help="leave results uncommitted")
    parser.add_argument("--show", action="store_true", help="run nothing: page anew, committed")
    arguments = parser.parse_args()
    if arguments.trials is not None and arguments.trials < 2:
        parser.error(f"--trials = {arguments.trials}: must be 2 or more: the first is the default")

    if arguments.seeds is not None and arguments.seeds < 2:
        parser.error(f"--seeds = {arguments.seeds}: must be 2 or more: fusions are compared")

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams

    # Before what imports numpy, which reads the environment then.
    load_section(PARAMS_FILE, "runtime", RuntimeParams).before_torch()

    from studies.tuning.plan import SEEDS, TRIALS
    from studies.tuning.run import Tuning

    tuning = Tuning(
        trials=arguments.trials or TRIALS,
        seeds=SEEDS if arguments.seeds is None else tuple(range(arguments.seeds)),
        commits=not arguments.no_commit,
        say=partial(print, flush=True),
    )
    if arguments.show:
        tuning.show()
    else:
        tuning.run()


if __name__ == "__main__":
    cli.run(main)
