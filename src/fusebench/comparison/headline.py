"""The few figures of the fusion under study, under the same keys whichever it is."""

from typing import Any

# Val first: a choice made by test figures would make them worthless.
_PARTS = {"val": "choose by these", "test": "quote these"}
_UNITS = {
    "balanced_accuracy": "%",
    "accuracy": "%",
    "f1": "%",
    "auroc": "%",
    "nll": "nats",
}


def headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the headline of metrics/fusions/<name>.json.

    Returns
    -------
    dict
        val, then test: mean and deviation over seeds of each figure; parameters (M); stuck_seeds.
    """
    figures: dict[str, Any] = {
        part: {name: dict(metrics[part][name]) for name in _UNITS} for part in _PARTS
    }
    figures["parameters_m"] = metrics["parameters"] / 1e6
    figures["stuck_seeds"] = metrics["stuck_seeds"]
    return figures


def headline_lines(fusion: str, figures: dict[str, Any]) -> list[str]:
    """Return what the screen shows of a headline."""
    lines = [
        f"{fusion}: {figures['parameters_m']:.3f} M parameters, "
        f"{figures['stuck_seeds']} seed(s) stuck at the majority class"
    ]
    for part, advice in _PARTS.items():
        shown = [_shown(name, figures[part][name]) for name in _UNITS]
        lines.append(f"  {part} ({advice}): {' · '.join(shown)}")
    return lines


def _shown(name: str, figure: dict[str, float | None]) -> str:
    mean, deviation = figure["mean"], figure["deviation"]
    digits = 4 if name == "nll" else 2
    spread = "" if deviation is None else f" ± {deviation:.{digits}f}"
    return f"{name.replace('_', ' ')} {mean:.{digits}f}{spread} {_UNITS[name]}"
