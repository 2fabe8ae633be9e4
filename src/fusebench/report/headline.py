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

Headline = dict[str, float | None]


def headline(metrics: dict[str, Any]) -> Headline:
    """Return the headline of metrics/fusions/<name>.json.

    Returns
    -------
    dict
        val_<figure> and val_<figure>_deviation over seeds, then test_…;
        headline_parameters_m (millions); headline_stuck_seeds. Flat, with keys that no other
        metrics file has: so DVC shows them without a path.
    """
    figures: Headline = {}
    for part in _PARTS:
        for name in _UNITS:
            figures[f"{part}_{name}"] = metrics[part][name]["mean"]
            figures[f"{part}_{name}_deviation"] = metrics[part][name]["deviation"]
    figures["headline_parameters_m"] = metrics["parameters"] / 1e6
    figures["headline_stuck_seeds"] = metrics["stuck_seeds"]
    return figures


def headline_lines(fusion: str, figures: Headline) -> list[str]:
    """Return what the screen shows of a headline."""
    lines = [
        f"{fusion}: {figures['headline_parameters_m']:.3f} M parameters, "
        f"{figures['headline_stuck_seeds']} seed(s) stuck at the majority class"
    ]
    for part, advice in _PARTS.items():
        shown = [_shown(f"{part}_{name}", unit, figures) for name, unit in _UNITS.items()]
        lines.append(f"  {part} ({advice}): {' · '.join(shown)}")
    return lines


def _shown(key: str, unit: str, figures: Headline) -> str:
    deviation = figures[f"{key}_deviation"]
    digits = 2 if unit == "%" else 4
    spread = "" if deviation is None else f" ± {deviation:.{digits}f}"
    name = key.partition("_")[2].replace("_", " ")
    return f"{name} {figures[key]:.{digits}f}{spread} {unit}"
