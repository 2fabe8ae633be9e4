"""What params.yaml may hold: its values, its keys, the fusions that it names, their overrides."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import SENSORS

from fusebench.config import load
from fusebench.errors import ParamsError
from fusebench.models.registry import FUSIONS
from fusebench.params import Params
from fusebench.registry import Registry
from fusebench.samples.sensors import Sensors
from fusebench.sealed import file_digest
from fusebench.synthetic.task import TASKS, task_of
from fusebench.training.settings import TrainParams

SHIPPED = Path(__file__).parents[1] / "params.yaml"
NUMBERS: dict[str, tuple[float, ...]] = {
    "split.train": (0, 1, -0.1, 8),
    "split.val": (0, 1, 1.5),
    "split.test": (0, 1, 20),
    "split.holdout": (-0.1, 1),
    "synthesize.difficulty.gap": (0.9, 20),
    "synthesize.difficulty.noise": (-0.1, 5.1),
    "train.lr": (0, -0.1, 10.1),
    "train.weight_decay": (-0.1, 1.1),
    "data.kitti.min_height": (0.9, 10_001),
    "data.kitti.max_truncation": (-0.1, 1.1),
    "data.kitti.margin": (-0.1, 10.1),
    "runtime.save_every": (-1, 86401),
    "runtime.work_limit": (-1, 1e7),
}
INTEGERS: dict[str, tuple[float, ...]] = {
    "data.kitti.max_occlusion": (-1, 4),
    "synthesize.difficulty.objects": (1, 4),
    "synthesize.seed": (-1,),
    "split.seed": (-1,),
    "train.epochs": (0, -1),
    "train.batch_size": (0,),
    "runtime.threads": (0, 1025),
    "runtime.workers": (0, 1025),
}
WORDS = (
    "data.on_bad_sample",
    "split.group",
    "split.draws",
    "lidar.projection",
    "lidar.align",
    "model.stem",
    "train.schedule",
    "train.class_weights",
    "train.pooling",
    "train.precision",
    "runtime.progress",
)
SECTIONS = (
    "data", "synthesize", "split", "lidar", "model", "train", "override", "compare", "runtime",
)  # fmt: skip


def written(value: object) -> str:
    """Return how an error's line shows a value."""
    if value is None:
        return "empty"
    return repr(value) if isinstance(value, str) else str(value)


