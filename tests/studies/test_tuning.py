"""The run of the study of tuning: equal budgets, interruptions, and what is kept."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from tests.project import PARAMS, ROOT
from tests.studies.made_up_checkout import (
    SAMPLES,
    WITH_SAMPLES,
    change_samples,
    commits,
    git,
    make_checkout,
)
from tests.studies.made_up_tuning import DEFAULT, Runner, Trainer, write_verdict

from fusebench.errors import ArtifactError
from fusebench.report.declared import deciding_in, read_origin
from fusebench.report.tuning import SUMMARY, TUNING_KINDS, read_tuning, write_tuning
from fusebench.stale import Stale
from studies import tune as script
from studies.common.errors import StudyError
from studies.tuning import run as running
from studies.tuning.page import PAGE, parts_of
from studies.tuning.plan import LR, SCHEDULES, Choice, Outcome
from studies.tuning.run import Tuning
from studies.tuning.tables import VERDICT, Results
from studies.tuning.trials import ABOUT, FOLDER, TRIALS_TABLE, read_kept

MEANS = {"add": 97.0, "hadamard": 82.0}
TURNED = {"add": 90.0, "hadamard": 95.0}
TRIALS = 7
_PAGE, _TABLE = PAGE.path, FOLDER / TRIALS_TABLE


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with params, a verdict and the page, which is the working directory."""
    # What is made up has no dvc.lock that would tell of its state.
    monkeypatch.setattr(running, "stale", lambda _read: Stale())
    write_verdict(tmp_path / VERDICT, MEANS, params=PARAMS)
    files = {
        **WITH_SAMPLES,
        "params.yaml": PARAMS,
        str(_PAGE): (ROOT / _PAGE).read_text("utf-8"),
        str(SUMMARY): ",".join(TUNING_KINDS) + "\n",
    }
    make_checkout(tmp_path, files, monkeypatch)


def _set_params(**sections: dict[str, object]) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    for name, changes in sections.items():
        content[name] |= changes
    Path("params.yaml").write_text(yaml.safe_dump(content), "utf-8")
    git("commit", "--quiet", "--all", "--message", "other params")


def _tuning(
    trainer: Trainer, runner: Runner | None = None, trials: int = TRIALS, *, commits: bool = True
) -> tuple[Tuning, list[str]]:
    lines: list[str] = []
    runner = runner or Runner(TURNED)
    return Tuning(
        trials, say=lines.append, subjects=trainer.subjects, runner=runner, commits=commits
    ), lines


def _run(trainer: Trainer, runner: Runner | None = None, trials: int = TRIALS) -> list[str]:
    tuning, lines = _tuning(trainer, runner, trials)
    tuning.run()
    return lines


def _of(trainer: Trainer, fusion: str) -> list[Choice]:
    return [choice for name, choice in trainer.asked if name == fusion]


# --- Budget and suggestions ---


def test_every_fusion_has_as_many_trials_and_the_first_is_the_default() -> None:
    _set_params(override={"hadamard": {"lr": 0.0003}})
    trainer = Trainer()
    _run(trainer)
    assert [name for name, _ in trainer.asked] == ["add"] * TRIALS + ["hadamard"] * TRIALS
    assert _of(trainer, "add")[0] == DEFAULT
    assert _of(trainer, "hadamard")[0] == DEFAULT._replace(lr=0.0003)
    for _, choice in trainer.asked:
        assert LR[0] <= choice.lr <= LR[1]
        assert choice.schedule in SCHEDULES
        assert choice.epochs in (2, 4)
    assert len(set(_of(trainer, "add"))) > TRIALS / 2


def test_a_fixed_seed_makes_the_same_trials() -> None:
    first, second = Trainer(), Trainer()
    _run(first)
    before = _TABLE.read_bytes()
    _TABLE.unlink()
    (FOLDER / ABOUT).unlink()
    tuning, _ = _tuning(second, commits=False)
    tuning.run()
    assert second.asked == first.asked
    assert _TABLE.read_bytes() == before


def test_what_came_of_trials_decides_the_later_ones_and_not_the_first() -> None:
    trainer = Trainer()
    _run(trainer)
    add, hadamard = _of(trainer, "add"), _of(trainer, "hadamard")
    assert add[:3] == hadamard[:3]
    assert add != hadamard


def test_the_lowest_val_nll_is_chosen_and_a_failed_trial_never() -> None:
    _run(Trainer(), trials=12)
    kept = read_kept()
    assert any(trial.val_nll != trial.val_nll for trial in kept.trials)
    for fusion in kept.fusions:
        known = [trial for trial in kept.of(fusion) if trial.val_nll == trial.val_nll]
        assert kept.chosen(fusion).val_nll == min(trial.val_nll for trial in known)


