"""Measure this project beside its alternatives: python benchmarks/bench.py

Training against the notebook's way and a plain Fabric loop, the data stages, and how fast stages
start; what is compared is run interleaved. Writes benchmarks/results/<machine>.json and prints its
tables. Run it from the root of the project, on a machine that does nothing else.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The library is not installed. This folder is no place to import from: a module of its
# name would hide one of a library.
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402


def main() -> None:
    """Measure, write the results, print them."""
    cli.parser(__doc__).parse_args()

    from benchmarks.markdown import tables
    from benchmarks.suite import measure
    from benchmarks.timing import Plan
    from fusebench.files import write_json

    result = measure(Plan(), lambda line: print(line, flush=True))
    path = ROOT / "benchmarks/results" / f"{result['environment']['machine']}.json"
    write_json(path, result)
    print(f"\n{tables([result])}\n\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    cli.run(main)
