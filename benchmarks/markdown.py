"""Results of bench.py as Markdown tables, for the screen and for the documents."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.timing import FUSION

Result = Mapping[str, Any]


def tables(results: Sequence[Result]) -> str:
    """Return all tables of all results, one machine after the other."""
    return "\n\n".join(_tables(result) for result in results)


def summary(results: Sequence[Result]) -> str:
    """Return the machines and their training tables alone, as the README shows them."""
    parts = (
        f"{_training_table(result, result['training']['cpu'], '')}\n\n{_machine(result)}"
        for result in results
    )
    return "\n\n".join(parts)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], rule: str) -> str:
    """Return a Markdown table whose cells are not padded; `rule` is its second line.

    (`DataFrame.to_markdown` pads each column to its widest cell, and lines become unreadable.)
    """
    first, *rest = (f"| {' | '.join(cells)} |" for cells in (header, *rows))
    return "\n".join([first, rule, *rest])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with numbers in all columns but the first."""
    return table(header, rows, f"| --- |{' --: |' * (len(header) - 1)}")


def _tables(result: Result) -> str:
    training = result["training"]
    parts = [_machine(result), _training(result, training["cpu"], "")]
    if "not_measured" in training["cuda"]:
        parts.append(f"GPU: not measured: {training['cuda']['not_measured']}.")
    else:
        parts.append(_training(result, training["cuda"], f" on {result['environment']['gpu']}"))
    return "\n\n".join([*parts, _limits(result)])


def _machine(result: Result) -> str:
    facts = result["environment"]
    sets = [name for name, present in facts["instruction_sets"].items() if present]
    return (
        f"**{facts['processor']}**, {facts['threads']} threads on {facts['cores']} cores, "
        f"{', '.join(sets) or 'no AVX-512'}; Python {facts['python']}, torch {facts['torch']}, "
        f"numpy {facts['numpy']}, {facts['os']}; commit {facts['commit']}."
    )


def _training(result: Result, training: Result, where: str) -> str:
    notes = _notes(result["samples"], training)
    return f"{_training_table(result, training, where)}\n\n{notes}"


def _training_table(result: Result, training: Result, where: str) -> str:
    plan = result["plan"]
    seeds = ", ".join(map(str, plan["seeds"]))
    header = [
        f"training `{FUSION}`{where}", "s per epoch", "ratio", "peak MB", "GFLOP/s", "of peak",
        f"s to val loss {plan['val_loss']:g} (epochs), seeds {seeds}",
    ]  # fmt: skip
    rows = [
        _implementation(name, figures, name == training["reference"])
        for name, figures in training["implementations"].items()
    ]
    return _table(header, rows)


def _implementation(name: str, figures: Result, is_reference: bool) -> list[str]:
    kind, precision = name.split("-")
    return [
        f"{kind}, {precision}",
        _cell(figures["seconds_per_epoch"]),
        "1" if is_reference else _cell(figures["ratio"]),
        f"{figures['memory']['peak_mb']:.0f}",
        f"{figures['gigaflops']:.0f}",
        f"{figures['share_of_peak']:.0f} %",
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
        f"{precision} {rates['median']:,.0f} (best {rates['max']:,.0f})"
        for precision, rates in training["peak_gigaflops"].items()
    )
    measured = sorted({values["memory"]["measured"] for values in figures.values()})
    return (
        f"{samples['train']} train + {samples['val']} val samples, "
        f"{reference['flops'] / 1e9:.0f} GFLOP per epoch; {reference['ratio']['repeats']} "
        "interleaved rounds after two warm-up epochs: median (min–max), ratios to the first row "
        f"within a round. Peak: matrix products in the same rounds, GFLOP/s: {peaks}. "
        f"Memory: {', '.join(measured)}."
    )


def _limits(result: Result) -> str:
    header = ["measured", "median (min–max)", "limit", "met"]
    rows = [_limit_row(*arguments) for arguments in _upper_limits(result)]
    return _table(header, [*_training_limits(result), *rows])


def _training_limits(result: Result) -> Iterator[list[str]]:
    """Yield what training is to reach at least, against the notebook's way and against the peak."""
    training, limits = result["training"]["cpu"], result["limits"]
    figures = training["implementations"]
    precision = training["reference"].split("-")[1]
    notebook = next(values for name, values in figures.items() if name.startswith("notebook"))
    ratio, least = notebook["ratio"], limits[f"training ratio {precision}"]
    yield [
        "`notebook` ÷ `project`", f"{_cell(ratio)} ×", f"at least {least:g} ×",
        "yes" if ratio["median"] >= least else "no",
    ]  # fmt: skip
    share, least = figures[training["reference"]]["share_of_peak"], limits["share of peak"]
    yield [
        f"share of peak, {precision}", f"{share:.0f} %", f"at least {least:g} %",
        "yes" if share >= least else "no",
    ]  # fmt: skip


def _upper_limits(result: Result) -> Iterator[tuple[str, Result, str, float | None]]:
    """Yield what is measured, its spread (or why there is none), its unit and its limit."""
    data, startup, limits = result["data"], result["startup"], result["limits"]
    for stage in ("synthesize", "extract"):
        yield stage, data[stage]["seconds"], "s", limits[f"{stage} seconds"]
        yield f"{stage}: peak memory", data[stage]["peak_mb"], "MB", limits.get(f"{stage} MB")
    yield "`import torch`", startup["import_torch"], "s", None
    name, slowest = _slowest(startup["help"])
    yield f"`--help`, slowest: {name}", slowest, "s", limits["help seconds"]
    without_torch = {
        name: spread for name, spread in startup["start"].items() if name not in startup["ratio"]
    }
    name, slowest = _slowest(without_torch)
    yield f"start without torch, slowest: {name}", slowest, "s", limits["start seconds"]
    for name, ratio in startup["ratio"].items():
        yield f"start of {name} ÷ `import torch`", ratio, "×", limits["start ratio"]
    yield "`dvc repro`, nothing to do", result["no_op"], "s", limits["no-op seconds"]


def _slowest(spreads: Result) -> tuple[str, Result]:
    return max(spreads.items(), key=lambda item: float(item[1]["median"]))


def _limit_row(label: str, spread: Result, unit: str, limit: float | None) -> list[str]:
    if "not_measured" in spread:
        return [label, f"not measured: {spread['not_measured']}", f"{limit:g} {unit}", ""]
    if limit is None:
        return [label, f"{_cell(spread)} {unit}", "", ""]
    met = "yes" if spread["median"] <= limit else "no"
    return [label, f"{_cell(spread)} {unit}", f"{limit:g} {unit}", met]


def _cell(spread: Result) -> str:
    digits = 0 if spread["median"] >= 100 else 2
    median, low, high = (f"{spread[key]:.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"
