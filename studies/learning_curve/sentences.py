"""What is said of training sizes; words follow from numbers."""

from collections.abc import Iterator

from fusebench.report.recommendation import listed
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from studies.common.study import Kept
from studies.common.words import not_run
from studies.learning_curve.tables import Results

_INTERVAL = f"{100 * LEVEL:.0f} % interval"


def paragraph(results: Results) -> str:
    """Return what there is to say, in one line of Markdown."""
    if not results.kept:
        return "Nothing was run yet: `make learning-curve` does."
    said = [_left, _means, _enough, _limits]
    return " ".join([_what(results), *(line for part in said for line in part(results))])


def _what(results: Results) -> str:
    first, last = results.kept[0], results.kept[-1]
    steps = sorted({size["steps"] for size in results.kept})
    many = f"{steps[0]:,} to {steps[-1]:,}" if len(steps) > 1 else f"{steps[0]:,}"
    return (
        f"{_count(len(results.fusions), 'fusion')}, each with {_count(results.seeds, 'seed')}, "
        f"trained on {_samples(first)} to {_samples(last)} samples ({100 * first['share']:g} to "
        f"{100 * last['share']:g} % of all pairs) with {many} optimiser steps, tested on the same "
        f"{first['samples']['test']:,} samples."
    )


def _left(results: Results) -> Iterator[str]:
    """Say which sizes of the plan were not run."""
    done = [repr(float(size["share"])) for size in results.kept]
    yield from not_run(results.planned, done, "sizes")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _samples(size: Kept) -> str:
    return f"{size['train_samples']:,}"


def _means(results: Results) -> Iterator[str]:
    """Say what each fusion reaches at the smallest and at the largest size."""
    if len(results.kept) < 2:
        return
    ends = results.kept[0], results.kept[-1]
    said = []
    for fusion in results.fusions:
        low, high = (results.values(size, fusion).mean() for size in ends)
        said.append(f"{fusion} {low:.1f} and {high:.1f}")
    yield (
        f"Mean balanced accuracy on test with {_samples(ends[0])} and with {_samples(ends[1])} "
        f"samples, in %: {listed(said)}."
    )


def _enough(results: Results) -> Iterator[str]:
    """Say from which size on fusions are within the margin of their own best mean."""
    if results.margin is None or len(results.kept) < 2:
        return
    by_size: dict[int, list[str]] = {}
    for fusion in results.fusions:
        size = results.enough(fusion)
        by_size.setdefault(0 if size is None else size["train_samples"], []).append(fusion)
    none, largest = by_size.pop(0, []), results.kept[-1]["train_samples"]
    said = [
        f"{listed(by_size[samples])} from {samples:,} samples on"
        for samples in sorted(by_size)
        if samples != largest
    ]
    within = f"Within {results.margin:g} points of its own best mean of these sizes, {_by(results)}"
    if said:
        yield f"{within}: {'; '.join(said)}."
    if last := by_size.get(largest):
        head = "At no smaller size than" if said else f"{within}, at no smaller size than"
        yield (
            f"{head} the largest: {listed(last)}; whether still more samples help was not measured."
        )
    if none:
        yield f"Not even at the largest: {listed(none)}, whose best mean is at a smaller one."


def _by(results: Results) -> str:
    """Say by what it is decided."""
    if results.by_interval:
        return f"by the upper end of the {_INTERVAL} of the difference, paired by seed"
    return f"by means alone (below {FEWEST_SEEDS} seeds no interval over them is relied on)"


def _limits(results: Results) -> Iterator[str]:
    if results.by_interval:
        yield (
            "Intervals tell the scatter of other seeds (other draws of train and val, initial "
            "weights and orders), with these test samples."
        )
    else:
        yield (
            f"{_count(results.seeds, 'seed')}: this describes these trainings, and claims nothing "
            "of the fusions trained again."
        )
    yield (
        "Nothing is said of sizes that were not run, of longer training, or of which fusion is "
        "better at a size: no difference between fusions is tested here."
    )