# --- Interrupted and taken up ---


@pytest.mark.parametrize("call", range(1, 2 * TRIALS + 1, 3))
def test_interrupted_anywhere_and_resumed_it_is_as_straight_through(call: int) -> None:
    straight = Trainer()
    _run(straight)
    expected = [path.read_bytes() for path in (_TABLE, SUMMARY, _PAGE)]
    git("reset", "--quiet", "--hard", git("rev-list", "--max-parents=0", "HEAD"))
    trainer = Trainer(failing=[call])
    with pytest.raises(KeyboardInterrupt):
        _run(trainer)
    # Before the first trial there is nothing to keep.
    assert _TABLE.is_file() is (call > 1)
    assert len(read_kept().trials) == call - 1
    lines = _run(trainer)
    # The one that was interrupted is asked for twice, no other.
    assert trainer.asked == [*straight.asked[:call], *straight.asked[call - 1 :]]
    assert [path.read_bytes() for path in (_TABLE, SUMMARY, _PAGE)] == expected
    assert lines[0].startswith(f"{2 * TRIALS - call + 1} trials to run, {call - 1} kept")


def test_what_is_done_is_not_run_again() -> None:
    _run(Trainer())
    before, trainer, runner = commits(), Trainer(), Runner(MEANS)
    _run(trainer, runner)
    assert trainer.asked == []
    assert runner.ran == []
    assert commits() == before


def test_more_trials_go_on_from_the_kept_ones_and_fewer_leave_some_out() -> None:
    fewer, more = Trainer(), Trainer()
    _run(fewer)
    _run(more, trials=TRIALS + 2)
    assert len(_of(more, "add")) == 2
    assert {len(read_kept().of(name)) for name in MEANS} == {TRIALS + 2}
    _run(Trainer(failing=[1]))
    assert read_kept().is_whole
    assert [trial.choice for trial in read_kept().of("add")] == _of(fewer, "add")
    assert {row.trials for row in read_tuning()} == {TRIALS}


# --- What is not used again, and what is refused ---


def _is_said(lines: Sequence[str], count: int, fusion: str) -> bool:
    words = "of other params, precision, samples or sampler; not used again"
    return f"{_TABLE}: {count} trials of {fusion}: {words}" in lines


def test_trials_of_other_params_are_not_used_again_and_that_is_said() -> None:
    _run(Trainer())
    other = Trainer()
    other.digest = "of others"
    runner = Runner(TURNED)
    lines = _run(other, runner)
    assert len(other.asked) == 2 * TRIALS
    # The chosen values are the same, and what they come to need not be.
    assert len(runner.ran) == 1
    assert all(_is_said(lines, TRIALS, fusion) for fusion in MEANS)


def test_another_default_or_space_makes_trials_anew() -> None:
    _run(Trainer())
    _set_params(override={"hadamard": {"lr": 0.0003}})
    trainer = Trainer()
    lines = _run(trainer)
    assert {name for name, _ in trainer.asked} == {"hadamard"}
    assert _is_said(lines, TRIALS, "hadamard")
    _set_params(train={"epochs": 3})
    trainer = Trainer()
    _run(trainer)
    assert len(trainer.asked) == 2 * TRIALS


@pytest.mark.parametrize("key", ["sampler", "space"])
def test_trials_of_another_sampler_or_space_are_not_used_again(key: str) -> None:
    _run(Trainer())
    about = json.loads((FOLDER / ABOUT).read_text("utf-8"))
    about[key] |= {"optuna": "4.0.0"} if key == "sampler" else {"lr": [0.1, 0.2]}
    (FOLDER / ABOUT).write_text(json.dumps(about), "utf-8")
    trainer = Trainer()
    lines = _run(trainer)
    assert len(trainer.asked) == 2 * TRIALS
    assert _is_said(lines, TRIALS, "add")


def test_a_trial_that_the_search_would_not_have_made_goes_with_those_after_it() -> None:
    _run(Trainer())
    lines = _TABLE.read_text("utf-8").splitlines()
    lines[3] = lines[3].replace(lines[3].split(",")[2], "0.00777")
    _TABLE.write_text("\n".join(lines) + "\n", "utf-8")
    trainer = Trainer()
    said = _run(trainer)
    assert _of(trainer, "hadamard") == []
    assert len(_of(trainer, "add")) == TRIALS - 2
    assert _is_said(said, TRIALS - 2, "add")


