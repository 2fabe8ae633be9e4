"""Which training of how many: what is said equals what DVC does, and less where it is not known."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.project import ROOT, Project

from fusebench import stages
from fusebench.files import dvc_digest
from fusebench.guard import is_dvc
from fusebench.stages import ignored_names, place, read_lock

FUSIONS = ("late", "add", "concat", "film")
DEPS = ("checked/${item.fusion}.json", "data", "src")
OUTS = ("models/${item.fusion}", "metrics/${item.fusion}.json")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _recorded(root: Path, names: tuple[str, ...], fusion: str) -> list[dict[str, object]]:
    entries = []
    for name in names:
        path = root / name.replace("${item.fusion}", fusion)
        entry: dict[str, object] = {"path": path.relative_to(root).as_posix()}
        if path.is_dir():
            files = [file for file in path.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            entry |= {"md5": dvc_digest(path), "size": size, "nfiles": len(files)}
        else:
            entry |= {"md5": dvc_digest(path)}
        entries.append(entry)
    return entries


def _make_project(root: Path) -> None:
    """Write a project whose fusions are all trained, as dvc.lock has it."""
    _write(root / "params.yaml", yaml.safe_dump({"fusions": list(FUSIONS)}))
    command = "python src/train.py ${item.fusion}"
    train = {"cmd": command, "deps": list(DEPS), "outs": list(OUTS)}
    _write(root / "dvc.yaml", yaml.safe_dump({"stages": {"train": train}}))
    _write(root / "src/train.py", "code")
    _write(root / "src/deep/er.py", "more code")
    _write(root / "data/samples.npy", "samples")
    for fusion in FUSIONS:
        _write(root / f"checked/{fusion}.json", fusion)
        _write(root / f"models/{fusion}/seed_0", fusion)
        _write(root / f"metrics/{fusion}.json", fusion)
    lock = {
        f"train@{fusion}": {
            "cmd": f"python src/train.py {fusion}",
            "deps": _recorded(root, DEPS, fusion), "outs": _recorded(root, OUTS, fusion),
        }
        for fusion in FUSIONS
    }  # fmt: skip
    lock["extract"] = {"cmd": "extract", "outs": _recorded(root, ("data",), "")}
    _write(root / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": lock}))


def _edit_lock(root: Path, fusion: str, key: str, value: object) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text("utf-8"))
    lock["stages"][f"train@{fusion}"][key] = value
    _write(root / "dvc.lock", yaml.safe_dump(lock))


def _forget(root: Path, fusion: str) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text("utf-8"))
    del lock["stages"][f"train@{fusion}"]
    _write(root / "dvc.lock", yaml.safe_dump(lock))


# Ways in which DVC finds that a fusion must be trained again.
WAYS = {
    "other settings": lambda root, name: _write(root / f"checked/{name}.json", "other"),
    "other measurements": lambda root, name: _write(root / f"metrics/{name}.json", "other"),
    "no measurements": lambda root, name: (root / f"metrics/{name}.json").unlink(),
    "no models": lambda root, name: shutil.rmtree(root / f"models/{name}"),
    "a model more": lambda root, name: _write(root / f"models/{name}/seed_1", ""),
    "a larger model": lambda root, name: _write(root / f"models/{name}/seed_0", f"{name}x"),
    "another command": lambda root, name: _edit_lock(root, name, "cmd", "python src/train.py"),
    "other dependencies": lambda root, name: _edit_lock(root, name, "deps", []),
    "never trained": _forget,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@add")
    run_by(monkeypatch, "dvc", "repro")
    return tmp_path


def run_by(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Let a program with these words be above."""
    monkeypatch.setattr(stages, "dvc_commands", lambda: iter([list(words)] * is_dvc(list(words))))


# --- Which of how many ---


def test_the_last_of_all_has_nothing_to_come(root: Path) -> None:
    WAYS["other settings"](root, "add")
    assert place("add") == "fusion 4 of 4"


@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_is_to_be_trained_again_is_to_come(way: str, root: Path) -> None:
    WAYS[way](root, "late")
    assert place("add") == "fusion 3 of 4, at most 1 to come"


@pytest.mark.parametrize("path", ["src/train.py", "src/deep/er.py", "src/new.py"])
def test_a_change_of_code_reaches_all(path: str, root: Path) -> None:
    _write(root / path, "changed")
    assert place("add") == "fusion 1 of 4, at most 3 to come"


def test_what_a_stage_before_has_made_is_taken_from_the_lock(root: Path) -> None:
    # It was hashed when that stage was done; to read all samples again would take time.
    _write(root / "data/samples.npy", "not read")
    assert place("add") == "fusion 4 of 4"


def test_a_model_that_is_not_in_the_cache_is_to_come(root: Path) -> None:
    objects = root / ".dvc/cache/files/md5"
    for fusion in ("late", "concat"):
        md5 = dvc_digest(root / f"models/{fusion}")
        _write(objects / md5[:2] / md5[2:], "")
    assert place("add") == "fusion 3 of 4, at most 1 to come"