@pytest.fixture(scope="module")
def valid(params_text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(params_text)
    return content


@pytest.fixture
def content(valid: dict[str, Any]) -> dict[str, Any]:
    """A complete, valid content that a test may change."""
    return deepcopy(valid)


def section_of(content: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The mapping that holds a dotted key, and the key's last word."""
    *groups, last = key.split(".")
    for group in groups:
        content = content[group]
    return content, last


def set_key(content: dict[str, Any], key: str, value: object) -> None:
    section, last = section_of(content, key)
    section[last] = value


def loaded(content: dict[str, Any], folder: Path) -> Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
    return load(path, Params)


def refusal(content: dict[str, Any], folder: Path) -> str:
    """The error's line without the file's name that it begins with."""
    with pytest.raises(ParamsError) as caught:
        loaded(content, folder)
    file, _, message = str(caught.value).partition(": ")
    assert file == str(folder / "params.yaml")
    assert message.isprintable()
    return message


def leaves(content: Any, *keys: str) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, *keys, key)
        else:
            yield ".".join((*keys, key))


# --- The file of the repository, where it is not the user's own ---

DEFAULTS = SHIPPED.parent / "tests/default_params.yaml"
shipped = pytest.mark.skipif(
    yaml.safe_load(SHIPPED.read_text("utf-8")) != yaml.safe_load(DEFAULTS.read_text("utf-8")),
    reason="params.yaml is the user's own",
)


@shipped
def test_the_shipped_file_is_valid() -> None:
    params = load(SHIPPED, Params)
    assert all(params.effective_train(name) for name in FUSIONS.names())
    assert load(SHIPPED.parent / params.data.sensors, Sensors)


def test_each_fusion_can_be_overridden_without_a_plus(valid: dict[str, Any]) -> None:
    known = set(valid["fusions"])
    for path in SHIPPED.parent.glob("tests/*_params.yaml"):
        params = load(path, Params)
        assert params.without_override(known & set(params.fusions)) == [], path


@shipped
def test_every_key_of_the_shipped_file_is_explained() -> None:
    text = SHIPPED.read_text("utf-8")
    explained: set[str] = set()
    groups: list[tuple[int, str]] = []
    comment = False
    for line in text.splitlines():
        match = re.match(r"( *)([\w-]+):", line)
        if match:
            groups = [(width, name) for width, name in groups if width < len(match[1])]
            above = ".".join(name for _, name in groups)
            here = f"{above}.{match[2]}" if above else match[2]
            # A group that is explained explains what is in it, down to the next comment.
            if comment or above in explained:
                explained.add(here)
            groups.append((len(match[1]), match[2]))
        comment = line.strip().startswith("#")
    # These stand below a neighbour whose comment speaks of all shares.
    assert set(leaves(yaml.safe_load(text))) - explained <= {"split.val", "split.test"}


# --- Values ---


@pytest.mark.parametrize("key", [*NUMBERS, *INTEGERS])
@pytest.mark.parametrize("value", ["abc", True, [1], {"a": 1}, float("nan"), None])
def test_a_value_of_a_wrong_type_is_named(
    key: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    assert refusal(content, tmp_path).startswith(f"{key} = {written(value)}: must be ")


CASES = [(key, value) for key, values in (NUMBERS | INTEGERS).items() for value in values]
CASES += [(key, 1.5) for key in INTEGERS]


@pytest.mark.parametrize(("key", "value"), CASES)
def test_a_value_out_of_range_is_named(
    key: str, value: float, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    assert refusal(content, tmp_path).startswith(f"{key} = {written(value)}: must be ")


@pytest.mark.parametrize("key", ["split.train", "train.lr"])
def test_a_number_that_yaml_takes_for_a_string_is_taken(
    key: str, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, "1e-05")
    section, last = section_of(loaded(content, tmp_path).model_dump(), key)
    assert section[last] == 1e-05


@pytest.mark.parametrize("key", WORDS)
@pytest.mark.parametrize("value", ["nothing", "", 7.5, None, "none\nof these"])
def test_an_unknown_word_is_named_with_the_allowed_ones(
    key: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    message = refusal(content, tmp_path)
    assert message.startswith(f"{key} = {written(value)}: must be ")
    assert "'" in message.partition("must be")[2]


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:x", "CPU", "cuda:-1", "cuda:07"])
def test_a_wrong_device_is_named(device: str, content: dict[str, Any], tmp_path: Path) -> None:
    set_key(content, "runtime.device", device)
    assert refusal(content, tmp_path).startswith(f"runtime.device: '{device}': must be 'auto', ")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data.positive", "cones", "data.positive = 'cones': must be one of ['cubes', 'spheres']"),
        ("data.classes", ["cubes"], "data.classes = ['cubes']: must have at least 2"),
        ("data.classes", "cubes", "data.classes = 'cubes': must be a valid list"),
        ("data.classes", ["cubes", "cubes"], "data.classes = ['cubes', 'cubes']: must be differ"),
        ("data.classes", ["cubes", 7], "data.classes.1 = 7: must be a valid string"),
        ("data.classes", ["spheres", "a/b"], "data.classes = ['spheres', 'a/b']: must be"),
        ("data.archive", "", "data.archive = '': must have at least 1 character"),
        ("data.archive", None, "data.archive = empty: must be a valid string"),
        ("data.archive", "./data/demo.zip", "data.archive = './data/demo.zip': must be written"),
        ("data.layout", "kiti", "data.layout: 'kiti' is no layout (did you mean 'kitti'?); must"),
        ("data.layout", None, "data.layout = empty: must be a valid string"),
        ("data.layout", "manifest", "data.manifest: must name the file where layout is manifest"),
        ("data.manifest", "a.csv", "data.manifest: must be empty where layout is class_folders"),
        ("data.manifest", 3, "data.manifest = 3: must be a valid string"),
        ("data.kitti", None, "data.kitti = empty: must be a valid mapping"),
        ("data.sensors", "", "data.sensors = '': must have at least 1 character"),
        ("split.train", 0.9, "split.train + val + test + holdout = 1.22: the shares must sum to"),
        ("lidar.normalize", "yes", "lidar.normalize = 'yes': must be a valid boolean"),
        ("lidar.normalize", 1, "lidar.normalize = 1: must be a valid boolean"),
        ("train.seeds", [], "train.seeds = []: must have at least 1 item"),
        ("train.seeds", 3, "train.seeds = 3: must be a valid list"),
        ("train.seeds", [0, -1], "train.seeds.1 = -1: must be greater than or equal to 0"),
        ("train.seeds", [0, True], "train.seeds.1 = True: must be a valid integer"),
        ("train.seeds", [0, 4, 0], "train.seeds: [0, 4, 0]: each seed may be listed once"),
        ("fusions", [], "fusions = []: must have at least 1 item"),
        ("fusions", "late", "fusions = 'late': must be a valid list"),
        ("fusions", ["concat", "concat"], "fusions: ['concat', 'concat']: each fusion may be"),
        ("fusions", ["concat", 3], "fusions.1 = 3: must be a valid string"),
        ("fusion", "none", "fusion = 'none': must be one of fusions: late, concat"),
        ("compare.primary", "f2", "compare.primary: 'f2': must be one of accuracy"),
        (
            "compare.primary",
            "f1",
            "compare.primary: 'f1': must be one of accuracy, balanced_accuracy, nll, brier; F1 is "
            "no mean over samples, so it describes only",
        ),
        ("compare.margin.nll", 0, "compare.margin.nll = 0: must be greater than 0"),
        ("compare.margin.f1", 2.0, "unknown key 'compare.margin.f1'; did you mean"),
        ("compare.temperature", "yes", "compare.temperature = 'yes': must be "),
        ("compare.contrasts", ["fused"], "compare.contrasts: 'fused': must be two of add, "),
        ("compare.contrasts", ["late/lat"], "compare.contrasts: 'late/lat': must be two of add, "),
        ("compare.contrasts", "late/add", "compare.contrasts = 'late/add': must be a valid list"),
        ("override.late", [1], "override.late = [1]: must be a mapping, or empty"),
        ("model.weights", 3, "model.weights = 3: must be a valid string"),
        ("model.weights", "w", "model.weights = 'w': must be empty while stem is 'notebook'"),
        ("override.late", 3, "override.late = 3: must be a mapping, or empty"),
    ],
)
def test_values_that_do_not_fit_are_named(
    key: str, value: object, message: str, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    assert refusal(content, tmp_path).startswith(message)


@pytest.mark.parametrize("key", ["train.precision", "override.late.precision"])
def test_portable_mode_is_fp32(key: str, content: dict[str, Any], tmp_path: Path) -> None:
    set_key(content, "runtime.portable", True)
    assert loaded(content, tmp_path).runtime.portable
    set_key(content, key, "bf16")
    assert refusal(content, tmp_path) == (
        f"{key} = 'bf16': must be 'auto' or 'fp32' while runtime.portable is true"
    )


@pytest.mark.parametrize("key", ["train.pooling", "override.late.pooling"])
@pytest.mark.parametrize("stem", ["resnet18", "mobilenet_v3_small"])
def test_only_the_notebooks_stem_is_strided(
    stem: str, key: str, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, "strided")
    loaded(content, tmp_path)
    set_key(content, "model.stem", stem)
    assert refusal(content, tmp_path) == (
        f"{key} = 'strided': must be 'max' while model.stem is '{stem}', which halves its maps in "
        "its own way"
    )


def test_an_encoder_stands_in_the_settings_of_every_fusion_and_the_notebooks_in_none(
    content: dict[str, Any], tmp_path: Path
) -> None:
    def settings() -> list[dict[str, Any]]:
        files = loaded(content, tmp_path).checked_files()
        return [file for name, file in files.items() if name.startswith("settings/")]

    assert all(file.keys() == {"train", "lidar"} for file in settings())
    content["model"]["stem"] = "resnet18"
    assert [file["model"] for file in settings()] == [{"stem": "resnet18"}] * len(FUSIONS.names())
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"anything")
    content["model"]["weights"] = str(weights)
    written = {"stem": "resnet18", "weights": str(weights), "digest": file_digest(weights)}
    assert all(file["model"] == written for file in settings())


# --- Keys ---


@pytest.mark.parametrize("section", ["", *(s for s in SECTIONS if s != "override")])
def test_an_unknown_key_is_named_with_the_nearest(
    section: str, content: dict[str, Any], tmp_path: Path
) -> None:
    mapping = content[section] if section else content
    known = next(iter(mapping))
    prefix = f"{section}." if section else ""
    mapping[f"{known}x"] = mapping.pop(known)
    message = refusal(content, tmp_path)
    assert message.startswith(f"unknown key '{prefix}{known}x'; did you mean '{prefix}{known}'?")


def test_the_old_key_strategies_is_told_its_present_name(
    content: dict[str, Any], tmp_path: Path
) -> None:
    """By spelling alone another key would be nearer."""
    content["strategies"] = content.pop("fusions")
    message = refusal(content, tmp_path)
    assert message.startswith("unknown key 'strategies'; did you mean 'fusions'?")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("image_size", "camera.image_size"),
        ("focal_length", "camera.focal_length"),
        ("lidar_size", "lidar.size"),
        ("max_range", "lidar.max_range"),
        ("quarter_turns", "lidar.quarter_turns"),
    ],
)
def test_a_key_that_moved_to_the_sensors_is_told_its_place(
    key: str, place: str, content: dict[str, Any], tmp_path: Path
) -> None:
    content["data"][key] = 1
    assert refusal(content, tmp_path) == (
        f"unknown key 'data.{key}'; it is now {place} in the file that data.sensors names"
    )
    sensors, last = section_of(yaml.safe_load(SENSORS), place)
    assert last in sensors


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_section_must_be_a_mapping(
    section: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    content[section] = value
    assert refusal(content, tmp_path).startswith(
        f"{section} = {written(value)}: must be a valid mapping"
    )


def test_each_missing_key_is_named(valid: dict[str, Any], tmp_path: Path) -> None:
    optional = ("override.", "compare.margin.")
    keys = [key for key in leaves(valid) if not key.startswith(optional)]
    assert len(keys) > 30
    for key in [*keys, *SECTIONS]:
        content = deepcopy(valid)
        section, last = section_of(content, key)
        del section[last]
        assert refusal(content, tmp_path) == f"key '{key}' is missing"


# --- Fusions and their overrides ---


@pytest.mark.parametrize("wrong", ["hadamrd", "Hadamard", "hadamard2"])
@pytest.mark.parametrize("key", ["fusions", "override"])
def test_an_unknown_fusion_is_named_with_the_nearest(
    key: str, wrong: str, content: dict[str, Any], tmp_path: Path
) -> None:
    content[key] = ["concat", wrong] if key == "fusions" else {wrong: {"lr": 0.1}}
    assert refusal(content, tmp_path).startswith(
        f"{key}: '{wrong}' is no fusion (did you mean 'hadamard'?); must be one of "
        f"{FUSIONS.names()}"
    )


def test_a_fusion_under_study_that_is_not_listed_is_refused(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content |= {"fusion": "late", "fusions": ["add", "concat"]}
    assert refusal(content, tmp_path) == "fusion = 'late': must be one of fusions: add, concat"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fusion", "a\nb"),
        ("fusions", ["concat", "a\nb"]),
        ("data.positive", "a\nb"),
        ("override", {"a\nb": None}),
        ("compare.primary", "a\nb"),
    ],
)
def test_a_name_with_a_line_end_makes_no_second_line(
    key: str, value: object, content: dict[str, Any], tmp_path: Path
) -> None:
    set_key(content, key, value)
    assert "a\\nb" in refusal(content, tmp_path)