def test_trials_of_a_fusion_that_is_not_listed_any_more_go() -> None:
    _run(Trainer())
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump({**content, "fusions": ["add"]}), "utf-8")
    git("commit", "--quiet", "--all", "--message", "one fusion")
    trainer = Trainer()
    lines = _run(trainer)
    assert trainer.asked == []
    assert f"{_TABLE}: hadamard: not in fusions; its trials go" in lines
    assert [row.fusion for row in read_tuning()] == ["add"]


@pytest.mark.parametrize("spoil", ["cut", "json", "rows", "epoch", "alone", "keys"])
def test_what_is_kept_and_broken_is_refused_in_one_line_with_a_remedy(spoil: str) -> None:
    _run(Trainer())
    about, text = FOLDER / ABOUT, _TABLE.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    if spoil == "alone":
        _TABLE.unlink()
    elif spoil in ("json", "keys"):
        about.write_text("{" if spoil == "json" else "{}", "utf-8")
    elif spoil == "epoch":
        cells = lines[1].strip().split(",")
        _TABLE.write_text("".join([lines[0], ",".join([*cells[:-1], "9"]), "\n", *lines[2:]]))
    else:
        _TABLE.write_text(text[:-9] if spoil == "cut" else "".join([lines[0], *lines[2:]]), "utf-8")
    with pytest.raises(StudyError) as caught:
        _run(Trainer())
    assert f"'git restore {_TABLE} {about}', or 'rm " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"lr": 0.05}, r"params\.yaml: add: lr = 0\.05: must be 0\.0001 to 0\.01 to be tuned"),
        ({"epochs": 3}, r"add: epochs = 3: must be train\.epochs \(2\) or twice that to be tuned"),
    ],
)
def test_a_default_that_could_not_be_chosen_is_refused(
    override: dict[str, object], words: str
) -> None:
    _set_params(override={"add": override})
    trainer = Trainer()
    with pytest.raises(StudyError, match=words):
        _run(trainer)
    assert trainer.asked == []


def test_without_a_verdict_to_compare_with_nothing_is_run() -> None:
    git("rm", "--quiet", "-r", str(VERDICT))
    git("commit", "--quiet", "--message", "no verdict")
    trainer = Trainer()
    with pytest.raises(ArtifactError, match="'make verdict' writes"):
        _run(trainer)
    assert trainer.asked == []


def test_changes_that_are_not_the_studys_are_refused_before_anything_is_run() -> None:
    Path("params.yaml").write_text(f"{PARAMS}# a word\n", "utf-8")
    trainer = Trainer()
    with pytest.raises(StudyError, match=r"params\.yaml: changed and not committed"):
        _run(trainer)
    assert trainer.asked == []
    tuning, _ = _tuning(trainer, commits=False)
    tuning.run()
    assert read_kept().about["commits"]["add"] == [f"{git('rev-parse', 'HEAD')}-dirty"]
    assert commits() == ["begun"]


# --- The experiment and what is kept of it ---


def test_the_chosen_values_become_overrides_of_one_experiment() -> None:
    runner = Runner(TURNED)
    _run(Trainer(), runner)
    (experiment,) = runner.ran
    assert experiment.name == "tuned"
    assert experiment.targets == ()
    seeds, no_stress, *overrides = experiment.overrides
    assert no_stress == "stress.corruptions=[]"
    assert seeds == "train.seeds=[0,1,2,3,4,5,6,7,8,9]"
    kept = read_kept()
    assert overrides == kept.overrides
    said = dict(override.split("=") for override in overrides)
    for fusion in kept.fusions:
        chosen = kept.chosen(fusion).choice._asdict()
        for key, default in DEFAULT._asdict().items():
            value = said.get(f"++override.{fusion}.{key}")
            assert value == (None if chosen[key] == default else str(chosen[key]))
    assert any(".lr=" in override for override in overrides)


