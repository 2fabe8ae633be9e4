"""Results as Markdown tables, for the screen and for the README."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plan import FUSION
from fusebench.errors import ArtifactError
from fusebench.files import read_json

Result = Mapping[str, Any]


def read_results(paths: Sequence[Path]) -> Sequence[Result]:
    """Return the results of files that bench.py wrote.

    Raises
    ------
    ArtifactError
        A file is missing, is no JSON, or has another content.
    """
    results = [read_json(path) for path in paths]
    for path, result in zip(paths, results, strict=True):
        if "training" not in result:
            raise ArtifactError(f"{path}: holds no results of bench.py; 'make bench' writes them")
    return results


def committed(folder: Path) -> list[Path]:
    """Return the files of bench.py in a folder, sorted; those of study.py have a prefix."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("precision-"))


def tables(results: Sequence[Result]) -> str:
    """Return the tables of all results, a machine after the other."""
    return "\n\n".join(_tables(result) for result in results)


def summary(results: Sequence[Result]) -> str:
    """Return the machines and their training tables alone, as the README shows them."""
    parts = (
        f"{_training_table(result, result['training']['cpu'], '')}\n\n{_machine(result)}"
        for result in results
    )
    return "\n\n".join(parts)


def _tables(result: Result) -> str:
    training = result["training"]
    parts = [_machine(result), _training(result, training["cpu"], "")]
    if "not_measured" in training["cuda"]:
        parts.append(f"GPU: not measured: {training['cuda']['not_measured']}.")
    else:
        parts.append(_training(result, training["cuda"], f" on {result['environment']['gpu']}"))
    return "\n\n".join([*parts, _limits(result)])


def _machine(result: Result) -> str:
    found = result["environment"]
    sets = [name for name, held in found["instruction_sets"].items() if held]
    return (
        f"**{found['processor']}**, {found['threads']} threads on {found['cores']} cores, "
        f"{', '.join(sets) or 'no AVX-512'}; Python {found['python']}, torch {found['torch']}, "
        f"numpy {found['numpy']}, {found['os']}; commit {found['commit']}."
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
    reference = training["reference"]
    rows = [
        _contestant(name, each, name == reference) for name, each in training["contestants"].items()
    ]
    return _table(header, rows)


def _contestant(name: str, measured: Result, is_reference: bool) -> list[str]:
    kind, precision = name.split("-")
    return [
        f"{kind}, {precision}",
        _cell(measured["seconds_per_epoch"]),
        "1" if is_reference else _cell(measured["ratio"]),
        f"{measured['memory']['peak_mb']:.0f}",
        f"{measured['gigaflops']:.0f}",
        f"{measured['share_of_peak']:.0f} %",
        " · ".join(_reached(each) for each in measured["time_to_loss"]),
    ]


def _reached(training: Result) -> str:
    if training["reached"]:
        return f"{training['seconds']:.1f} ({training['epochs']})"
    return f"not reached in {training['epochs']} epochs (lowest {training['lowest']:.3f})"


def _notes(samples: Result, training: Result) -> str:
    reference = training["contestants"][training["reference"]]
    peaks = ", ".join(
        f"{precision} {rates['median']:,.0f} (best {rates['max']:,.0f})"
        for precision, rates in training["peak_gigaflops"].items()
    )
    measured = sorted({each["memory"]["measured"] for each in training["contestants"].values()})
    return (
        f"{samples['train']} train + {samples['val']} val samples, "
        f"{reference['flops'] / 1e9:.0f} GFLOP per epoch; {reference['ratio']['repeats']} rounds "
        f"in turn after two epochs to warm up: median (min–max), ratios to the first row within a "
        f"round. Peak: matrix products in the same rounds, GFLOP/s: {peaks}. "
        f"Memory: {', '.join(measured)}."
    )


def _limits(result: Result) -> str:
    header = ["promised", "median (min–max)", "limit", "held"]
    rows = [_limit_row(*each) for each in _promises(result)]
    return _table(header, [*_speed_rows(result), *rows])


def _speed_rows(result: Result) -> Iterator[list[str]]:
    """Yield what training is to reach at least, against the notebook's way and against the peak."""
    training, limits = result["training"]["cpu"], result["limits"]
    held = training["contestants"]
    precision = training["reference"].split("-")[1]
    notebook = next(each for name, each in held.items() if name.startswith("notebook"))
    ratio, least = notebook["ratio"], limits[f"training ratio {precision}"]
    yield [
        "`notebook` ÷ `project`", f"{_cell(ratio)} ×", f"at least {least:g} ×",
        "yes" if ratio["median"] >= least else "no",
    ]  # fmt: skip
    share, least = held[training["reference"]]["share_of_peak"], limits["share of peak"]
    yield [
        f"share of peak, {precision}", f"{share:.0f} %", f"at least {least:g} %",
        "yes" if share >= least else "no",
    ]  # fmt: skip


def _promises(result: Result) -> Iterator[tuple[str, Result, str, float | None]]:
    """Yield what is measured, its spread (or why there is none), its unit and its limit."""
    data, start, limits = result["data"], result["startup"], result["limits"]
    for stage in ("synthesize", "extract"):
        yield stage, data[stage]["seconds"], "s", limits[f"{stage} seconds"]
        yield f"{stage}: peak memory", data[stage]["peak_mb"], "MB", limits.get(f"{stage} MB")
    yield "`import torch`", start["import_torch"], "s", None
    name, slowest = _slowest(start["help"])
    yield f"`--help`, slowest: {name}", slowest, "s", limits["help seconds"]
    name, slowest = _slowest({n: v for n, v in start["start"].items() if n not in start["ratio"]})
    yield f"start without torch, slowest: {name}", slowest, "s", limits["start seconds"]
    for name, ratio in start["ratio"].items():
        yield f"start of {name} ÷ `import torch`", ratio, "×", limits["start ratio"]
    yield "`dvc repro`, nothing to do", result["no_op"], "s", limits["no-op seconds"]


def _slowest(spreads: Result) -> tuple[str, Result]:
    return max(spreads.items(), key=lambda each: float(each[1]["median"]))


def _limit_row(label: str, spread: Result, unit: str, limit: float | None) -> list[str]:
    if "not_measured" in spread:
        return [label, f"not measured: {spread['not_measured']}", f"{limit:g} {unit}", ""]
    held = "" if limit is None else "yes" if spread["median"] <= limit else "no"
    return [label, f"{_cell(spread)} {unit}", "" if limit is None else f"{limit:g} {unit}", held]


def _cell(spread: Result) -> str:
    digits = 0 if spread["median"] >= 100 else 2
    median, low, high = (f"{spread[key]:.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
