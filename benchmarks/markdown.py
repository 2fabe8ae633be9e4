"""Results of bench.py as Markdown tables, for the screen and for the documents."""

from collections.abc import Sequence

from benchmarks.cells import Result, number_table, spread_cell
from benchmarks.limits import limits, notebook
from benchmarks.timing import FUSION

_UNKNOWN = "–"


def newest_first(results: Sequence[Result]) -> list[Result]:
    """Return results by the time they were measured at; those that do not say it come last."""
    return sorted(results, key=_measured, reverse=True)


def _measured(result: Result) -> str:
    return str(result["environment"].get("measured", ""))


def tables(results: Sequence[Result]) -> str:
    """Return all tables of all results, one machine after the other, the newest first."""
    ordered = newest_first(results)
    return "\n\n".join(
        part for result in ordered for part in (*_age(result, ordered[0]), *_tables(result))
    )


def summary(results: Sequence[Result]) -> str:
    """Return what the README shows: the training table of the newest result, a line of others."""
    newest, *older = newest_first(results)
    table = _training_table(newest, newest["training"]["cpu"], "")
    return "\n".join([table, "", _machine(newest), *map(_elsewhere, older)])


def _age(result: Result, newest: Result) -> list[str]:
    """Return the line that marks a result of another commit than the newest result's, if it is."""
    if _commit(result) == _commit(newest):
        return []
    return [f"As of commit {_commit(result)}; the library has moved on since."]


def _commit(result: Result) -> str:
    return str(result["environment"]["commit"])


def _elsewhere(result: Result) -> str:
    """Return what the project as shipped reached on another machine, and at which commit."""
    training, facts = result["training"]["cpu"], result["environment"]
    shipped = training["implementations"][training["reference"]]
    return (
        f"As of commit {_commit(result)}: {facts['processor']}, {_sets(result)}, "
        f"{training['reference'].split('-')[1]}: {spread_cell(shipped['seconds_per_epoch'])} s per "
        f"epoch, `notebook` ÷ `project` {spread_cell(notebook(training)['ratio'])}."
    )


def _tables(result: Result) -> list[str]:
    training = result["training"]
    parts = [_machine(result), *_training(result, training["cpu"], "")]
    if "not_measured" in training["cuda"]:
        parts.append(f"GPU: not measured: {training['cuda']['not_measured']}.")
    else:
        parts += _training(result, training["cuda"], f" on {result['environment']['gpu']}")
    return [*parts, limits(result)]


def _machine(result: Result) -> str:
    facts = result["environment"]
    return (
        f"**{facts['processor']}**, {facts['threads']} threads on {facts['cores']} cores, "
        f"{_sets(result)}; Python {facts['python']}, torch {facts['torch']}, "
        f"numpy {facts['numpy']}, {facts['os']}; commit {facts['commit']}."
    )


def _sets(result: Result) -> str:
    """Return the instruction sets that count for convolutions."""
    present = result["environment"]["instruction_sets"].items()
    return ", ".join(name for name, has in present if has) or "no AVX-512"


def _training(result: Result, training: Result, where: str) -> list[str]:
    return [_training_table(result, training, where), _notes(result["samples"], training)]


def _training_table(result: Result, training: Result, where: str) -> str:
    plan = result["plan"]
    seeds = ", ".join(map(str, plan["seeds"]))
    header = [
        f"training `{FUSION}`{where}", "s per epoch", "ratio", "peak MB", "GFLOP/s", "of peak",
        "÷ floor", f"s to val loss {plan['val_loss']:g} (epochs), seeds {seeds}",
    ]  # fmt: skip
    rows = [
        _implementation(name, figures, name == training["reference"])
        for name, figures in training["implementations"].items()
    ]
    return number_table(header, rows)


def _implementation(name: str, figures: Result, is_reference: bool) -> list[str]:
    kind, precision = name.split("-")
    return [
        f"{kind}, {precision}",
        spread_cell(figures["seconds_per_epoch"]),
        "1" if is_reference else spread_cell(figures["ratio"]),
        f"{figures['memory']['peak_mb']:.0f}",
        f"{figures['gigaflops']:.0f}",
        f"{figures['share_of_peak']:.0f} %",
        # Not known of a result from before copies were timed.
        f"{figures['over_floor']:.1f}" if "over_floor" in figures else _UNKNOWN,
        " · ".join(map(_time_to_loss, figures["time_to_loss"])),
    ]


def _time_to_loss(training: Result) -> str:
    if training["reached"]:
        return f"{training['seconds']:.1f} ({training['epochs']})"
    return f"not reached in {training['epochs']} epochs (lowest {training['lowest']:.3f})"


def _notes(samples: Result, training: Result) -> str:
    figures = training["implementations"]
    reference = figures[training["reference"]]
    peaks = ", ".join(
        f"{precision} {rates['median']:,.0f} (best {rates['max']:,.0f}) of {_product(rates)}"
        for precision, rates in training["peak_gigaflops"].items()
    )
    measured = sorted({values["memory"]["measured"] for values in figures.values()})
    return (
        f"{samples['train']} train + {samples['val']} val samples, "
        f"{reference['flops'] / 1e9:.0f} GFLOP per epoch; {reference['ratio']['repeats']} "
        "interleaved rounds after two warm-up epochs: median (min–max), ratios to the first row "
        f"within a round. Peak in the same rounds, GFLOP/s: {peaks}. "
        f"{_floors(training)}Memory: {', '.join(measured)}."
    )


def _product(rates: Result) -> str:
    """Return what gave a peak rate."""
    if "of" not in rates:
        return "matrix products, convolutions not timed"
    return {"matmul": "matrix products", "convolution": "convolutions"}[rates["of"]]


def _floors(training: Result) -> str:
    """Return the sentence on the floor of each precision; empty where copies were not timed."""
    if "copy_gigabytes" not in training:
        return ""
    copied = training["copy_gigabytes"]
    # Those of one precision do the same operations.
    floors = {
        name.split("-")[1]: (figures["floor_seconds"], figures["bytes"])
        for name, figures in training["implementations"].items()
        if not name.endswith("-portable")
    }
    listed = "; ".join(
        f"{precision} {floor['operations']:.2f} s for operations, {floor['bytes']:.2f} s for "
        f"{moved / 1e9:.1f} GB"
        for precision, (floor, moved) in floors.items()
    )
    return (
        f"Copy in the same rounds: {copied['median']:.1f} GB/s (best {copied['max']:.1f}). "
        f"Floor, the larger of two times: {listed}. "
    )