def test_what_came_of_it_is_kept_shown_and_committed() -> None:
    before = git("rev-parse", "HEAD")
    _run(Trainer())
    assert commits() == [
        "begun", "Tuning: trials of add", "Tuning: trials of hadamard",
        "Tuning: all seeds with the chosen values",
    ]  # fmt: skip
    assert not git("status", "--porcelain")
    about = read_kept().about
    assert about["commits"]["add"] == [before]
    assert about["experiment"]["commit"] == git("rev-parse", "HEAD~1")
    for name in ("comparison.csv", "pairs.csv", "best.csv", "verdict.md", "pairs.png"):
        assert (FOLDER / name).is_file()
    rows = {row.fusion: row for row in read_tuning()}
    assert list(rows) == ["add", "hadamard"]
    add = rows["add"]
    assert (add.default_balanced_accuracy, add.tuned_balanced_accuracy) == (97.0, 90.0)
    assert (add.default_rank, add.tuned_rank) == (1, 2)
    assert (add.default_seeds, add.tuned_seeds) == (10, 10)
    assert (add.lr, add.schedule, add.epochs) == read_kept().chosen("add").choice
    text = _PAGE.read_text("utf-8")
    assert "changes: before add, hadamard; after hadamard, add." in text
    assert "| 97.0 (1) " in text
    assert "90.0 (2)" in text


def test_no_time_is_kept() -> None:
    trainer = Trainer()
    trainer.seconds = 12.5
    _run(trainer)
    assert "second" not in (FOLDER / ABOUT).read_text("utf-8")
    assert _TABLE.read_text("utf-8").splitlines()[0] == (
        "fusion,trial,lr,schedule,epochs,val_nll,best_epoch"
    )


def test_what_results_belong_to_is_kept_beside_them() -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(Trainer(failing=[TRIALS + 2]))
    assert (read_origin(FOLDER).done, read_origin(FOLDER).left) == (("add",), ["hadamard"])
    _run(Trainer())
    origin = read_origin(FOLDER)
    assert origin.declared == deciding_in(Path())
    assert origin.planned == origin.done == ("add", "hadamard")
    assert origin.commits == tuple(git("rev-parse", f"HEAD~{back}") for back in (3, 2, 1))
    # What they belong to stays what it was where nothing is run.
    change_samples()
    _tuning(Trainer())[0].show()
    assert read_origin(FOLDER) == origin
    SAMPLES.unlink()
    with pytest.raises(ArtifactError, match=r"dataset\.json: no such file; 'dvc repro extract' m"):
        _run(Trainer())


def test_the_experiment_is_of_the_fusions_that_are_compared() -> None:
    write_verdict(VERDICT, {**MEANS, "concat": 91.0}, params=PARAMS)
    git("commit", "--quiet", "--all", "--message", "a verdict of three")
    _run(Trainer())
    before = read_kept().overrides
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    fusions = [*content["fusions"], "concat"]
    Path("params.yaml").write_text(yaml.safe_dump({**content, "fusions": fusions}), "utf-8")
    git("commit", "--quiet", "--all", "--message", "three fusions")
    trainer, runner = Trainer(), Runner({**TURNED, "concat": 92.0})
    _run(trainer, runner)
    assert {name for name, _ in trainer.asked} == {"concat"}
    # Nothing but the default was chosen for it, so the same is set, and another thing is run.
    assert read_kept().overrides == before
    (experiment,) = runner.ran
    assert list(experiment.overrides[2:]) == before
    assert [row.tuned_balanced_accuracy for row in read_tuning()] == [90.0, 95.0, 92.0]


@pytest.mark.parametrize(
    "change", [{"margin": {"balanced_accuracy": 3.0}}, {"contrasts": ["any/any"]}]
)
def test_the_experiment_is_of_the_comparison_that_is_declared(change: dict[str, object]) -> None:
    _run(Trainer())
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    margin = content["compare"]["margin"] | change.get("margin", {})
    _set_params(compare={**change, "margin": margin})
    trainer, runner = Trainer(), Runner(TURNED)
    _run(trainer, runner)
    assert trainer.asked == []
    assert len(runner.ran) == 1
    _run(trainer, runner)
    assert len(runner.ran) == 1


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        ({}, []),
        ({"train": {"seeds": [0, 1, 2]}, "stress": {"corruptions": []}}, []),
        ({"fusion": "hadamard", "compare": {}, "runtime": {"threads": 2}}, []),
        ({"train": {"lr": 0.002}, "split": {"seed": 1}}, ["split.seed", "train.lr"]),
        ({"override": {"add": {"lr": 0.002}}}, ["override.add"]),
    ],
)
def test_it_is_known_with_what_other_params_the_verdict_was_made(
    changes: dict[str, object], others: list[str]
) -> None:
    content = yaml.safe_load(PARAMS)
    for name, change in changes.items():
        content[name] = content[name] | change if isinstance(change, dict) else change
    write_verdict(VERDICT, MEANS, params=yaml.safe_dump(content))
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "a verdict")
    _run(Trainer())
    found = Results.read(read_kept()).others
    assert found is not None
    assert sorted(found) == others
    assert ("metrics/verdict was made with other params" in _PAGE.read_text("utf-8")) is bool(
        others
    )


