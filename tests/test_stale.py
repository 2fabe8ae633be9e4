"""Whether results belong to what is beside them, on a made-up params.yaml and dvc.lock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import FUSIONS, PARAMS

from fusebench.config import PARAMS_FILE
from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest, json_text, md5_of
from fusebench.params import Params
from fusebench.prediction.predictions import BASELINES
from fusebench.report import robustness_files
from fusebench.report.interaction import INTERACTION
from fusebench.report.results import SOURCES
from fusebench.report.suite import SUMMARY
from fusebench.stale import Stale, stale, stale_predictions

ROWS = (*FUSIONS, *BASELINES)


def _digest(text: str) -> str:
    return md5_of(text.encode())


def _items(paths: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "md5": digest} for path, digest in paths.items()]


class State:
    """What git holds: files by name, those of YAML and JSON as values that a test may change."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = yaml.safe_load(PARAMS)
        ran_with: dict[str, Any] = yaml.safe_load(PARAMS)
        checked = Params.model_validate(self.params).checked_files()
        digests = {f"checked/{name}": _digest(json_text(text)) for name, text in checked.items()}
        samples = {"data/samples": "a", "data/split.csv": "b"}
        self.lock: dict[str, Any] = {
            "extract": {
                "deps": _items({"data/demo.zip": "z", "data/sensors.yaml": _digest("sensors")}),
                "params": {"params.yaml": {"data": ran_with["data"]}},
                "outs": _items({"data/samples": "a"}),
            },
            "split": {
                "deps": _items({"checked/seeds.json": digests["checked/seeds.json"]}),
                "params": {"params.yaml": {"split": ran_with["split"]}},
                "outs": _items({"data/split.csv": "b"}),
            },
            "baseline": {
                "deps": _items(samples),
                "outs": _items({f"predictions/{name}": name for name in BASELINES}),
            },
        }
        for name in FUSIONS:
            settings = f"checked/settings/{name}.json"
            self.lock[f"train@{name}"] = {
                "deps": _items({settings: digests[settings], "src/train.py": "c"} | samples),
                "outs": _items({f"models/{name}": f"model {name}"}),
            }
            self.lock[f"predict@{name}"] = {
                "deps": _items({f"models/{name}": f"model {name}"} | samples),
                "outs": _items({f"predictions/{name}": name}),
            }
        self.lock["synthesize@demo"] = {
            "params": {"params.yaml": {"synthesize": ran_with["synthesize"]}},
            "outs": _items({"data/demo.zip": "z"}),
        }
        self.sources: dict[str, Any] = {
            "compare": {
                "primary": "balanced_accuracy", "margin": {"balanced_accuracy": 2.0},
                "contrasts": ["add/hadamard"],
            },
            "predictions": {name: name for name in ROWS},
        }  # fmt: skip
        self.others: dict[str, str] = {"data/sensors.yaml": "sensors"}
        self.broken = ""

    def out(self, stage: str) -> dict[str, str]:
        """Return the first output of a stage."""
        item: dict[str, str] = self.lock[stage]["outs"][0]
        return item

    def read(self, path: Path) -> bytes:
        """Return a file as it is in git."""
        files = self.others | {
            "params.yaml": yaml.safe_dump(self.params),
            "dvc.lock": self.broken or yaml.safe_dump({"stages": self.lock}),
            SOURCES.as_posix(): json.dumps(self.sources),
        }
        if path.as_posix() not in files:
            raise ArtifactError(f"{path}: no such file")
        return files[path.as_posix()].encode()


@pytest.fixture
def state() -> State:
    return State()


def test_nothing_is_stale_after_a_full_run(state: State) -> None:
    assert stale(state.read) == Stale()
    assert not stale(state.read)
    assert stale(state.read).lines() == []


def _retrain(state: State) -> None:
    state.out("train@add")["md5"] = "another"


def _predict(state: State) -> None:
    state.out("predict@add")["md5"] = "another"


def _list_another(state: State) -> None:
    state.params["fusions"].append("late")


def _predict_another(state: State) -> None:
    _list_another(state)
    for stage in ("train", "predict"):
        lines = yaml.safe_dump(state.lock[f"{stage}@add"]).replace("add", "late")
        state.lock[f"{stage}@late"] = yaml.safe_load(lines)
    settings = Params.model_validate(state.params).checked_files()["settings/late.json"]
    state.lock["train@late"]["deps"][0]["md5"] = _digest(json_text(settings))


