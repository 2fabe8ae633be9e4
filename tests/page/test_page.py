"""The page as a whole: one file that needs no other, whatever samples and classes are called."""

import base64
import dataclasses
import hashlib
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.in_process import run
from tests.page.made_up import NAMES
from tests.page.reader import Read, read
from tests.project import ROOT

from fusebench.config import PARAMS_FILE
from fusebench.errors import ArtifactError, ParamsError
from fusebench.models.registry import FUSIONS
from fusebench.page.page import SECTIONS, page, write_page
from fusebench.page.scripts import Scripts, read_scripts
from fusebench.page.sources import Sources, read_sources
from fusebench.page.stored import STUDIES, TABLES
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.declared import ORIGIN

LARGEST = 5_000_000
# Those of names that end an element, a comment, an attribute or a place of the template.
HOSTILE = "</script><!-- --> <b a='\"'>&amp; {{sections}} \u2028"
_NO_SCRIPTS = Scripts("the terms", ["/* drawn by nothing */"])


@pytest.fixture(scope="module")
def shown(page_file: Path) -> Read:
    """The page of a project in which all was run."""
    return read(page_file.read_text("utf-8"))


def _renamed(sources: Sources, text: str) -> Sources:
    """Return the sources with a text as a class, in the ids, and in what was found of the data."""

    def part(of: PartPredictions) -> PartPredictions:
        ids = [f"{text}{name}" for name in of.ids.tolist()]
        classes = [text if name == "cubes" else name for name in of.classes.tolist()]
        return dataclasses.replace(of, ids=np.array(ids), classes=np.array(classes))

    def fusion(of: FusionPredictions) -> FusionPredictions:
        seeds = {
            seed: {name: part(inner) for name, inner in parts.items()}
            for seed, parts in of.seeds.items()
        }
        counts = {seed: {text: 80} for seed in of.info["train_counts"]}
        info = of.info | {"classes": [text, "spheres"], "positive": text, "train_counts": counts}
        return FusionPredictions(info, seeds)

    table = sources.samples.table.assign(
        id=[f"{text}{name}" for name in sources.samples.table["id"].tolist()],
        **{"class": sources.samples.table["class"].replace("cubes", text)},
    )
    return dataclasses.replace(
        sources,
        predictions={name: fusion(of) for name, of in sources.predictions.items()},
        confusion={name: of.replace("cubes", text) for name, of in sources.confusion.items()},
        samples=dataclasses.replace(sources.samples, table=table),
        data={"pairs": {text: text}},
    )


def test_is_one_whole_document_in_english(page_file: Path, shown: Read) -> None:
    assert page_file.read_text("utf-8").startswith('<!DOCTYPE html>\n<html lang="en">')
    assert [len(shown.all(name)) for name in ("html", "head", "title", "body", "main", "h1")] == [
        1
    ] * 6
    assert "3 fusions" in shown.all("title")[0].text
    assert "{{" not in "".join(element.text for element in shown.all("title", "main", "header"))


def test_is_small(page_file: Path) -> None:
    size = page_file.stat().st_size
    print(f"the page of {len(NAMES)} fusions has {size / 1e6:.2f} MB")
    assert size < LARGEST


def test_stays_small_with_ten_seeds_of_all_fusions(all_sources: Sources) -> None:
    curves = [(name, seed) for name in FUSIONS.names() for seed in range(10)]
    points = np.random.default_rng(0).uniform(0, 100, (len(curves) * 100, 2)).round(4)
    tables = dict(all_sources.tables)
    for kind, columns in (
        ("roc", ("false_positive_rate", "true_positive_rate")),
        ("precision_recall", ("recall", "precision")),
    ):
        whole = pd.DataFrame(points, columns=list(columns)).assign(
            fusion=np.repeat([name for name, _ in curves], 100),
            seed=np.repeat([seed for _, seed in curves], 100),
            point=np.tile(np.arange(100), len(curves)), chance=points[:, 0], panel="whole",
        )  # fmt: skip
        tables[kind] = pd.concat([whole, whole.assign(panel="corner")])
    text = page(dataclasses.replace(all_sources, tables=tables), read_scripts(ROOT))
    assert len(text.encode()) < LARGEST


