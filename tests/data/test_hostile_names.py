"""Names of archives that a shell would run, through the real DVC."""

import json
import shutil
from pathlib import Path

import pytest
from tests.project import Project, make_project
from tests.synthetic.made_up import synthesize_params

from fusebench.synthetic.archive import write_archive

pytestmark = pytest.mark.slow

# A command, backticks, the end of a quotation, an option, a name that is no ASCII.
NAME = "-x $(touch pwned) `touch pwned` \"; touch pwned; '; touch pwned; ü.zip"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "some.zip"
    write_archive(path, synthesize_params("shape", {"cubes": 3, "spheres": 2}))
    return path


def test_an_archives_name_is_read_and_never_run(project: Project, archive: Path) -> None:
    shutil.copy(archive, project.root / NAME)
    project.set_params({"data.archive": NAME})
    output = project.dvc("repro", "extract")
    assert f"{NAME} (synthetic samples): 5 pairs" in output
    assert NAME in [dep["path"] for dep in project.lock()["extract"]["deps"]]
    data = json.loads((project.root / "metrics/data.json").read_text("utf-8"))
    assert data["pairs"] == {"cubes": 3, "spheres": 2}
    assert not list(project.root.rglob("pwned*"))


def test_a_fusions_name_is_refused_before_it_reaches_a_command(project: Project) -> None:
    project.set_params(
        {"fusions": ["add", "$(touch pwned)"], "data.archive": "https://x/${fusion}"}
    )
    output = project.dvc("repro", ok=False)
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: params.yaml: fusions: '$(touch pwned)' is no fusion")
    assert line.endswith("(and 1 more)")
    assert not list(project.root.rglob("pwned*"))
