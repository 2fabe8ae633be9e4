"""The page of `dvc plots`: offline, in its order, and through the real DVC and a real browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import ROOT, Project

from fusebench.files import write_json

PAGE = (ROOT / ".dvc/plots/page.html").read_text("utf-8")
SECTIONS = dict(re.findall(r'\["(\w+)", "([^"]+)"\]', PAGE.partition("const SECTIONS")[2][:700]))
BROWSER = shutil.which("chromium")


def _plots() -> dict[str, dict[str, Any]]:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    plots: dict[str, dict[str, Any]] = {}
    for stage in stages.values():
        for plot in stage.get("plots", []):
            plots |= plot
    return plots


def test_page_loads_nothing_from_the_web() -> None:
    assert "{plot_divs}" in PAGE
    for word in ("{scripts}", "<script src", "<link"):
        assert word not in PAGE


def test_page_begins_with_the_answer_and_ends_with_detail() -> None:
    assert list(SECTIONS)[:3] == ["answer", "differences", "metrics"]
    assert list(SECTIONS)[-3:] == ["detail", "others", "pictures"]


@pytest.mark.parametrize("path", sorted((ROOT / ".dvc/plots").glob("*.json")),
                         ids=lambda path: path.stem)  # fmt: skip
def test_every_template_names_its_section(path: Path) -> None:
    template = json.loads(path.read_text("utf-8"))
    assert template["usermeta"]["fusebench"]["section"] in {*SECTIONS, "hidden"}
    used = {plot.get("template") for plot in _plots().values()}
    assert path.stem in used


def test_no_template_cuts_words_or_draws_bars() -> None:
    for path in (ROOT / ".dvc/plots").glob("*.json"):
        text = path.read_text("utf-8")
        template = json.loads(text)
        assert template["config"]["legend"]["orient"] == "bottom"
        assert template["config"]["axis"]["labelLimit"] == 0
        assert '"bar"' not in text


class _Page(HTMLParser):
    """Headings and words of a page as a browser has it, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.tag, self.words = "", list[tuple[str, str]]()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag

    def handle_data(self, data: str) -> None:
        if self.tag in ("h1", "h2", "h3", "p", "li") and data.strip():
            self.words.append((self.tag, data.strip()))


def _show(project: Project) -> Path:
    project.dvc("plots", "show", "--out", "page")
    return project.root / "page/index.html"


@pytest.mark.slow
def test_page_of_a_project_has_every_title_and_needs_no_network(clean: Project) -> None:
    page = _show(clean).read_text("utf-8")
    assert "<script src" not in page
    for path, plot in _plots().items():
        drawn = "title" in plot or path.endswith(".png")
        if drawn and "${" not in path:
            assert json.dumps(plot.get("title", path))[1:-1] in page, path
    assert "No recommendation: 2 seed(s) are too few" in page
    assert '"favours the first \\u2192"' in page


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_a_browser_shows_the_answer_first_and_no_table_that_is_no_chart(clean: Project) -> None:
    assert BROWSER is not None
    # As a stage may declare a file under `plots` to keep it in git and out of `dvc metrics`.
    write_json(clean.root / "plots/detail.json", {"add": {"mean": 1.0, "seeds": {"0": {"f1": 1}}}})
    path = clean.root / "dvc.yaml"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace(
            "    - plots/roc.png", "    - plots/detail.json: {cache: false}\n    - plots/roc.png"
        )
    )
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
         "--dump-dom", _show(clean).as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    shown = _Page()
    shown.feed(done.stdout)
    headings = [words for tag, words in shown.words if tag == "h2"]
    assert headings == [heading for name, heading in SECTIONS.items() if name != "others"]
    assert shown.words[1] == ("h2", SECTIONS["answer"])
    assert shown.words[2][1].startswith("No recommendation: 2 seed(s) are too few")
    assert 'id="plots_detail_json"' not in done.stdout.replace("id = ", "id=")
    assert "metrics_pairs_csv" not in done.stdout.partition("</head>")[2]
    assert done.stdout.count("marks") > 8


@pytest.mark.slow
def test_vector_pictures_are_kept_by_dvc_and_not_by_git(clean: Project) -> None:
    names = {path.name for path in (clean.root / "plots/vector").iterdir()}
    pictures = (
        "best",
        "confusion",
        "metrics",
        "pairs",
        "precision_recall",
        "reliability",
        "roc",
        "training",
    )
    assert names == {f"{name}.{form}" for name in pictures for form in ("pdf", "svg")}
    assert not [name for name in clean.git("ls-files").split() if name.startswith("plots/vector")]
    (out,) = [out for out in clean.lock()["compare"]["outs"] if out["path"] == "plots/vector"]
    assert out["md5"].endswith(".dir")
    shutil.rmtree(clean.root / "plots/vector")
    clean.dvc("checkout", "plots/vector")
    assert {path.name for path in (clean.root / "plots/vector").iterdir()} == names