def test_sections_stand_in_their_order_and_the_contents_name_them(shown: Read) -> None:
    headings = [section.heading for section in SECTIONS]
    assert [heading.text for heading in shown.all("h2")] == headings
    links = [link for link in shown.all("a") if "nav" in link.inside]
    assert [(link.attributes["href"], link.text) for link in links] == [
        (f"#{section.name}", section.heading) for section in SECTIONS
    ]


def test_needs_nothing_from_anywhere(shown: Read) -> None:
    assert not shown.all("link", "iframe", "object", "embed", "base", "form")
    for element in shown.elements:
        for name in ("src", "srcset", "data", "poster", "background"):
            assert (element.attributes.get(name) or "data:").startswith("data:")
        href = element.attributes.get("href")
        assert href is None or (element.name == "a" and href.startswith("#"))
    style = "".join(element.text for element in shown.all("style"))
    assert "@import" not in style
    assert "url(" not in style


def test_a_browser_may_run_these_scripts_and_load_nothing(shown: Read) -> None:
    (policy,) = [
        meta.attributes["content"] for meta in shown.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]  # fmt: skip
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    scripts = [script for script in shown.all("script") if "type" not in script.attributes]
    assert rules["script-src"].split() == [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()}'"
        for script in scripts
    ]
    assert not [
        name for element in shown.elements for name in element.attributes if name.startswith("on")
    ]  # fmt: skip


def test_holds_the_scripts_with_their_licence(shown: Read) -> None:
    kept = read_scripts(ROOT)
    scripts = [script.text for script in shown.all("script") if "type" not in script.attributes]
    assert scripts[:3] == list(kept.sources)
    words = " ".join(" ".join(shown.comments).split())
    for sentence in ("Copyright (c) 2015, University of Washington", "AS IS"):
        assert sentence in words


def test_every_picture_and_chart_says_what_it_shows(shown: Read) -> None:
    assert all(image.attributes["alt"] for image in shown.all("img"))
    charts = [part for part in shown.all("div") if part.attributes.get("class") == "chart"]
    labels = [chart.attributes["aria-label"] for chart in charts]
    assert all(labels)
    assert len(set(labels)) == len(labels)


def test_no_level_of_headings_is_left_out(shown: Read) -> None:
    levels = [int(heading.name[1]) for heading in shown.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_names_of_elements_are_there_once(shown: Read) -> None:
    names = [element.attributes["id"] for element in shown.elements if "id" in element.attributes]
    assert len(set(names)) == len(names)
    for element in shown.elements:
        for reference in ("aria-labelledby", "data-chart"):
            assert element.attributes.get(reference, names[0]) in names


def test_one_legend_switches_every_fusion(shown: Read) -> None:
    switches = [button for button in shown.all("button") if "data-switch" in button.attributes]
    assert [button.attributes["data-switch"] for button in switches] == list(NAMES)
    assert {button.attributes["aria-pressed"] for button in switches} == {"true"}
    rows = {element.attributes.get("data-fusion") for element in shown.elements} - {None}
    assert rows == set(NAMES)


def test_the_same_results_give_the_same_page(complete: Path, page_file: Path) -> None:
    text = page(read_sources(complete, NAMES), read_scripts(complete))
    assert text == page_file.read_text("utf-8")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip))
def test_names_of_classes_and_samples_are_texts(sources: Sources, text: str) -> None:
    _check_renamed(sources, text)


def test_names_that_look_like_markup_are_texts(sources: Sources) -> None:
    _check_renamed(sources, HOSTILE)


def _check_renamed(sources: Sources, text: str) -> None:
    if text == "spheres":
        return
    plain, renamed = (read(page(of, _NO_SCRIPTS)) for of in (sources, _renamed(sources, text)))
    assert sorted({element.name for element in renamed.elements}) == sorted(
        {element.name for element in plain.elements}
    )
    assert len(renamed.all("script")) == len(plain.all("script"))
    names = [heading.text for heading in renamed.all("h3") if "figure" in heading.inside]
    assert any(name.startswith(f"{text}id {text}") for name in names)
    alts = [str(image.attributes["alt"]) for image in renamed.all("img")]
    assert any(alt.startswith(f"Image of sample {text}") for alt in alts)


