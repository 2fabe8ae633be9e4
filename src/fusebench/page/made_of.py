"""What the page was made of: params, data, environment, commit."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fusebench.page.answer import fingerprint
from fusebench.page.markup import Markup, table, tag
from fusebench.page.sources import Sources
from fusebench.report.looks import title


def made_of(sources: Sources) -> Markup:
    """Return the params, the data, where it was trained, and which commit that is."""
    parts = {
        "Training": _settings(sources),
        "Declared before looking": _table("declared", _flat(sources.compared.get("compare", {}))),
        "Data": _data(sources),
        "Environment": _environment(sources),
        "Commit and results": _table(
            "commit", [("commit", sources.commit.words), ("results", fingerprint(sources))]
        ),
    }
    boxes = (tag("div", tag("h3", heading), content) for heading, content in parts.items())
    return tag("div", *boxes, class_="grid")


def _settings(sources: Sources) -> Markup:
    """Return the settings of training: one value where all fusions have the same."""
    settings = {name: of.info.get("settings") or {} for name, of in sources.predictions.items()}
    return _table("settings", [
        ("seeds", ", ".join(map(str, sources.info["seeds"]))), *_together(settings)
    ])  # fmt: skip


def _environment(sources: Sources) -> Markup:
    environments = {name: of["environment"] for name, of in sources.trainings.items()}
    return _table("environment", _together(environments))


def _together(by_fusion: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return each key with its value; with the fusions of each value where there are several."""
    rows = []
    for key in dict.fromkeys(key for values in by_fusion.values() for key in values):
        groups: dict[str, list[str]] = {}
        for name, values in by_fusion.items():
            groups.setdefault(_text(values.get(key)), []).append(title(name))
        said = [f"{value} ({', '.join(names)})" for value, names in groups.items()]
        rows.append((key.replace("_", " "), "; ".join(said if len(groups) > 1 else groups)))
    return rows


def _data(sources: Sources) -> Markup:
    samples = sources.samples
    shapes = {"images": samples.rgb.shape[1:3], "LiDAR maps": samples.lidar.shape[1:3]}
    sizes = [(name, f"{height} × {width}") for name, (height, width) in shapes.items()]
    counts = [(f"train samples, seed {seed}", _counts(of))
              for seed, of in sources.info["train_counts"].items()]  # fmt: skip
    return _table("data", [*_flat(sources.data), *sizes, *counts])


def _counts(of_classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in of_classes.items())


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the values of a JSON object with their keys, those of inner objects joined."""
    rows = []
    for key, value in content.items():
        name = f"{prefix}{title(key)}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name} · ")
        else:
            rows.append((name, _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(name: str, rows: Iterable[tuple[str, str]]) -> Markup:
    lines = [("", [key, value]) for key, value in rows]
    return tag("div", table(["key", "value"], lines, label=name.capitalize()), class_="keys")
