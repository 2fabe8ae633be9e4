"""The README against the project: what it shows is what is there."""

import re
import subprocess

import pytest
from tests.project import FUSIONS, ROOT

from fusebench.report.export import exported, verdict_head

README = (ROOT / "README.md").read_text("utf-8")


def test_it_fits_in_200_lines() -> None:
    assert len(README.splitlines()) <= 200


def test_it_leads_with_the_kept_verdict() -> None:
    folder = ROOT / "metrics/verdict"
    head = verdict_head(exported(folder))
    shown = re.search(r"<!-- verdict -->\n(.*?)\n<!-- /verdict -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == head
    assert README.index("<!-- verdict -->") < README.index("## ")


@pytest.mark.parametrize("path", re.findall(r"!?\[[^\]]*\]\(([^)]+)\)", README))
def test_what_it_links_to_is_there(path: str) -> None:
    if path.startswith("#"):
        assert f"## {path[1:].replace('-', ' ').capitalize()}" in README
    elif not path.startswith("http"):
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
