"""The README against the project: what it shows is what is there."""

import csv
import io
import re
import subprocess

import pytest
from tests.project import FUSIONS, ROOT

from fusebench.comparison.table import screen_table

README = (ROOT / "README.md").read_text("utf-8")


def test_it_fits_in_200_lines() -> None:
    assert len(README.splitlines()) <= 200


def test_its_table_is_that_of_the_committed_run() -> None:
    # The committed file, not the workspace's: a run of one's own measures other times.
    committed = subprocess.run(
        ["git", "show", "HEAD:metrics/comparison.csv"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    table = screen_table(list(csv.DictReader(io.StringIO(committed))))
    shown = re.search(r"<!-- table -->\n```\n(.*?)\n```\n<!-- /table -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == table


@pytest.mark.parametrize("path", re.findall(r"!?\[[^\]]*\]\(([^)]+)\)", README))
def test_what_it_links_to_is_there(path: str) -> None:
    if path.startswith("http"):
        return
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)))
)
def test_the_targets_that_it_names_exist(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "No rule to make target" not in done.stderr


@pytest.mark.parametrize("name", FUSIONS)
def test_the_first_fusions_have_their_formula(name: str) -> None:
    assert f"| `{name}` |" in README
