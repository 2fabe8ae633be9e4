"""README.md beside an exported model: its card, in the form of Hugging Face's model cards.

All numbers are those of export.json. What is not known, or stale, is named with the reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from fusebench.evaluation.metrics import METRICS
from fusebench.export.card_inputs import inputs_lines
from fusebench.export.card_results import results_sections
from fusebench.export.format import Format
from fusebench.export.markdown import at_most, plain, table
from fusebench.report.origin import origin_of
from fusebench.report.recommendation import listed

_SENSORS = {"rgb": "an RGB image", "lidar": "a LiDAR map"}
# Keys whose lists are heights and widths.
_SIZES = ("size", "image_size")


def card(content: Mapping[str, Any], written: Format, files: Mapping[str, str]) -> str:
    """Return the text of README.md.

    Parameters
    ----------
    content : mapping
        As `about.about`.
    written : Format
        That the model is written in.
    files : mapping of str to str
        Digests of the exported files, by name.
    """
    sections = {
        _title(content): _what(content),
        "Use": _use(content, written),
        "Intended use and limits": _limits(content),
        "Inputs": _inputs(content),
        "Outputs": _outputs(content),
        "Data": _data(content),
        "Training": _training(content),
        **results_sections(content),
        "Check of the exported file": _check(content),
        "Where it comes from": _origin(content, written, files),
    }
    first, *others = sections
    parts = [_front(content, written), f"# {first}\n\n{_joined(sections[first])}"]
    parts += [f"## {heading}\n\n{_joined(sections[heading])}" for heading in others]
    return "\n\n".join(parts) + "\n"


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines).strip()


def _front(content: Mapping[str, Any], written: Format) -> str:
    """Return what machines read: YAML between two lines of dashes."""
    sensors = [each["name"] for each in content["inputs"] if each["name"] in _SENSORS]
    front: dict[str, Any] = {
        "library_name": written.library,
        "tags": ["fusebench", content["format"], content["fusion"], *sensors],
    }
    if content["exported"] is not None:
        task = {"type": "classification", "name": f"classification from {listed(sensors)}"}
        data = {"type": "fusebench", "name": _origin_word(content), "split": "test"}
        metrics = [
            {"type": name, "name": _labelled(name), "value": value}
            for name, value in content["exported"].items()
            # Of what is a bound only, no figure can say so.
            if not (name == "nll" and content["exported_zeros"])
        ]
        results = [{"task": task, "dataset": data, "metrics": metrics}]
        front["model-index"] = [{"name": content["fusion"], "results": results}]
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---"


def _labelled(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def _origin_word(content: Mapping[str, Any]) -> str:
    data = content["data"]
    return f"{origin_of(data['synthetic'], data['task'])} samples"


def _title(content: Mapping[str, Any]) -> str:
    return f"{plain(content['fusion'])}: {plain(listed(content['classes'], 'or'))}"


def _sees(content: Mapping[str, Any]) -> str:
    return listed(
        [_SENSORS[each["name"]] for each in content["inputs"] if each["name"] in _SENSORS]
    )


def _what(content: Mapping[str, Any]) -> Iterator[str]:
    seeds = content["seeds"]
    count = f"{content['parameters']:,} parameters"
    yield (
        f"A classifier that sees {_sees(content)}, in fp32. Fusion `{content['fusion']}` "
        f"({content['strategy']}):"
    )
    yield ""
    yield f"> {plain(content['formula'])}"
    yield ""
    if len(seeds) == 1:
        some = "" if content["all_seeds"] else ", one of several that were trained"
        yield f"It is the model of seed {seeds[0]}{some} ({count})."
    else:
        named = listed([str(seed) for seed in seeds])
        yield (
            f"Its probabilities are the mean of those of {len(seeds)} models ({count} each), which "
            f"were trained alike with seeds {named}; all are in the one file."
        )
    if content["temperatures"] is not None:
        yield (
            "Each model's logits are divided by a temperature that was fitted on its val; their "
            "mean was not calibrated itself."
        )
    if content["calibration_remark"]:
        yield f"Mind: {plain(content['calibration_remark'])}."


def _use(content: Mapping[str, Any], written: Format) -> Iterator[str]:
    names = [each["name"] for each in content["inputs"]]
    form = '"{0}": {0}' if content["format"] == "onnx" else "{0}={0}"
    yield "```python"
    yield written.usage.format(inputs=", ".join(form.format(name) for name in names))
    yield "```"
    yield ""
    yield written.remark.format(**content["versions"], **content["requires"])


def _limits(content: Mapping[str, Any]) -> Iterator[str]:
    classes = len(content["classes"])
    yield (
        f"It answers which of {classes} classes one sample shows, recorded by the sensors below. "
        "It was made to compare ways of fusing sensors."
    )
    yield ""
    yield f"- It knows these {classes} classes and no other: whatever it sees is given to them."
    if content["data"]["synthetic"]:
        yield "- It was trained and measured on rendered samples; recorded ones were not tried."
    else:
        yield (
            "- It was trained and measured on samples of one archive; those of other sensors, "
            "places or times were not tried."
        )
    frequent = "those of samples as frequent in their classes as in the data below"
    if content["settings"].get("class_weights") == "balanced":
        frequent = "as if all classes were equally frequent (`class_weights: balanced`)"
    yield (
        f"- Its probabilities are {frequent}, and not meant for decisions on which anybody's "
        "safety depends."
    )


def _inputs(content: Mapping[str, Any]) -> Iterator[str]:
    yield _tensors(content["inputs"])
    yield ""
    yield "`batch` is any number of samples, the same in all inputs."
    yield ""
    yield from inputs_lines(content)


def _tensors(tensors: list[Mapping[str, Any]]) -> str:
    rows = [
        [f"`{each['name']}`", each["dtype"], " × ".join(map(str, each["shape"])), each["holds"]]
        for each in tensors
    ]
    return table(["name", "type", "shape", "holds"], rows, numbers=False)


def _outputs(content: Mapping[str, Any]) -> Iterator[str]:
    yield _tensors(content["outputs"])
    yield ""
    named = [f"{number}: {plain(name)}" for number, name in enumerate(content["classes"])]
    yield f"Classes by their position: {', '.join(named)}."


def _data(content: Mapping[str, Any]) -> Iterator[str]:
    data, parts = content["data"], content["parts"]
    kind = "rendered by fusebench" if data["synthetic"] else "recorded"
    task = f", task `{data['task']}`" if data["task"] else ""
    many = "Samples"
    if data["counts"] is not None:
        many = f"{sum(data['counts'].values()):,} samples of {data['groups']:,} groups"
    yield f"{many}, {kind} (layout `{data['layout']}`{task})."
    if data["counts"] is None:
        yield f"How many there were is not shown: {plain(content['unknown']['counts'])}."
    yield ""
    classes = content["classes"]
    rows = [] if data["counts"] is None else [["all", *_counts(data["counts"], classes)]]
    for part in ("train", "val"):
        rows += [
            [f"{part}, seed {seed}", *_counts(counts, classes)]
            for seed, counts in (parts[part] or {}).items()
        ]
    if parts["test"] is not None:
        rows.append(["test", *_counts(parts["test"], classes)])
    yield table(["part", *map(plain, classes)], rows)
    yield ""
    if parts["split"] is None:
        yield f"How parts were drawn is not shown: {plain(content['unknown']['split'])}."
    else:
        drawn = ", ".join(f"{key} {value}" for key, value in parts["split"].items())
        yield f"Parts are drawn by section `split`: {drawn}."
    yield ""
    for name, sensor in content["sensors"].items():
        said = ", ".join(f"{key} {_text(value, key)}" for key, value in sensor.items())
        yield f"- {name}: {plain(said)}"


def _counts(counts: Mapping[str, int], classes: list[str]) -> list[str]:
    return [f"{counts.get(name, 0):,}" for name in classes]


def _text(value: Any, key: str) -> str:
    if isinstance(value, list):
        between = " × " if key in _SIZES else ", "
        return between.join(map(str, value)) if value else "none"
    return "none" if value is None else str(value)


def _training(content: Mapping[str, Any]) -> Iterator[str]:
    settings = {
        "stem": content["stem"],
        **{key: _text(value, key) for key, value in content["settings"].items()},
        **{f"lidar.{key}": value for key, value in content["lidar"].items()},
    }
    yield "Settings that this fusion was trained with, `override` included:"
    yield ""
    rows = [[f"`{key}`", plain(it)] for key, it in settings.items()]
    yield table(["key", "value"], rows, numbers=False)
    yield ""
    epochs = [f"{epoch} (seed {seed})" for seed, epoch in content["best_epochs"].items()]
    yield f"The epoch with the lowest val loss was kept: {listed(epochs)}."
    if content["training"] is None:
        yield f"What it was trained on is not known: {plain(content['unknown']['training'])}."
    else:
        said = ", ".join(f"{key} {value}" for key, value in content["training"].items())
        yield f"Trained with {plain(said)}."


def _check(content: Mapping[str, Any]) -> Iterator[str]:
    check = content["check"]
    torch, kept = check["from_torch_fp32"], check["from_kept_predictions"]
    yield (
        f"The file was run on all {check['samples']:,} samples of {check['part']}, "
        f"{check['batch']} at a time and {check['last_batch']} in the last batch, from what the "
        "sensors recorded. Beside it ran the models in torch (fp32, the same weights) on the maps "
        "that training makes."
    )
    if content["parts"]["test"] is None:
        yield (
            "These are the samples of today, which need not be those that the models were kept "
            f"from: {plain(content['unknown']['counts'])}."
        )
    yield ""
    rows = [
        ["the models in torch, fp32", at_most(torch["largest"]), f"{torch['other_class']:,}"],
    ]
    if kept is not None:
        kind = f"kept predictions, {content['trained_in']}"
        rows.append([kind, at_most(kept["largest"]), f"{kept['other_class']:,}"])
    yield table(["from", "largest difference of a probability", "samples of another class"], rows)
    yield ""
    yield f"A file that differs from torch by more than {check['tolerance']:g} is not written."
    if kept is None:
        why = content["unknown"]["kept_predictions"]
        yield f"How it differs from kept predictions is not known: {plain(why)}."


def _origin(content: Mapping[str, Any], written: Format, files: Mapping[str, str]) -> Iterator[str]:
    yield f"Commit of fusebench: {content['commit'] or 'not in a git repository with a commit'}."
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    yield f"Written with {versions}."
    yield (
        f"Licence of fusebench's code: {content['licence']} (file `LICENSE`); it speaks neither of "
        "the data nor of the weights."
    )
    yield ""
    yield "Digests are BLAKE2b of 16 bytes (`b2sum -l 128`):"
    yield ""
    rows = [[f"`{name}`", f"`{digest}`"] for name, digest in files.items()]
    rows += [
        [f"`models/{content['fusion']}/seed_{seed}.safetensors`", f"`{digest}`"]
        for seed, digest in content["weights"].items()
    ]
    yield table(["file", "digest"], rows, numbers=False)
    yield ""
    yield f"`export.json` has all of this for programmes, beside `{written.file}`."
