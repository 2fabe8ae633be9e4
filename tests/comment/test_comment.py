"""The comment from made-up results: each case is one honest sentence, and the rest is written."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.comment.rendered import rendered
from tests.parts import BySeed, answers, fusion, part_of
from tests.project import ROOT
from tests.report.made_up import NAMES, cost_of, write_results

from fusebench.comment import against, results
from fusebench.comment import comment as whole
from fusebench.comment.against import against_sections, params_sections
from fusebench.comment.markup import BREAK
from fusebench.comment.pictures import PICTURES, checked_prefix, picture_sections
from fusebench.comment.results import Revision, View, comparison_sections, origin_section
from fusebench.comment.sections import Section, fitted
from fusebench.errors import ArtifactError, ParamsError
from fusebench.files import write_json
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.findings import Findings
from fusebench.report.results import read_comparison
from fusebench.report.table import comparison_table, markdown_table
from fusebench.revisions.revisions import read_fusions, reader
from fusebench.stale import Stale

LABELS = [0] * 40 + [1] * 20
PARAMS = yaml.safe_load((ROOT / "tests/default_params.yaml").read_text("utf-8"))
HOSTILE = "a|`b`<script>@somebody#1"
Sides = Mapping[str, "dict[str, FusionPredictions] | ArtifactError"]


def _parts(wrong: float, seeds: int = 6, draw: int = 0) -> BySeed:
    parts = {}
    for seed in range(seeds):
        source = np.random.default_rng([seed, draw])
        rows = np.flatnonzero(source.random(len(LABELS)) < wrong).tolist()
        parts[seed] = part_of(LABELS, answers(LABELS, rows))
    return parts


def _fusions(**parts: BySeed) -> dict[str, FusionPredictions]:
    return {name: fusion(name, of) for name, of in parts.items()}


def _revision(
    name: str, params: Any = PARAMS, files: Mapping[str, bytes] | None = None
) -> Revision:
    content = {"params.yaml": yaml.safe_dump(params).encode(), **(files or {})}

    def read(path: Path) -> bytes:
        if str(path) not in content:
            raise ArtifactError(f"{path}: not in '{name}'")
        return content[str(path)]

    return Revision(name, read)


def _against(
    monkeypatch: pytest.MonkeyPatch, sides: Sides, stale: Stale | None = None
) -> list[Section]:
    def read(rev: str) -> dict[str, FusionPredictions]:
        side = sides[rev]
        if isinstance(side, ArtifactError):
            raise side
        return side

    monkeypatch.setattr(against, "read_fusions", read)
    monkeypatch.setattr(
        against, "stale_predictions", lambda _read: Stale() if stale is None else stale
    )
    before, after = (_revision(name) for name in sides)
    return [*against_sections(before, after)]


def _said(sections: list[Section]) -> str:
    """Return the text of a comment as a reader has it."""
    return " ".join(rendered(fitted(sections)).text.replace(BREAK, "").split())


# --- Against the base ---


def test_a_shown_change_is_said_with_interval_and_holms_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _fusions(add=_parts(0.4), late=_parts(0.2, draw=2), concat=_parts(0.1, draw=3))
    after = _fusions(add=_parts(0.02, draw=4), late=_parts(0.2, draw=5), concat=_parts(0.1, draw=3))
    sections = _against(monkeypatch, {"main": before, "change": after})
    seen = rendered(fitted(sections))
    rows = {row[0]: row for row in seen.rows}
    assert rows["fusion"][3:] == ["balanced accuracy (%) before", "after", "change", "shown"]
    assert [rows[name][-1] for name in ("add", "late")] == ["better", "undecided"]
    assert rows["add"][1:3] == ["6", "60"]
    assert "concat" not in rows
    said = _said(sections)
    assert "add (change) is better than add (main): +" in said
    assert "after Holm over 2 contrasts" in said
    assert "The same predictions before and after: concat." in said
    assert [section.folded for section in sections] == [False, True]
    assert "trained again" in sections[1].body


def test_too_few_seeds_are_said_to_be_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = {"main": _fusions(add=_parts(0.4, 2)), "change": _fusions(add=_parts(0.0, 2))}
    sections = _against(monkeypatch, sides)
    assert rendered(fitted(sections)).rows[1][-1] == "too few seeds to tell"
    said = _said(sections)
    assert "2 seed(s) are too few to say it of the fusions" in said
    assert "is better" not in said


@pytest.mark.parametrize(
    ("state", "but", "line"),
    [
        (Stale(), "", ""),
        (Stale({"add": "trained with other train"}), ", but that is stale",
         "change: Stale: add: trained with other train."),
        (Stale(unknown="there is no lock"),
         ", but whether it belongs to the params cannot be told",
         "change: Cannot tell whether this belongs to the params beside it: there is no lock."),
    ],
)  # fmt: skip
def test_equal_predictions_are_one_sentence(
    state: Stale, but: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = _fusions(add=_parts(0.1), late=_parts(0.2))
    sections = _against(monkeypatch, {"main": same, "change": same}, state)
    assert len(sections) == 1
    said = _said(sections)
    alike = "No prediction changed: what both sides have was predicted alike on test, to the bit"
    assert f"{alike}{but}. " in said
    assert "The same predictions before and after: add, late." in said
    assert line in said
    assert "is another" not in said


def _tables(
    monkeypatch: pytest.MonkeyPatch, *tables: pd.DataFrame, stale: Stale | None = None
) -> str:  # fmt: skip
    """Return what is said of two tables of the same predictions; the first may be stale."""
    same = _fusions(add=_parts(0.1))
    before, after = (
        _revision(name, files={"metrics/comparison.csv": table.to_csv(index=False).encode()})
        for name, table in zip(("main", "change"), tables, strict=True)
    )
    states = {before.read: Stale() if stale is None else stale, after.read: Stale()}
    monkeypatch.setattr(against, "read_fusions", lambda _rev: same)
    monkeypatch.setattr(against, "stale_predictions", lambda _read: Stale())
    monkeypatch.setattr(against, "stale", states.__getitem__)
    return _said([*against_sections(before, after)])


ANOTHER = (
    "to the bit. metrics/comparison.csv is another all the same, also without time and memory. "
)


@pytest.mark.parametrize(
    ("stale", "is_said"),
    [
        (Stale(), True),
        (Stale({"add": "predicted anew since the table was made"}), False),
        (Stale(files={"metrics/robustness_summary.csv": "made with other stress"}), False),
        (Stale(unknown="there is no lock"), False),
    ],
)
def test_another_table_of_equal_predictions_is_said_unless_it_is_stale(
    stale: Stale, is_said: bool, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = findings.table
    others = table.assign(**{"Test NLL": table["Test NLL"] + 1})
    said = _tables(monkeypatch, table, others, stale=stale)
    assert (ANOTHER in said) is is_said
    assert ("is another" in said) is is_said


def test_other_times_and_memory_are_no_other_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(kind: str, name: str, content: dict[str, Any]) -> None:
        write_json(tmp_path / f"metrics/{kind}/{name}.json", content)

    before = comparison_table(read_comparison(write_results(tmp_path), NAMES))
    cost = cost_of("of another length") | {
        "samples_per_second": {"median": 1.0, "batch": 256}, "step_mb": 1.0, "train_seconds": 1.0,
    }  # fmt: skip
    for name in NAMES:
        measured = json.loads((tmp_path / f"metrics/training/{name}.json").read_text("utf-8"))
        again("training", name, measured | {"seconds_per_epoch": {"median": 2.5}})
        again("cost", name, cost)
    after = comparison_table(read_comparison(tmp_path, NAMES))
    old, new = (table[table["Model"].isin(NAMES)].map(str) for table in (before, after))
    assert (old != new).all().sum() == 6
    assert "is another" not in _tables(monkeypatch, before, after)


def test_a_new_fusion_and_new_seeds_have_no_partner(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _fusions(add=_parts(0.1, 2))
    after = _fusions(add=_parts(0.1, 3), late=_parts(0.2))
    said = _said(_against(monkeypatch, {"main": before, "change": after}))
    assert "Only in change, without a partner: fusions late." in said
    assert "Only in change, without a partner: seeds 2; of add." in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("predictions/add: not in dvc.lock of 'main', committed without 'dvc repro'",
         "predictions/add: not in dvc.lock of 'main', committed without 'dvc repro'."),
        ("params.yaml: not in 'main'", "params.yaml: not in 'main'."),
        ("'main' was made by an earlier version of fusebench, whose predictions this one cannot "
         "read; 'git checkout main'", "was made by an earlier version of fusebench"),
        ("predictions/add of 'main': in no cache or remote; 'dvc push' where they are, or:\n"
         "git worktree add", "predictions/add of 'main': in no cache or remote."),
    ],
)  # fmt: skip
def test_a_base_without_results_is_one_sentence(
    error: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = _fusions(add=_parts(0.1))
    (section,) = _against(monkeypatch, {"main": ArtifactError(error), "change": same})
    assert "Not compared with main: " in _said([section])
    assert said in _said([section])
    assert "git worktree" not in section.body


def test_other_samples_are_not_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = _parts(0.1)
    others = {
        seed: replace(part, digests=np.array([f"{digest}!" for digest in part.digests]))
        for seed, part in parts.items()
    }
    sides = {"main": _fusions(add=others), "change": _fusions(add=parts)}
    said = _said(_against(monkeypatch, sides))
    assert "Not compared with main: main was made from other samples than change" in said
    sides = {"main": _fusions(late=parts), "change": _fusions(add=parts)}
    assert "have no fusion, seed and test sample in common" in _said(_against(monkeypatch, sides))


def test_what_is_changed_since_in_the_workspace_is_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(paths: list[Path]) -> None:
        assert paths == [Path("predictions")]
        raise ArtifactError("predictions/add: is not what dvc.lock says")

    monkeypatch.setattr(against, "check_files", refuse)
    same = _fusions(add=_parts(0.1))
    said = _said(_against(monkeypatch, {"main": same, "workspace": same}))
    assert "Not compared with main: predictions/add: is not what dvc.lock says." in said


def test_a_hostile_fusion_or_branch_is_shown_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = {
        HOSTILE: {HOSTILE: fusion(HOSTILE, _parts(0.4))},
        "change": {HOSTILE: fusion(HOSTILE, _parts(0.1, draw=1))},
    }
    sections = _against(monkeypatch, sides)
    seen = rendered(fitted(sections))
    assert not {"script", "a"} & {*seen.tags}
    assert [len(row) for row in seen.rows] == [7, 7]
    assert seen.rows[1][0].replace(BREAK, "") == HOSTILE
    assert f"Against {HOSTILE}" in _said(sections)
    # Outside of code, nobody is called.
    assert "@somebody" not in fitted([sections[0]])


# --- Params ---


def _with(**changes: Any) -> dict[str, Any]:
    return {**PARAMS, **changes}


def test_changed_params_are_a_table() -> None:
    train = PARAMS["train"] | {"lr": 0.5, "new|key": "@x"}
    sections = [*params_sections(_revision("a"), _revision("b", _with(train=train)), "Changed")]
    assert [section.folded for section in sections] == [False]
    rows = [[cell.replace(BREAK, "") for cell in row] for row in rendered(sections[0].body).rows]
    assert rows[1:] == [
        ["train.lr", str(PARAMS["train"]["lr"]), "0.5"], ["train.new|key", "–", "'@x'"],
    ]  # fmt: skip
    same = params_sections(_revision("a"), _revision("b"), "Changed")
    assert [section.body for section in same] == ["Changed: none."]


def test_many_changed_params_are_folded() -> None:
    more = _with(train={f"key_{number}": number for number in range(30)})
    short, long = params_sections(_revision("a"), _revision("b", more), "Changed")
    assert (short.folded, long.folded) == (False, True)
    assert short.body.startswith("Changed: ")
    assert "train.key\\_29" in long.body


def test_params_that_cannot_be_read_are_a_sentence() -> None:
    broken = _revision("a", files={"params.yaml": b"a: [", })  # fmt: skip
    (section,) = params_sections(broken, _revision("b"), "Changed")
    assert section.body.startswith("Changed: not known (params.yaml of 'a': ")
    none = Revision("a", _missing)
    (section,) = params_sections(none, _revision("b"), "Changed")
    assert section.body == "Changed: not known (params.yaml: not in 'a')."


def _missing(path: Path) -> bytes:
    raise ArtifactError(f"{path}: not in 'a'")


# --- Results and pictures ---


def _view(findings: Findings, state: Stale | None = None, name: str = "change") -> View:
    files = {f"plots/{picture}": b"png" for picture in PICTURES}
    return View(_revision(name, files=files), findings, Stale() if state is None else state)


def test_results_are_named_and_said_to_belong_or_to_be_stale(findings: Findings) -> None:
    said = _said([origin_section(_view(findings))])
    first = findings.table.iloc[0]
    assert (
        f"Results {first['Results']} of change. Synthetic samples, 2 seed(s). They belong" in said
    )
    said = _said([origin_section(_view(findings, Stale({"late": "trained anew"})))])
    assert "They belong" not in said
    assert "Stale: late: trained anew. 'change' was committed so" in said
    unknown = _said([origin_section(_view(findings, Stale(unknown="there is no lock")))])
    assert "Cannot tell whether this belongs to the params beside it: there is no lock." in unknown
    missing = View(_revision("change"), missing="metrics/comparison.csv: not in 'change'")
    said = _said([origin_section(missing), *comparison_sections(missing)])
    assert said.endswith("There are no results: metrics/comparison.csv: not in 'change'.")


def test_the_comparison_is_that_of_comparison_md(findings: Findings) -> None:
    open_one, folded = comparison_sections(_view(findings))
    assert f"**{findings.answer}**" in open_one.body.replace(BREAK, "").replace("\\", "")
    plain = rendered(markdown_table(findings.table, findings.pairs))
    seen = rendered(open_one.body)
    assert seen.rows[:-1] == plain.rows[:-1]
    assert plain.text.split("\n\n")[-1].strip() in seen.text
    assert folded.folded
    for remark in findings.remarks:
        assert remark in rendered(folded.body).text


def test_of_stale_results_nothing_is_recommended_and_no_picture_shown(findings: Findings) -> None:
    view = _view(findings, Stale({"late": "trained anew"}))
    (section,) = comparison_sections(view)
    assert findings.answer not in _said([section])
    assert "late" in rendered(section.body).text
    said = [*picture_sections(view, "plots")]
    assert [each.body for each in said] == ["Pictures are not shown: they are stale, too."]


@pytest.mark.parametrize(
    "state", [Stale(unknown="no lock"), Stale(files={"metrics/comparison.csv": "is another now"})]
)
def test_of_what_may_be_stale_nothing_is_recommended_either(
    state: Stale, findings: Findings
) -> None:
    view = _view(findings, state)
    (section,) = comparison_sections(view)
    assert findings.answer not in _said([section])
    (pictures,) = picture_sections(view, "plots")
    assert pictures.body.startswith("Pictures are not shown: they ")


def test_a_small_run_recommends_nothing(findings: Findings) -> None:
    said = _said([*comparison_sections(_view(findings), folded=True)])
    assert findings.answer not in said
    assert "late" in said


def test_a_hostile_name_keeps_the_comparison_a_table(findings: Findings) -> None:
    table = findings.table.copy()
    table["Model"] = table["Model"].replace("late", HOSTILE)
    table["Collapsed To"] = table["Collapsed To"].where(table["Model"] != HOSTILE, "1 × @you")
    (section, _) = comparison_sections(_view(replace(findings, table=table)))
    seen = rendered(section.body)
    assert "script" not in seen.tags
    assert len({len(row) for row in seen.rows}) == 1
    assert len(seen.rows[0]) > 5
    assert HOSTILE in [row[0].replace(BREAK, "") for row in seen.rows]
    assert "@you" in seen.text.replace(BREAK, "")
    assert "@you" not in seen.text
    assert "@somebody" not in seen.text


def test_pictures_are_images_and_those_that_are_not_there_are_not(findings: Findings) -> None:
    one, more = picture_sections(_view(findings), "https://host/x/raw/1f/plots")
    assert one.body == f"![{PICTURES['best.png']}](https://host/x/raw/1f/plots/best.png)"
    assert more.folded
    assert rendered(more.body).tags.count("img") == len(PICTURES) - 1
    bare = View(_revision("change"), findings)
    assert not any(section.body for section in picture_sections(bare, "plots"))


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_are_those_that_a_run_makes(name: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    made = [next(iter(plot)) for plot in stages["compare"]["plots"]]
    assert f"plots/{name}" in made


@pytest.mark.parametrize("prefix", ["https://host/a_b/raw/1f/plots", "plots/", "../plots"])
def test_an_address_or_a_folder_stands_before_a_picture(prefix: str) -> None:
    assert checked_prefix(prefix) == prefix.rstrip("/")


@pytest.mark.parametrize("prefix", ["a b", "x)", "<x>", "a\nb", "x](y", "`x`", "_x", "a|b"])
def test_what_is_no_address_is_refused(prefix: str) -> None:
    with pytest.raises(ParamsError, match=r"^--pictures = .*: must be an address or a folder"):
        checked_prefix(prefix)


# --- As a whole ---


@pytest.mark.parametrize("rev", ["", " "])
def test_an_empty_revision_is_refused(rev: str) -> None:
    with pytest.raises(ArtifactError, match=r"^a revision is empty; must be a git revision or"):
        whole.comment(rev, "workspace")
    with pytest.raises(ArtifactError, match=r"^a revision is empty; must be a git revision or"):
        read_fusions(rev)


def test_without_a_commit_there_is_no_revision(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    with pytest.raises(ArtifactError, match=r"^'HEAD' is no git revision and no experiment"):
        reader("HEAD", tmp_path)


def test_an_experiment_by_its_whole_name_is_shown_by_its_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(results, "reader", lambda _rev: _missing)
    ref = "refs/exps/1f/2e3d/ci-small"
    assert Revision.of(ref) == Revision("ci-small", _missing, ref)
    asked: list[str] = []

    def read(rev: str) -> dict[str, FusionPredictions]:
        asked.append(rev)
        return _fusions(add=_parts(0.1))

    monkeypatch.setattr(against, "read_fusions", read)
    monkeypatch.setattr(against, "stale_predictions", lambda _read: Stale())
    after = replace(_revision("ci-small"), rev=ref)
    assert "No prediction changed" in _said([*against_sections(_revision("main"), after)])
    assert asked == ["main", ref]


def test_a_small_run_that_did_not_finish_is_a_sentence(
    findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"main", "change"}

    def of(name: str) -> Revision:
        if name not in there:
            raise ArtifactError(f"'{name}' is no git revision and no experiment")
        return _revision(name)

    same = _fusions(add=_parts(0.1))
    monkeypatch.setattr(Revision, "of", of)
    monkeypatch.setattr(View, "of", lambda revision: View(revision, findings))
    monkeypatch.setattr(against, "read_fusions", lambda _rev: same)
    monkeypatch.setattr(against, "stale_predictions", lambda _read: Stale())
    small = whole.Small("small-base", "small")
    text = whole.comment("main", "change", small)
    assert "It did not finish; its log says why." in text
    there.add("small")
    text = whole.comment("main", "change", small)
    assert "That of <code>main</code> did not finish, so nothing is compared." in text
    assert "It did not finish" not in text
    there.add("small-base")
    text = whole.comment("main", "change", small)
    assert "did not finish" not in text
    assert "### Against <code>small-base</code>" in text
    assert "A small run" not in whole.comment("main", "change")
    with pytest.raises(ArtifactError, match=r"^'nowhere' is no git revision"):
        whole.comment("nowhere", "change")
    with pytest.raises(ArtifactError, match=r"^'nowhere' is no git revision"):
        whole.comment("main", "nowhere")
