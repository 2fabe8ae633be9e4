"""What a script may run on: what dvc.lock says, as far as it says something."""

import json
from pathlib import Path

import pytest
import yaml

from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest
from fusebench.recorded import OBJECTS, check, check_files, used_by

PIPELINE = {
    "make": {"cmd": "python src/make.py ${data.archive}", "deps": ["${data.archive}"],
             "outs": ["data/split.csv"]},
    "train": {"cmd": "python src/train.py ${item.fusion} --fast", "outs": ["models/${item.fusion}"],
              "deps": ["data/split.csv", "requirements.txt"]},
    "predict": {"cmd": "python src/predict_parts.py ${item.fusion}",
                "deps": ["models/${item.fusion}", "${nowhere.to.be}", "src"]},
    "one": {"cmd": "python src/one.py", "deps": ["models/add/seed_0"]},
    "all": {"cmd": "python src/all.py", "deps": ["models"]},
}  # fmt: skip
OUTPUTS = {"archive": "data/my.zip", "make": "data/split.csv", "train@add": "models/add",
           "train@late": "models/late"}  # fmt: skip


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("data/my.zip", "data/split.csv", "models/add/seed_0", "models/add/seed_1",
                 "models/late/seed_0", "requirements.txt"):  # fmt: skip
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"in {name}", "utf-8")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": PIPELINE}), "utf-8")
    Path("params.yaml").write_text("data: {archive: data/my.zip}", "utf-8")
    stages = {
        stage: {"outs": [{"path": path, "md5": dvc_digest(Path(path))}]}
        for stage, path in OUTPUTS.items()
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}), "utf-8")
    return tmp_path


def change(path: str) -> None:
    Path(path).write_text("other", "utf-8")


def refusal(*arguments: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        check(arguments)
    return str(caught.value)


@pytest.mark.parametrize("script", ["make", "train", "predict_parts", "one", "all"])
def test_what_is_as_recorded_passes(script: str) -> None:
    check([f"src/{script}.py", "add"])


def test_a_changed_file_is_named_with_what_to_do() -> None:
    change("data/split.csv")
    assert refusal("src/train.py", "add") == (
        "data/split.csv: is not what dvc.lock says stage make made; 'make mend' repairs it, "
        "'dvc commit make' takes it as it is"
    )
    check(["src/predict_parts.py", "add"])


def test_a_path_may_be_spelled_in_any_way(root: Path) -> None:
    change("models/add/seed_1")
    Path("linked").symlink_to("models/add")
    for path in ("models/../models/add", str(root / "models/add"), "./models", "linked"):
        with pytest.raises(ArtifactError, match=r"^models/add: is not what dvc\.lock says"):
            check_files([Path(path)])
    check_files([root / "models/late", Path("models/../models/late")])


def test_a_file_that_is_a_link_into_a_cache_is_looked_at(root: Path) -> None:
    (root / "cache").mkdir()
    kept = Path("models/add/seed_1").rename("cache/1")
    Path("models/add/seed_1").symlink_to(root / kept)
    check_files([Path("models/add")])
    change("models/add/seed_1")
    with pytest.raises(ArtifactError, match=r"^models/add: is not what dvc\.lock says"):
        check_files([Path("models/add")])


def test_what_a_stage_reads_or_makes_is_told(root: Path) -> None:
    assert used_by(Path("models/add/more.csv")) == "train@add"
    assert used_by(root / "data/split.csv") == "make"
    assert used_by(Path("data/new.csv")) == ""
    Path("dvc.lock").unlink()
    assert used_by(Path("data/split.csv")) == ""


def test_values_of_params_and_arguments_are_filled_in(root: Path) -> None:
    change("data/my.zip")
    assert "data/my.zip: " in refusal(str(root / "src/make.py"))
    change("models/add/seed_1")
    assert refusal("src/predict_parts.py", "add").startswith("models/add: ")
    check(["src/predict_parts.py", "late"])
    check(["src/predict_parts.py"])


def test_where_dvc_has_the_list_of_a_folder_its_file_is_named() -> None:
    listed = [{"md5": dvc_digest(Path("models/add") / name), "relpath": name}
              for name in ("seed_0", "seed_1")]  # fmt: skip
    digest = dvc_digest(Path("models/add"))
    path = OBJECTS / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(listed), "utf-8")
    change("models/add/seed_1")
    assert refusal("src/predict_parts.py", "add").startswith("models/add/seed_1: ")
    assert refusal("src/all.py").startswith("models/add/seed_1: ")
    # This stage reads another file of the folder.
    check(["src/one.py"])
    path.write_text(json.dumps(listed[:1]), "utf-8")
    assert refusal("src/one.py").startswith("models/add: "), "a broken list is not believed"


def test_what_is_missing_is_left_to_its_reader() -> None:
    Path("data/split.csv").unlink()
    check(["src/train.py", "add"])


def test_what_is_not_recorded_is_not_looked_at(root: Path) -> None:
    change("data/split.csv")
    change("requirements.txt")
    check(["elsewhere/train.py", "add"])
    # The name of a stage whose script has another.
    change("models/add/seed_1")
    check(["src/predict.py", "add"])
    check(["src/show.py", "table"])
    Path("dvc.yaml").write_text("{", "utf-8")
    check(["src/train.py", "add"])
    (root / "dvc.lock").unlink()
    check(["src/train.py", "add"])


@pytest.mark.parametrize("text", ["{", "a: b", "stages: [1]", "stages: {make: {outs: [{}]}}"])
def test_a_broken_lock_is_named(text: str) -> None:
    Path("dvc.lock").write_text(text, "utf-8")
    assert refusal("src/train.py", "add") == "dvc.lock: broken; 'git restore dvc.lock' mends it"