@settings(deadline=None, max_examples=40)
@given(
    changed=st.dictionaries(st.sampled_from(FUSIONS), st.sampled_from(sorted(WAYS))),
    fusion=st.sampled_from(FUSIONS),
)
def test_number_and_rest_are_all_listed(
    changed: dict[str, str], fusion: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("project")
    _make_project(root)
    for name, way in changed.items():
        WAYS[way](root, name)
    left = len(set(changed) - {fusion})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("DVC_STAGE", f"train@{fusion}")
        run_by(patch, "python", "-m", "dvc", "repro")
        said = place(fusion)
    assert said.partition(",")[0] == f"fusion {4 - left} of 4"
    assert said.partition(",")[2] == (f" at most {left} to come" if left else "")


# --- Where it is not known ---


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("/bin/python", "/bin/dvc", "repro"), True),
        (("/bin/python", "/bin/dvc", "repro", "train@add"), True),
        (("/bin/python", "/bin/dvc", "exp", "run", "-S", "train.lr=1"), True),
        (("/bin/python", "/bin/dvc", "repro", "-f"), False),
        (("/bin/python", "/bin/dvc", "repro", "-qf", "train@add"), False),
        (("/bin/python", "-m", "dvc", "exp", "run", "--force"), False),
        (("/bin/python", "/bin/dvc", "repro", "--force-downstream"), False),
        (("/bin/python", "-m", "celery", "worker"), False),
        (("make", "repro"), False),
    ],
)
def test_with_force_or_an_unknown_caller_less_is_said(
    words: tuple[str, ...], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by(monkeypatch, *words)
    assert place("add") == ("fusion 4 of 4" if known else "fusion 2 of 4 in params.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "stages: 1\n", "{", "stages:\n  extract: 1\n"])
@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
def test_files_that_do_not_tell_are_no_error(name: str, text: str, root: Path) -> None:
    _write(root / name, text)
    assert place("add") == "fusion 2 of 4 in params.yaml"


def test_without_lock_or_processes_less_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by(monkeypatch)
    assert place("add") == "fusion 2 of 4 in params.yaml"
    run_by(monkeypatch, "dvc", "repro")
    (root / "dvc.lock").unlink()
    assert place("add") == "fusion 2 of 4 in params.yaml"


@pytest.mark.parametrize("params", ["fusions: [late]\n", "fusions: 3\n", "[]\n", "{", None])
def test_a_fusion_that_is_not_listed_has_no_place(params: str | None, root: Path) -> None:
    if params is None:
        (root / "params.yaml").unlink()
    else:
        _write(root / "params.yaml", params)
    assert place("add") == ""


def test_a_fusion_with_the_name_of_a_word_of_yaml_1_1_has_its_place(root: Path) -> None:
    _write(root / "params.yaml", "fusions: [late, off]\n")
    assert place("off") == "fusion 2 of 2"


@pytest.mark.usefixtures("root")
def test_without_dvc_there_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE")
    assert place("add") == ""


# --- As DVC hashes ---


def test_lock_that_is_none_is_refused() -> None:
    assert read_lock("schema: '2.0'\nstages:\n  a: {cmd: b}\n")["a"].cmd == "b"
    for text in ("", "{", "- a", "stages: []", "a: 1", "stages:\n  a:\n    deps: [{md5: b}]\n"):
        with pytest.raises(ValueError, match=r"expected|dvc\.lock|dict|path"):
            read_lock(text)


def test_the_projects_ignored_names_are_names() -> None:
    patterns = ignored_names(ROOT)
    assert "__pycache__" in patterns
    assert not [pattern for pattern in patterns if "/" in pattern or pattern.startswith("!")]


@pytest.mark.slow
def test_files_and_folders_are_hashed_as_dvc_does(clean: Project) -> None:
    _write(clean.root / "src/fusebench/data/__pycache__/left.pyc", "ignored")
    _write(clean.root / "src/fusebench/.gitignore", "ignored")
    ignored, checked = ignored_names(clean.root), set()
    for stage in read_lock((clean.root / "dvc.lock").read_text("utf-8")).values():
        for file in (*stage.deps, *stage.outs):
            assert dvc_digest(clean.root / file.path, ignored) == file.md5, file.path
            checked.add(file.path)
    assert {"src/fusebench", "data/samples", "models/add", "predictions"} <= checked


@pytest.mark.slow
def test_folders_of_any_names_are_hashed_as_dvc_does(tmp_path: Path) -> None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    for name in ("b", "a/b", "a.b", "a-b", "ä/ö ü", "A", "a/Z/z", '"q"', "10", "9"):
        _write(tmp_path / "folder" / name, f"content of {name}")
    files: Any = LocalFileSystem()  # type: ignore[no-untyped-call]
    database = HashFileDB(files, str(tmp_path / "objects"))
    _, _, tree = build(database, str(tmp_path / "folder"), files, "md5")
    assert dvc_digest(tmp_path / "folder") == tree.hash_info.value


# --- Through DVC ---


@pytest.mark.slow
def test_stages_say_where_they_stand(clean: Project) -> None:
    clean.set_params({"train.lr": 0.0017})
    output = clean.dvc("repro", "train")
    # Which of them DVC takes first is its own affair.
    first, second = re.findall(r"> python src/train\.py (\w+)", output)
    assert {first, second} == {"add", "hadamard"}
    assert f"\n{first} (fusion 1 of 2, at most 1 to come): seeds 0, 1 on " in output
    assert f"\n{second} (fusion 2 of 2): seeds 0, 1 on " in output
    assert f"\n{first} seed 1 (2/2; fusion 1 of 2): best by val loss is epoch " in output
    clean.set_params({"override.add.lr": 0.0018})
    assert "\nadd (fusion 2 of 2): " in clean.dvc("repro", "train@add")
    forced = clean.dvc("repro", "--force", "--single-item", "train@add")
    assert "\nadd (fusion 1 of 2 in params.yaml): " in forced
    settings = json.loads((clean.root / "checked/settings/add.json").read_text("utf-8"))
    assert settings["train"]["lr"] == 0.0018