CHANGES = {
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.5,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "class_weights": "balanced",
    "augment": [{"corruption": "rgb_off", "probability": 0.5}],
    "pooling": "strided",
    "precision": "bf16",
}


def test_an_override_changes_one_fusion_and_only_the_keys_that_it_sets(
    content: dict[str, Any], tmp_path: Path
) -> None:
    base = loaded(content, tmp_path).train
    assert set(CHANGES) == set(content["train"]) - {"seeds"}
    for key, value in CHANGES.items():
        content["override"] = {"late": {key: value}}
        params = loaded(content, tmp_path)
        changed = TrainParams.model_validate({**base.model_dump(), key: value})
        assert params.effective_train("late") == changed
        assert params.effective_train("add") == base
        assert base.model_dump()[key] != value


def test_an_override_may_set_zero_and_what_yaml_takes_for_a_string(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["train"]["weight_decay"] = 0.5
    content["override"] = {"late": {"weight_decay": 0, "lr": "3e-4"}}
    late = loaded(content, tmp_path).effective_train("late")
    assert (late.weight_decay, late.lr) == (0, 0.0003)


@pytest.mark.parametrize(
    "override",
    [{}, {"late": None}, {"late": {}}, {"late": {"lr": None}}, {"late": {"seeds": None}}],
    ids=str,
)
def test_an_empty_override_changes_nothing(
    override: dict[str, Any], content: dict[str, Any], tmp_path: Path
) -> None:
    content["override"] = override
    params = loaded(content, tmp_path)
    assert params.effective_train("late") == params.train


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"l_r": 0.1}, "unknown key 'override.late.l_r'; did you mean 'override.late.lr'?"),
        ({"seeds": [4]}, "override.late.seeds: must be empty; comparisons are paired by seed"),
        ({"lr": "abc"}, "override.late.lr = 'abc': must be a valid number"),
        ({"lr": 11}, "override.late.lr = 11: must be less than or equal to 10"),
        ({"epochs": 1.5}, "override.late.epochs = 1.5: must be a valid integer"),
        ({"batch_size": True}, "override.late.batch_size = True: must be a valid integer"),
        ({"pooling": "avg"}, "override.late.pooling = 'avg': must be 'max' or 'strided'"),
        ({"lr": {"a": 1}}, "override.late.lr = {'a': 1}: must be a valid number"),
        ({1: 2}, "unknown key 'override.late.1'; did you mean 'override.late."),
    ],
    ids=str,
)
def test_a_wrong_override_is_named(
    override: dict[Any, Any], message: str, content: dict[str, Any], tmp_path: Path
) -> None:
    content["override"]["late"] = override
    params = loaded(content, tmp_path)
    with pytest.raises(ParamsError) as caught:
        params.effective_train("late")
    assert str(caught.value).startswith(f"params.yaml: {message}")
    assert str(caught.value).isprintable()
    assert params.effective_train("add") == params.train


