"""Measure time per sample and memory as samples grow in number: python benchmarks/scale.py

From 1,000 to 200,000 samples on the CPU, made of those in data/samples: training from memory and
streamed, predictions, split and extract, each in a process of its own. Takes about ten minutes and
12 GB in the temporary folder (TMPDIR names another). Writes the file scale-<machine>.json in
benchmarks/results/ and prints its tables. Needs what `dvc repro extract` makes.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Measure, write the results, print them."""
    cli.parser(__doc__).parse_args()

    from benchmarks.scaling.measure import measure
    from benchmarks.scaling.plan import Plan
    from benchmarks.scaling.report import scale_tables
    from fusebench.files import write_json

    result = measure(Plan(), lambda line: print(line, flush=True))
    path = ROOT / "benchmarks/results" / f"scale-{result['environment']['machine']}.json"
    write_json(path, result)
    print(f"\n{scale_tables([result])}\n\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    cli.run(main)
