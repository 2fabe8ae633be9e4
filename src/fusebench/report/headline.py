"""All metrics of the fusion under study, as stage headline shows them."""

import textwrap
from typing import Any

from fusebench.evaluation.measure import collapse_text
from fusebench.evaluation.metrics import METRICS, Metric

# Val first: a choice made by test figures spoils them for quoting.
_PARTS = {"val": "choose by these", "test": "never choose by these"}
# Between words that stay on one line.
_TIE = "\N{NO-BREAK SPACE}"


def headline_text(fusion: str, metrics: dict[str, Any], width: int) -> str:
    """Return all metrics of a fusion for a screen, in lines of at most `width` columns.

    Parameters
    ----------
    metrics : dict
        As `fusion_metrics` returns it.
    """
    lines = [f"{fusion}: {metrics['parameters'] / 1e6:.3f} M parameters, {collapse_text(metrics)}"]
    for part, advice in _PARTS.items():
        shown = [_figure(metric, metrics[part][metric.name]) for metric in METRICS.values()]
        line = f"  {part} ({advice}): {' · '.join(shown)}"
        lines += textwrap.wrap(line, width, subsequent_indent="    ")
    return "\n".join(lines).replace(_TIE, " ")


def _figure(metric: Metric, over_seeds: dict[str, float | None]) -> str:
    mean, deviation = over_seeds["mean"], over_seeds["deviation"]
    spread = "" if deviation is None else f" ± {deviation:.{metric.digits}f}"
    text = f"{metric.label} {mean:.{metric.digits}f}{spread} {metric.unit}".rstrip()
    return text.replace(" ", _TIE)
