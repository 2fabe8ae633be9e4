"""What is trained: that of params.yaml, on what earlier stages made of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusebench.device import Device
from fusebench.engines.jobs import read_jobs
from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest, write_json
from fusebench.params import Params
from fusebench.training.recipe import code_digest

MakeRoot = Callable[..., Params]
AGAIN = "'dvc repro split check_inputs' makes it"


def write_lock(**stages: Any) -> None:
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), "utf-8")


def out(path: str) -> dict[str, str]:
    return {"path": path, "md5": dvc_digest(Path(path))}


def test_jobs_are_all_seeds_of_all_fusions_as_a_stage_trains_them(
    make_root: MakeRoot, cpu: Device
) -> None:
    params = make_root()
    more = params.model_copy(update={"fusions": ("late", "add")})
    jobs = read_jobs(more, cpu)
    assert [job.label for job in jobs] == [
        "late seed 0", "late seed 1", "add seed 0", "add seed 1",
    ]  # fmt: skip
    for job in jobs:
        recipe = job.training.recipe
        assert recipe.train == params.effective_train(recipe.fusion)
        assert recipe.lidar == params.lidar
        assert job.training.code == code_digest(recipe.fusion)
        assert job.kept.root == Path(".work/seeds")
        assert job.kept.same_code()
    assert len({job.training.code for job in jobs}) == 2


@pytest.mark.parametrize(
    "path", ["checked/settings/add.json", "data/samples", "data/split.csv", "data/inputs.json"]
)
def test_what_is_missing_is_named_with_who_makes_it(
    path: str, make_root: MakeRoot, cpu: Device
) -> None:
    params = make_root()
    Path(path).rename("elsewhere")
    with pytest.raises(ArtifactError) as caught:
        read_jobs(params, cpu)
    assert str(caught.value) == f"{path}: not there; {AGAIN}"


def test_settings_of_other_params_are_refused(make_root: MakeRoot, cpu: Device) -> None:
    params = make_root()
    faster = params.train.model_copy(update={"lr": 0.5})
    with pytest.raises(ArtifactError) as caught:
        read_jobs(params.model_copy(update={"train": faster}), cpu)
    assert str(caught.value) == (
        f"checked/settings/add.json: is not of this params.yaml; {AGAIN} anew"
    )


def test_a_split_of_other_params_is_refused(make_root: MakeRoot, cpu: Device) -> None:
    params = make_root()
    split = {**params.split.model_dump(), "seed": 7}
    write_lock(split={"outs": [out("data/split.csv")], "params": {"params.yaml": {"split": split}}})
    with pytest.raises(ArtifactError) as caught:
        read_jobs(params, cpu)
    assert str(caught.value) == (
        f"data/split.csv: made with other split.seed than those of params.yaml; {AGAIN} anew"
    )
    split["seed"] = params.split.seed
    write_lock(split={"outs": [out("data/split.csv")], "params": {"params.yaml": {"split": split}}})
    assert len(read_jobs(params, cpu)) == 2


@pytest.mark.parametrize("path", ["data/split.csv", "data/samples/samples.csv"])
def test_a_file_that_is_not_what_its_stage_made_is_refused(
    path: str, make_root: MakeRoot, cpu: Device
) -> None:
    params = make_root()
    write_lock(made={"outs": [out("data/split.csv"), out("data/samples")]})
    with Path(path).open("a") as file:
        file.write("\n")
    with pytest.raises(ArtifactError, match=r"is not what dvc\.lock says stage made made"):
        read_jobs(params, cpu)


def test_a_split_without_a_seed_is_refused(make_root: MakeRoot, cpu: Device) -> None:
    params = make_root()
    more = params.model_copy(update={"train": params.train.model_copy(update={"seeds": (0, 9)})})
    for name, content in more.checked_files().items():
        write_json(Path("checked") / name, content)
    jobs = read_jobs(more, cpu)
    with pytest.raises(ArtifactError, match=r"has no seed 9.*'dvc repro split' draws it"):
        [job.training.key(job.seed) for job in jobs]
    assert replace(jobs[0], seed=1).training.key(1)
