"""How often are the statistics wrong? python studies/calibrate.py

Simulates studies whose truth is known, counts wrong claims, and writes docs/calibration.json,
docs/calibration.md and docs/calibration.png. A quarter of an hour; needs no data, trains nothing.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The library is not installed.
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402
from fusebench.processor import usable_cores  # noqa: E402


def main() -> None:
    """Read the arguments, simulate, write."""
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--trials",
        type=int,
        default=2000,
        help="studies of each scenario with two fusions; of others a part of it (2000)",
    )
    parser.add_argument("--workers", type=int, help="processes (as many as usable cores)")
    parser.add_argument("--folder", type=Path, default=Path("docs"), help="where to write (docs)")
    arguments = parser.parse_args()
    if arguments.trials < 1:
        parser.error("--trials: 1 or more")
    workers = usable_cores() if arguments.workers is None else arguments.workers
    if workers < 1:
        parser.error("--workers: 1 or more")

    from studies.calibration.calibration import calibrate
    from studies.calibration.page import write_calibration

    write_calibration(calibrate(arguments.trials, _report, workers), arguments.folder)


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    cli.run(main)
