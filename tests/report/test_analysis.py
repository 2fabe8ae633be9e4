"""Stage analysis on made-up results: what it reads, writes and says."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.report.made_up import BEST, PAIR, findings_of, told, write_results
from tests.report.made_up_evidence import FOUR, cost_of, robust_of, training_of

import analysis as stage
from fusebench.errors import ArtifactError
from fusebench.files import write_json, write_table
from fusebench.report import robustness_files
from fusebench.report.analysis import analysis_page, comparison_page
from fusebench.report.claims import CLAIMS, HEADINGS, judgements
from fusebench.report.evidence import read_evidence
from fusebench.report.findings import Findings
from fusebench.report.judgement import State
from fusebench.report.probabilities import probabilities_table
from fusebench.report.results import read_comparison

WRITTEN = ("metrics/analysis.md", "metrics/comparison.md", "metrics/recommendation.json")


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root with all that the stages before would have written; also entered."""
    root = write_results(tmp_path / "root", FOUR, (0, 1))
    monkeypatch.chdir(root)
    comparison = read_comparison(root, FOUR)
    best = [BEST._replace(fusion=name, seeds=2, below=float("nan")) for name in FOUR]
    found = findings_of(comparison, PAIR._replace(seeds=2), best=best)
    table = probabilities_table(comparison, temperature=True)
    Findings(found.table, found.pairs, found.best,
             told(0.97, 0, 0, 0, results=comparison.fingerprint), None, table).write()  # fmt: skip
    write_json(Path("metrics/data.json"), {"synthetic": True, "task": "shape", "pairs": {"a": 3}})
    for name in FOUR:
        write_json(Path(f"metrics/cost/{name}.json"), cost_of(name).model_dump())
        write_json(Path(f"metrics/training/{name}.json"), training_of(1, 2).model_dump())
    # Of another run, in which there was another fusion.
    write_json(Path("metrics/cost/early.json"), {})
    pairs = pd.DataFrame(robust_of(dict.fromkeys(FOUR, 80.0)))
    write_table(robustness_files.PAIRS, pairs)
    rows = [(name, 0.5 if name != "add" else None, "lidar_turned", 0.25, 14, 10) for name in FOUR]
    columns = list(robustness_files.SUMMARY_KINDS)
    write_table(robustness_files.SUMMARY, pd.DataFrame(rows, columns=columns))
    return root


def test_stage_writes_pages_and_the_recommendation(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["analysis.py"])
    stage.main()
    shown = capsys.readouterr().out
    evidence = read_evidence(measured)
    analysis, comparison, recommendation = (Path(name).read_text("utf-8") for name in WRITTEN)
    assert analysis == analysis_page(evidence, judgements(evidence))
    assert comparison == comparison_page(evidence)
    content = json.loads(recommendation)
    assert content["fusion"] is None
    assert content["reason"] == evidence.findings.answer
    assert content["seeds"] == [0, 1]
    assert "metrics/analysis.md: Of 11 claims" in shown
    assert "No recommendation: 2 seed(s) are too few" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_page_has_each_claim_once_under_its_heading_with_its_state(measured: Path) -> None:
    evidence = read_evidence(measured)
    page = analysis_page(evidence, judgements(evidence))
    places = [page.index(f"## {heading}\n") for heading in HEADINGS]
    assert places == sorted(places)
    ends = [*places[1:], len(page)]
    texts = [page[start:end] for start, end in zip(places, ends, strict=True)]
    sections = dict(zip(HEADINGS, texts, strict=True))
    for claim, found in judgements(evidence):
        item = f"- **{found.state.value}**: *{claim.text}*\n  Read as: {claim.reading}.\n"
        assert f"{item}  {found.sentence}" in sections[claim.heading]
    states = [found.state for _, found in judgements(evidence)]
    assert f"Of {len(CLAIMS)} claims {states.count(State.HOLDS)} hold" in page
    assert f"results {evidence.fingerprint}" in page
    assert "synthetic samples, 2 seed(s)" in page
    rows = [line for line in page.splitlines() if line.startswith("| add")]
    assert [cell.strip() for cell in rows[0].split("|")[1:-1]] == [
        "add", "117,314", "12.0", "1.00", "52.0", "1.50", "",
    ]  # fmt: skip


def test_comparison_holds_answer_table_remarks_and_fingerprint(measured: Path) -> None:
    evidence = read_evidence(measured)
    page = comparison_page(evidence)
    assert page.startswith(
        f"# Comparison {evidence.fingerprint}\n\n**{evidence.findings.answer}**\n\n| model"
    )
    for remark in evidence.findings.remarks:
        assert f"\n- {remark}\n" in page


def test_only_fusions_that_are_compared_are_read(measured: Path) -> None:
    evidence = read_evidence(measured)
    assert evidence.fusions == list(FOUR)
    assert list(evidence.costs) == list(evidence.trainings) == list(FOUR)


def test_pairs_are_found_from_either_side(measured: Path) -> None:
    evidence = read_evidence(measured)
    row = robust_of({"late": 70.0, "add": 80.0})[0]
    evidence = replace(evidence, robust_pairs=[row])
    assert evidence.robust_pair("lidar_shifted", "late", "add") == row
    other = evidence.robust_pair("lidar_shifted", "add", "late")
    assert other == row._replace(
        first="add", second="late", difference=10.0, low=9.0, high=11.0, fixed_low=9.0,
        fixed_high=11.0,
    )  # fmt: skip
    assert evidence.robust_pair("lidar_turned", "late", "add") is None
    found = evidence.pair("balanced_accuracy", "hadamard", "late")
    assert found is not None
    assert found.difference == -PAIR.difference
    assert evidence.pair("nll", "late", "hadamard") is None


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("metrics/cost/add.json", None, "metrics/cost/add.json: no such file; 'dvc repro' makes"),
        ("metrics/cost/add.json", "{}", "metrics/cost/add.json: key 'parameters' is missing"),
        ("metrics/training/add.json", "{", "metrics/training/add.json: not valid JSON"),
        ("metrics/interaction.json", None, "metrics/interaction.json: no such file"),
        ("metrics/data.json", '{"synthetic": 2}', "metrics/data.json: "),
        ("metrics/data.json", None, "metrics/data.json: no such file"),
        ("metrics/probabilities.csv", None, "metrics/probabilities.csv: no such file"),
        ("metrics/pairs.csv", None, "metrics/pairs.csv: no such file"),
        ("metrics/robustness_pairs.csv", "corruption\n", "column 'role' is missing"),
        ("metrics/robustness_summary.csv", None, "metrics/robustness_summary.csv: no such file"),
    ],
)
def test_what_is_missing_or_broken_is_named_and_nothing_is_written(
    path: str, content: str | None, message: str, measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (measured / path).unlink()
    if content is not None:
        (measured / path).write_text(content, "utf-8")
    monkeypatch.setattr(sys, "argv", ["analysis.py"])
    with pytest.raises(ArtifactError) as caught:
        stage.main()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [name for name in WRITTEN if Path(name).exists()]