@pytest.mark.parametrize(
    "path",
    [
        "metrics/comparison.csv", "metrics/pairs.csv", "metrics/best.csv", "metrics/data.json",
        "metrics/sources.json", "metrics/interaction.json", "metrics/interactions/summary.csv",
        "metrics/training/late.json",
        "plots/curves/best.csv", "plots/curves/roc.csv", "plots/confusion/late.csv",
        "predictions/late/info.json", "predictions/late/seed_1.npz", "data/samples/samples.csv",
        "data/samples/rgb.npy", ".dvc/plots/page.html",
    ],
)  # fmt: skip
@pytest.mark.parametrize("broken", [True, False])
def test_a_missing_or_broken_file_is_named_in_one_line(
    root: Path, path: str, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    Path(path).unlink()
    if broken:
        Path(path).write_bytes(b"\xff\x00")
    with pytest.raises(ArtifactError, match=f"^{re.escape(path)}: ") as raised:
        write_page(Path(), NAMES, Path("plots/report.html"))
    assert "\n" not in str(raised.value)
    assert not Path("plots/report.html").exists()


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"{}"])
@pytest.mark.parametrize("was_run", [True, False])
def test_what_a_study_belongs_to_must_be_there_whether_it_was_run_or_not(
    study: str, content: bytes | None, was_run: bool, compared: Path, complete: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(shutil.copytree(complete if was_run else compared, tmp_path / "root"))
    path = Path(TABLES[study].path).parent / ORIGIN
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"^{re.escape(str(path))}: ") as raised:
        write_page(Path(), NAMES, Path("report.html"))
    assert "\n" not in str(raised.value)
    assert not Path("report.html").exists()


@pytest.mark.parametrize("content", [None, b"\xff\x00", b"[1]"])
def test_params_that_are_missing_or_broken_are_named_in_one_line(
    content: bytes | None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    PARAMS_FILE.unlink()
    if content is not None:
        PARAMS_FILE.write_bytes(content)
    with pytest.raises(ParamsError, match=r"^params\.yaml: ") as raised:
        write_page(Path(), NAMES, Path("report.html"))
    assert "\n" not in str(raised.value)
    assert not Path("report.html").exists()


def test_a_fusion_that_was_not_compared_is_named(root: Path) -> None:
    with pytest.raises(ArtifactError, match="fusion 'gated' is not in it"):
        read_sources(root, (*NAMES, "gated"))


def test_make_report_runs_the_stage_and_says_where_the_page_is(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/report.html").write_bytes(b" " * 1_260_000)
    # In place of what runs the pipeline and sets it up.
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    (tools / "dvc").write_text("#!/bin/sh\necho dvc $*\n", "utf-8")
    (tools / "dvc").chmod(0o755)
    # Under `make test` this make is one within another, which by default names its folder.
    options = ["--no-print-directory", "--old-file=setup"]
    command = ["make", f"--file={ROOT / 'Makefile'}", *options, "report"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"dvc repro report\n{tmp_path}/plots/report.html: 1.3 MB\n"


def test_the_stage_writes_the_page_and_says_its_size(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    text = PARAMS_FILE.read_text("utf-8")
    own = f"fusion: late\nfusions: [{', '.join(NAMES)}]\ndata:"
    PARAMS_FILE.write_text(re.sub(r"fusion: .*?\ndata:", own, text, flags=re.S), "utf-8")
    assert run("report", "plots/report.html") == 0
    size = Path("plots/report.html").stat().st_size
    assert capsys.readouterr().out == f"plots/report.html: {size / 1e6:.2f} MB\n"
    shutil.rmtree("plots/curves")
    assert run("report", "plots/report.html") == 1
    assert "plots/curves/best.csv: no such file; 'dvc repro' makes it" in capsys.readouterr().err
    assert Path("plots/report.html").stat().st_size == size