@pytest.mark.parametrize(
    ("change", "rows", "words"),
    [
        (_retrain, ["add"], "models/add was made anew since"),
        (_predict, ["add"], "predicted anew since the table was made"),
        (_list_another, ["late"], "listed in fusions, but not trained yet"),
        (_predict_another, ["late"], "listed in fusions, but not in the table yet"),
        (lambda state: state.params["fusions"].remove("hadamard"), ["hadamard"],
         "no longer among fusions of params.yaml"),
        (lambda state: state.params["override"]["hadamard"].update(lr=0.01), ["hadamard"],
         "trained with other train, override, lidar or model than those of params.yaml"),
        (lambda state: state.params["train"].update(lr=1e-5), list(FUSIONS),
         "trained with other train, override, lidar or model than those of params.yaml"),
        (lambda state: state.params["lidar"].update(align="camera"), list(FUSIONS),
         "trained with other train, override, lidar or model than those of params.yaml"),
        (lambda state: state.params["split"].update(seed=1), list(ROWS),
         "made with other split.seed than those of params.yaml"),
        (lambda state: state.params["synthesize"].update(seed=1), list(ROWS),
         "made with other synthesize.seed than those of params.yaml"),
        (lambda state: state.params["data"].update(positive="cubes", on_bad_sample="skip"),
         list(ROWS), "made with other data.on_bad_sample, data.positive than those of params.yaml"),
        (lambda state: state.others.update({"data/sensors.yaml": "edited"}), list(ROWS),
         "data/sensors.yaml is another now"),
        (lambda state: state.out("extract").update(md5="another"), list(ROWS),
         "data/samples was made anew since"),
        (lambda state: state.out("split").update(md5="another"), list(ROWS),
         "data/split.csv was made anew since"),
        (lambda state: state.out("baseline").update(md5="another"), [BASELINES[0]],
         "predicted anew since the table was made"),
    ],
)  # fmt: skip
def test_each_change_makes_the_rows_stale_that_it_reaches(
    change: Callable[[State], None], rows: list[str], words: str, state: State
) -> None:
    change(state)
    found = stale(state.read)
    assert sorted(found.rows) == sorted(rows)
    assert found
    assert found.rows[rows[0]] == words
    assert f"{words}." in found.lines()[0]
    assert found.lines()[0].startswith("Stale: ")


def test_files_of_stages_beside_compare_are_asked_too(state: State) -> None:
    state.lock["headline"] = {
        "deps": _items({"predictions/add": "add"}),
        "params": {"params.yaml": {"fusion": "add"}},
        "outs": _items({"metrics/headline.json": "h"}),
    }
    state.lock["gallery"] = {
        "deps": _items({"data/samples": "a"}), "outs": _items({"plots/samples.png": "s"}),
    }  # fmt: skip
    assert stale(state.read).lines() == []
    state.params["fusion"] = "hadamard"
    found = stale(state.read)
    assert not found, "table and verdict do not depend on it"
    assert found.lines() == [
        "Stale: metrics/headline.json: made with other fusion than those of params.yaml."
    ]
    state.out("extract")["md5"] = "another"
    assert stale(state.read).files["plots/samples.png"] == "data/samples was made anew since"


@pytest.mark.parametrize("now", ["task,more\n", None])
def test_advice_by_other_results_of_the_suite_is_named(now: str | None, state: State) -> None:
    state.others[str(SUMMARY)] = "task\n"
    state.sources["suite"], state.sources["fingerprint"] = _digest("task\n"), "abc"
    for content, reason in (
        (None, "missing or broken"), ("{", "missing or broken"),
        ('{"results": "old"}', "of other results than the table"),
    ):  # fmt: skip
        state.others.pop(str(INTERACTION), None)
        if content:
            state.others[str(INTERACTION)] = content
        assert stale(state.read).files == {str(INTERACTION): reason}
    state.others[str(INTERACTION)] = '{"results": "abc"}'
    assert stale(state.read) == Stale()
    del state.others[str(SUMMARY)]
    if now:
        state.others[str(SUMMARY)] = now
    found = stale(state.read)
    assert not found, "table and verdict do not depend on it"
    assert found.lines() == [
        "Stale: metrics/interaction.json: metrics/interactions/summary.csv is another now."
    ]


def test_sensors_that_are_not_in_a_revision_are_said(state: State) -> None:
    state.others.clear()
    for found in (stale(state.read), stale_predictions(state.read)):
        assert found.unknown == "data/sensors.yaml: no such file"


def test_an_error_gives_no_advice_for_another_revision(state: State) -> None:
    state.params["strategies"] = ["add"]
    assert stale(state.read).unknown == "params.yaml: unknown key 'strategies'"


def test_predictions_are_asked_without_the_table(state: State) -> None:
    _predict(state)
    state.params["override"]["hadamard"]["lr"] = 0.01
    assert set(stale(state.read).rows) == {"add", "hadamard"}
    assert stale_predictions(state.read).rows == {
        "hadamard": "trained with other train, override, lidar or model than those of params.yaml"
    }


