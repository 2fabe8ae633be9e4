"""What this project is to reach, and whether it does."""

from collections.abc import Iterator

from benchmarks.cells import Result, least_row, limit_table, most_row, spread_cell
from benchmarks.machine import strongest

# On two cores. Met or not, each is shown beside what was measured, of an older result too.
LIMITS = {
    "training ratio": 2.6,
    "training ratio with AMX": 4.5,
    "share of peak in fp32": 65.0,
    "synthesize seconds": 10.0,
    "extract seconds": 8.0,
    "extract MB": 600.0,
    "help seconds": 0.5,
    "start seconds": 1.5,
    "start ratio": 1.25,
    "no-op seconds": 2.0,
}


def limits(result: Result) -> str:
    """Return the table of all that is judged in a result of bench.py, and of what stands by it."""
    rows = [*_training(result), *_side_by_side(result), *_stages(result)]
    return limit_table(rows)


def notebook(training: Result) -> Result:
    """Return the figures of the notebook's way."""
    figures: dict[str, Result] = training["implementations"]
    return next(values for name, values in figures.items() if name.startswith("notebook"))


def _training(result: Result) -> Iterator[list[str]]:
    """Yield what training is to reach at least, against the notebook's way and against the peak."""
    training = result["training"]["cpu"]
    ratio = notebook(training)["ratio"]
    has_amx = strongest(result["environment"]["instruction_sets"]) == "amx"
    least = LIMITS["training ratio with AMX" if has_amx else "training ratio"]
    yield least_row("`notebook` ÷ `project`", spread_cell(ratio), ratio["median"], least, "×")
    share = training["implementations"]["project-fp32"]["share_of_peak"]
    least = LIMITS["share of peak in fp32"]
    yield least_row("share of peak, fp32", f"{share:.0f}", share, least, "%")


def _side_by_side(result: Result) -> Iterator[list[str]]:
    """Yield how many epochs per second seeds side by side make; nothing where none did."""
    seeds = result.get("side_by_side", {"not_measured": ""})
    if "not_measured" not in seeds:
        count = seeds["seeds"]
        label = f"{count} seeds at once, 1 thread each ÷ 1 with {count}, epochs per second"
        yield most_row(label, seeds["ratio"], "×", None)


def _stages(result: Result) -> Iterator[list[str]]:
    """Yield what stages and starts may take at most."""
    data, startup = result["data"], result["startup"]
    for stage in ("synthesize", "extract"):
        yield most_row(stage, data[stage]["seconds"], "s", LIMITS[f"{stage} seconds"])
        memory = data[stage]["peak_mb"]
        yield most_row(f"{stage}: peak memory", memory, "MB", LIMITS.get(f"{stage} MB"))
    yield most_row("`import torch`", startup["import_torch"], "s", None)
    name, slowest = _slowest(startup["help"])
    yield most_row(f"`--help`, slowest: {name}", slowest, "s", LIMITS["help seconds"])
    without_torch = {
        name: spread for name, spread in startup["start"].items() if name not in startup["ratio"]
    }
    name, slowest = _slowest(without_torch)
    label = f"start without torch, slowest: {name}"
    yield most_row(label, slowest, "s", LIMITS["start seconds"])
    for name, ratio in startup["ratio"].items():
        yield most_row(f"start of {name} ÷ `import torch`", ratio, "×", LIMITS["start ratio"])
    yield most_row("`dvc repro`, nothing to do", result["no_op"], "s", LIMITS["no-op seconds"])


def _slowest(spreads: Result) -> tuple[str, Result]:
    return max(spreads.items(), key=lambda item: float(item[1]["median"]))