def test_a_fusion_with_the_name_of_a_baseline_is_refused(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Registry.names
    more = {FUSIONS: ["threshold"]}
    monkeypatch.setattr(Registry, "names", lambda known: [*found(known), *more.get(known, [])])
    assert "fusions/threshold.py has the name of a baseline" in refusal(content, tmp_path)


# --- The task of the demonstration archive ---


@pytest.mark.parametrize("name", TASKS.names())
def test_another_task_is_one_word(name: str, content: dict[str, Any], tmp_path: Path) -> None:
    set_key(content, "synthesize.task", name)
    params, task = loaded(content, tmp_path), task_of(name)
    expected = {"classes": list(task.classes), "positive": task.positive}
    assert (list(params.data.classes), params.data.positive) == tuple(expected.values())
    assert params.checked_files()["classes.json"] == expected
    assert list(params.synthesize.class_counts()) == list(task.classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data.archive": "data/mine.zip"},
            "data.classes: 'auto': must list the archive's folders; auto is for data/demo.zip",
        ),
        (
            {"data.archive": "data/mine.zip", "data.classes": ["a", "b"]},
            "data.positive = 'auto': must be one of ['a', 'b']",
        ),
        (
            {"data.classes": ["far", "near"], "data.positive": "near"},
            "data.classes = ['far', 'near']: the demonstration of task 'shape' has cubes and "
            "spheres; must be auto, or these",
        ),
        ({"synthesize.task": "nearst"}, "synthesize.task: 'nearst' is no task (did you mean 'near"),
        ({"data.positive": "near"}, "data.positive = 'near': must be one of ['cubes', 'spheres']"),
    ],
)
def test_classes_that_are_not_those_of_the_archive_are_refused(
    changes: dict[str, Any], message: str, content: dict[str, Any], tmp_path: Path
) -> None:
    for key, value in changes.items():
        set_key(content, key, value)
    assert refusal(content, tmp_path).startswith(message)


def test_classes_may_be_listed_in_another_order(content: dict[str, Any], tmp_path: Path) -> None:
    content["data"] |= {"classes": ["spheres", "cubes"], "positive": "cubes"}
    data = loaded(content, tmp_path).data
    assert (data.classes, data.positive) == (("spheres", "cubes"), "cubes")
