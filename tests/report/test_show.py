"""src/show.py on the tables of a workspace; revisions are read in tests/test_show.py."""

import sys
from pathlib import Path

import pytest
from tests.report.made_up import PAIR, findings_of, pairs_table

import show
from fusebench import stale as freshness
from fusebench.errors import ArtifactError
from fusebench.files import write_table
from fusebench.report.best import BEST
from fusebench.report.chance import chance_remarks, with_chance
from fusebench.report.pairs import PAIRS
from fusebench.report.results import Comparison
from fusebench.report.table import SCREEN_WIDTH, TABLE, comparison_table, screen_table
from fusebench.report.verdict import on_screen
from fusebench.revisions import revisions
from fusebench.stale import Stale


@pytest.fixture
def workspace(comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    findings = findings_of(comparison, PAIR)
    write_table(tmp_path / TABLE, findings.table)
    write_table(tmp_path / PAIRS, findings.pairs)
    write_table(tmp_path / BEST, findings.best)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(freshness, "stale", lambda _read: Stale())
    return tmp_path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["show.py", *arguments])
    show.main()


def test_table_is_shown_with_what_to_use(
    workspace: Path,
    comparison: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert workspace.exists()
    _run(monkeypatch, "table")
    shown, findings = capsys.readouterr().out, findings_of(comparison, PAIR)
    assert shown.startswith(screen_table(findings.table, findings.pairs))
    assert on_screen([findings.answer, *findings.remarks], SCREEN_WIDTH) in shown


def test_verdict_is_shown_whole(
    workspace: Path, comparison: Comparison, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert workspace.exists()
    _run(monkeypatch, "verdict")
    findings = findings_of(comparison, PAIR)
    said = [findings.answer, *findings.remarks, *findings.sentences]
    expected = on_screen(said, SCREEN_WIDTH)
    assert capsys.readouterr().out == expected + "\n"


@pytest.mark.parametrize("command", ["table", "verdict"])
def test_a_fusion_at_chance_is_named_after_what_to_use(
    command: str,
    workspace: Path,
    comparison: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = with_chance(comparison_table(comparison), comparison)
    table.loc[table["Model"] == "hadamard", "At Chance"] = "nll balanced_accuracy"
    table.loc[table["Model"] == "late", "At Chance"] = "nll"
    write_table(workspace / TABLE, table)
    _run(monkeypatch, command)
    shown = " ".join(capsys.readouterr().out.split())
    (said,) = chance_remarks(table, pairs_table(PAIR))
    assert said.startswith("hadamard: test balanced accuracy")
    assert f"{findings_of(comparison, PAIR).answer} {said}" in shown


@pytest.mark.parametrize(
    ("command", "path"), [("table", TABLE), ("verdict", PAIRS), ("plan", BEST)]
)
def test_missing_table_says_what_makes_it(
    command: str, path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / path).unlink()
    with pytest.raises(ArtifactError, match=f"^{path}: no such file; 'dvc repro' makes it$"):
        _run(monkeypatch, command)


def test_table_of_an_earlier_version_is_refused_by_its_revision(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (workspace / TABLE).read_text("utf-8").replace("Samples", "Origin")
    monkeypatch.setattr(revisions, "reader", lambda _rev: lambda _path: text.encode())
    with pytest.raises(ArtifactError) as caught:
        _run(monkeypatch, "table", "HEAD~9")
    assert str(caught.value) == (
        "'HEAD~9': metrics/comparison.csv: column 'Samples' is missing: of another "
        "version of fusebench"
    )


def test_a_stale_table_is_shown_with_the_rows_that_are_and_without_a_recommendation(
    workspace: Path, comparison: Comparison, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert workspace.exists()
    monkeypatch.setattr(freshness, "stale", lambda _read: Stale({"late": "trained anew"}))
    _run(monkeypatch, "table")
    shown = capsys.readouterr().out
    assert shown.splitlines()[-2:] == [
        "Stale: late: trained anew.",
        "'dvc repro' brings table, pairs, verdict and pictures up to date.",
    ]
    assert findings_of(comparison, PAIR).answer not in " ".join(shown.split())


@pytest.mark.parametrize("command", [["verdict"], ["plan"], ["export", "workspace", "exported"]])
def test_a_stale_verdict_is_refused(
    command: list[str], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "stale", lambda _read: Stale({"late": "trained anew"}))
    remedy = "'dvc repro' brings table, pairs, verdict and pictures up to date."
    with pytest.raises(ArtifactError, match=rf"^Stale: late: trained anew\. {remedy}$"):
        _run(monkeypatch, *command)
    assert not (workspace / "exported").exists()


@pytest.mark.parametrize("command", ["table", "verdict", "plan", "diff", "export"])
def test_help_of_each_command_shows_how_to_call_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _run(monkeypatch, command, "--help")
    shown = capsys.readouterr().out
    assert f"python src/show.py {command}" in shown
    assert "name of an experiment" in " ".join(shown.split())


def test_diff_compares_the_commit_before_with_the_workspace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[tuple[str, str]] = []

    def diff(before: str, after: str) -> None:
        """Say nothing."""
        called.append((before, after))

    monkeypatch.setattr(show, "diff", diff)
    _run(monkeypatch, "diff")
    _run(monkeypatch, "diff", "one")
    _run(monkeypatch, "diff", "one", "two")
    assert called == [("HEAD~1", "workspace"), ("one", "workspace"), ("one", "two")]
