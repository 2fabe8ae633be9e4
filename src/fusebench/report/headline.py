"""The few figures of the fusion under study, under the same keys whichever it is."""

import textwrap
from typing import Any

from fusebench.evaluation.metrics import METRICS, Metric

# Val first: a choice made by test figures would make them worthless.
_PARTS = {"val": "choose by these", "test": "quote these"}
# Between words that stay on one line.
_TIE = "\N{NO-BREAK SPACE}"

Headline = dict[str, float | None]


def headline(metrics: dict[str, Any]) -> Headline:
    """Return the headline of what `fusion_metrics` returned.

    Returns
    -------
    dict
        val_<metric> and val_<metric>_deviation over seeds, then test_…;
        headline_parameters_m (millions); headline_collapsed_seeds. Flat, with keys that no other
        metrics file has: so DVC shows them without a path.
    """
    figures: Headline = {}
    for part in _PARTS:
        for name in METRICS:
            figures[f"{part}_{name}"] = metrics[part][name]["mean"]
            figures[f"{part}_{name}_deviation"] = metrics[part][name]["deviation"]
    figures["headline_parameters_m"] = metrics["parameters"] / 1e6
    figures["headline_collapsed_seeds"] = metrics["collapsed_seeds"]
    return figures


def headline_text(fusion: str, figures: Headline, width: int) -> str:
    """Return what the screen shows of a headline, in lines of at most `width` columns."""
    lines = [
        f"{fusion}: {figures['headline_parameters_m']:.3f} M parameters, "
        f"{figures['headline_collapsed_seeds']} seed(s) collapsed to the majority class"
    ]
    for part, advice in _PARTS.items():
        shown = [_figure(part, metric, figures) for metric in METRICS.values()]
        line = f"  {part} ({advice}): {' · '.join(shown)}"
        lines += textwrap.wrap(line, width, subsequent_indent="    ")
    return "\n".join(lines).replace(_TIE, " ")


def _figure(part: str, metric: Metric, figures: Headline) -> str:
    mean, deviation = figures[f"{part}_{metric.name}"], figures[f"{part}_{metric.name}_deviation"]
    spread = "" if deviation is None else f" ± {deviation:.{metric.digits}f}"
    text = f"{metric.label} {mean:.{metric.digits}f}{spread} {metric.unit}".rstrip()
    return text.replace(" ", _TIE)