def test_other_seeds_make_all_rows_stale(state: State) -> None:
    state.params["train"]["seeds"] = [0, 1, 2]
    found = stale(state.read)
    assert set(found.rows) == set(ROWS)
    assert set(found.rows.values()) >= {"made with other train.seeds than those of params.yaml"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("primary", "nll", "'balanced_accuracy', of params.yaml it is 'nll'"),
        (
            "margin",
            {"nll": 0.1, "brier": None},
            "{'balanced_accuracy': 2.0}, of params.yaml it is {'nll': 0.1}",
        ),
        ("contrasts", ["add/late"], "['add/hadamard'], of params.yaml it is ['add/late']"),
    ],
)
def test_another_declaration_makes_the_verdict_stale(
    key: str, value: object, said: str, state: State
) -> None:
    state.params["compare"][key] = value
    found = stale(state.read)
    assert not found.rows
    assert found.lines() == [f"Stale: pairs and verdict: made with compare.{key} = {said}."]


@pytest.mark.parametrize("change", [
    lambda state: state.params["runtime"].update(threads=7, progress="off"),
    lambda state: state.params.update(fusion="hadamard"),
    lambda state: state.params["override"]["add"].update(lr=0.001),
    lambda state: state.params["override"].update(concat={"lr": 0.1}),
    lambda state: state.params["split"].update(train=4e-1),
    lambda state: state.lock["train@add"]["deps"][1].update(md5="edited"),
])  # fmt: skip
def test_what_changes_no_result_makes_nothing_stale(
    change: Callable[[State], None], state: State
) -> None:
    change(state)
    assert stale(state.read) == Stale()


def test_numbers_are_compared_as_dvc_writes_them(state: State) -> None:
    """DVC writes 1e-05, a text by YAML 1.1."""
    state.params["split"]["train"] = 0.00001
    assert stale(state.read)
    state.lock["split"]["params"]["params.yaml"]["split"]["train"] = 0.00001
    state.broken = yaml.safe_dump({"stages": state.lock}).replace("1.0e-05", "1e-05")
    assert "train: 1e-05\n" in state.broken
    assert stale(state.read) == Stale()


def test_an_archive_of_ones_own_that_was_added_anew_makes_all_rows_stale(state: State) -> None:
    archive = "data/mine.zip"
    own = {"archive": archive, "classes": ["cubes", "spheres"], "positive": "spheres"}
    state.params["data"] |= own
    state.lock["extract"]["deps"] = _items({archive: "old"})
    state.lock["extract"]["params"]["params.yaml"]["data"] |= own
    assert not stale(state.read)
    state.others["data/mine.zip.dvc"] = yaml.safe_dump({"outs": [{"md5": "old", "path": "x"}]})
    assert not stale(state.read)
    state.others["data/mine.zip.dvc"] = yaml.safe_dump({"outs": [{"md5": "new", "path": "x"}]})
    assert set(stale(state.read).rows) == set(ROWS)
    assert stale(state.read).rows["add"] == "data/mine.zip is another now"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (SOURCES, "there is no metrics/sources.json that says what it was made from"),
        (Path("dvc.lock"), "dvc.lock: no such file"),
        (PARAMS_FILE, "params.yaml: no such file"),
    ],
)
def test_what_cannot_be_told_is_said(path: Path, words: str, state: State) -> None:
    def read(asked: Path) -> bytes:
        if asked == path:
            raise ArtifactError(f"{path}: no such file")
        return state.read(asked)

    found = stale(read)
    assert not found
    assert found.lines() == [f"Cannot tell whether this belongs to the params beside it: {words}."]


@pytest.mark.parametrize(
    "text",
    ["stages", "stages: 1", "stages: {extract: 1}", "stages: {extract: }", "stages: [", "\t",
     "stages: {extract: {outs: [{md5: 1}]}}", "stages: {extract: {deps: [1]}}"],
)  # fmt: skip
def test_a_broken_lock_is_said(text: str, state: State) -> None:
    state.broken = text
    for found in (stale(state.read), stale_predictions(state.read)):
        assert found.unknown == "dvc.lock: broken"


def test_the_digest_of_a_folder_does_not_depend_on_the_order_of_its_files(tmp_path: Path) -> None:
    # Equal to dvc.lock's by a test through the real DVC, in tests/test_stages.py.
    for number, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        (folder / "deep").mkdir(parents=True)
        names = ["deep/b", "a", "c"]
        for name in names[:: 1 - 2 * number]:
            (folder / name).write_text(name, "utf-8")
    assert dvc_digest(tmp_path / "one") == dvc_digest(tmp_path / "two")
    (tmp_path / "two/a").write_text("other", "utf-8")
    assert dvc_digest(tmp_path / "one") != dvc_digest(tmp_path / "two")


@pytest.mark.parametrize("now", ["fusion,more\n", None])
def test_a_table_beside_another_robustness_is_named(now: str | None, state: State) -> None:
    """As where a run was ended between the stages robustness and compare."""
    state.others[str(robustness_files.SUMMARY)] = "fusion\n"
    state.sources["robustness"] = _digest("fusion\n")
    assert stale(state.read) == Stale()
    del state.others[str(robustness_files.SUMMARY)]
    if now:
        state.others[str(robustness_files.SUMMARY)] = now
    assert stale(state.read).files == {
        "metrics/comparison.csv": "metrics/robustness_summary.csv is another now"
    }