def test_a_verdict_that_does_not_tell_its_params_is_said_not_to() -> None:
    write_verdict(VERDICT, MEANS)
    git("commit", "--quiet", "--all", "--message", "a verdict of an earlier version")
    _run(Trainer())
    assert Results.read(read_kept()).others is None
    said = "With which params metrics/verdict was made is not known; make verdict makes it anew."
    assert said in _PAGE.read_text("utf-8")


def test_an_experiment_that_fails_leaves_the_trials_and_is_run_by_the_next_run() -> None:
    def fails(_experiment: object, _of: str) -> object:
        raise StudyError("DVC failed")

    tuning, _ = _tuning(Trainer())
    with pytest.raises(StudyError, match="DVC failed"):
        Tuning(TRIALS, subjects=tuning.subjects, runner=fails, say=str).run()  # type: ignore[arg-type]
    assert read_tuning() == []
    assert "With these values nothing was trained yet" in _PAGE.read_text("utf-8")
    trainer, runner = Trainer(), Runner(TURNED)
    _run(trainer, runner)
    assert trainer.asked == []
    assert len(runner.ran) == 1
    assert len(read_tuning()) == 2


def test_a_stale_experiment_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "stale", lambda _read: Stale(verdict="of other seeds"))
    with pytest.raises(StudyError, match="experiment tuned: "):
        _run(Trainer())
    assert read_tuning() == []
    assert not (FOLDER / "pairs.csv").exists()


def test_other_chosen_values_make_the_kept_comparison_count_no_more() -> None:
    _run(Trainer())
    kept = read_kept()
    assert kept.experiment is not None
    lines = _TABLE.read_text("utf-8").splitlines()
    # The default of the first fusion is now its best.
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:5], "0.0", cells[6]])
    _TABLE.write_text("\n".join(lines) + "\n", "utf-8")
    assert read_kept().experiment is None
    _tuning(Trainer())[0].show()
    assert read_tuning() == []
    assert "With these values nothing was trained yet" in _PAGE.read_text("utf-8")


def test_a_fusion_of_which_every_trial_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.studies.made_up_tuning.outcome", lambda *_: Outcome(float("nan"), 0))
    with pytest.raises(StudyError, match="add: training failed in every trial; nothing can be"):
        _run(Trainer())


# --- Estimate, page and script ---


def test_the_estimate_is_of_what_is_left() -> None:
    trainer = Trainer()
    trainer.seconds = 20.0
    # 20 s × 3 epochs on average × 14 trials, then 20 seeds with 4 epochs.
    assert _run(trainer)[0] == (
        "14 trials to run, 0 kept: about 14 minutes, then 10 seeds of each fusion: about 27 where "
        "most epochs are chosen, by the times in metrics/training"
    )
    assert _run(trainer)[0].startswith("0 trials to run, 14 kept: about 0 minutes")
    trainer = Trainer()
    trainer.digest = "of others"
    assert "not known before 'dvc repro' was run here" in " ".join(_run(trainer))


def test_page_and_summary_of_the_project_show_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    text, results = _PAGE.read_text("utf-8"), Results.read(read_kept())
    assert text == PAGE.filled(text, parts_of(results)), f"{_PAGE}: tune.py --show"
    assert PAGE.unmarked(text) != text
    write_tuning(tmp_path / "summary.csv", results.rows)
    assert SUMMARY.read_bytes() == (tmp_path / "summary.csv").read_bytes()


def test_a_page_without_its_marks_is_refused() -> None:
    _PAGE.write_text("# Page\n", "utf-8")
    git("commit", "--quiet", "--all", "--message", "without")
    with pytest.raises(ArtifactError, match="the marks <!-- tuning --> and"):
        _tuning(Trainer())[0].show()


def test_the_script_takes_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Tuning, "run", lambda self: asked.append((self.trials, self.commits)))
    monkeypatch.setattr(Tuning, "show", lambda _: asked.append("show"))
    for arguments in ([], ["--trials", "3"], ["--no-commit"], ["--show"]):
        monkeypatch.setattr(sys, "argv", ["tune.py", *arguments])
        script.main()
    assert asked == [(8, True), (3, True), (8, False), "show"]
    monkeypatch.setattr(sys, "argv", ["tune.py", "--trials", "1"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "--trials = 1: must be 2 or more" in capsys.readouterr().err
