"""The run: trials of each fusion, then one experiment with the chosen values; kept, committed.

Ended at any point and started again it goes on: trials that are kept are told to the sampler, which
then makes the suggestions that it would have made, and finished seeds are kept by the training.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fusebench.aside import replace_outputs
from fusebench.config import PARAMS_FILE, load
from fusebench.files import json_text
from fusebench.params import Params
from fusebench.progress import Progress
from fusebench.report.declared import deciding_in, write_origin
from fusebench.report.export import export, exported
from fusebench.report.settings import CompareParams
from fusebench.stale import stale
from studies.common import repository
from studies.common.errors import StudyError
from studies.common.experiments import NO_STRESS, Experiment, Read, run_experiment
from studies.tuning.page import PAGE, own, write_results
from studies.tuning.plan import SEEDS, TRIALS, Space, Subject
from studies.tuning.search import declared_sampler, replay
from studies.tuning.tables import VERDICT, Results
from studies.tuning.training import subjects_of
from studies.tuning.trials import (
    ABOUT,
    FOLDER,
    OF_EXPERIMENT,
    TRIALS_TABLE,
    Kept,
    Trial,
    read_kept,
    write_kept,
)

NAME = "tuned"
"""What DVC calls the experiment."""


@dataclass(frozen=True)
class Tuning:
    """What is run, and how.

    Attributes
    ----------
    trials : int
        Of each fusion, the default among them.
    commits : bool
        Whether what is kept is committed.
    say : callable
        Gets a line for each thing that is done.
    subjects : callable
        Returns what is tuned, by params.yaml.
    runner : callable
        Runs an experiment; returns what reads its files.
    seeds : sequence of int
        With which the chosen values are trained.
    """

    trials: int = TRIALS
    commits: bool = True
    say: Callable[[str], None] = print
    subjects: Callable[[Params], Sequence[Subject]] = subjects_of
    runner: Callable[[Experiment, str], Read] = run_experiment
    seeds: Sequence[int] = SEEDS

    def run(self) -> None:
        """Run what is not kept.

        Raises
        ------
        StudyError
            The checkout is in no state for this, DVC failed, or what is kept is broken.
        ArtifactError
            What is trained on, or the verdict to compare with, is missing or broken.
        """
        self._check()
        params = load(PARAMS_FILE, Params)
        space, subjects = Space.around(params.train.epochs), self.subjects(params)
        space.check(subjects)
        exported(VERDICT)
        before = read_kept()
        kept = self._taken_up(before, space, subjects, params.compare)
        if before.trials:
            # What was declared may be another now, and trials may have gone.
            write_kept(kept)
        self.say(estimate(kept, space, subjects, len(self.seeds)))
        left = kept.count * len(subjects) - len(kept.trials)
        with Progress(params.runtime.progress, max(1, left)) as progress:
            for subject in subjects:
                kept = self._search(kept, space, subject, progress)
        if kept.experiment is None or kept.experiment.get("seeds") != list(self.seeds):
            self._train_chosen(kept)
        self._show("Tuning: what is kept, shown anew")
        self.say(f"{FOLDER}/ and {PAGE.path} hold what came of it")

    def show(self) -> None:
        """Make all that follows from what is kept, and commit it; run nothing."""
        self._check()
        self._show("Tuning: what is kept, shown anew")

    def _check(self) -> None:
        repository.check_ready()
        if self.commits:
            repository.check_committed(own())

    def _taken_up(
        self, before: Kept, space: Space, subjects: Sequence[Subject], compare: CompareParams
    ) -> Kept:
        """Return the kept trials that this run would have made itself; say which are not."""
        about = self._declared(space, subjects, compare)
        trials: list[Trial] = []
        for subject in subjects:
            found = before.of(subject.fusion)
            alike = _of_same_params(before.about, about, subject)
            sound = replay(space, subject.default, found)[1] if alike else []
            if len(sound) < len(found):
                self.say(
                    f"{FOLDER / TRIALS_TABLE}: {len(found) - len(sound)} trials of "
                    f"{subject.fusion}: of other params, precision, samples or sampler; not used "
                    "again"
                )
            trials += sound[: self.trials]
            # A commit that made some of them, and is gone with them, would say nothing of the rest.
            about["commits"][subject.fusion] = _commits(before, subject.fusion) if sound else []
        for fusion in before.fusions:
            if fusion not in about["fusions"]:
                self.say(f"{FOLDER / TRIALS_TABLE}: {fusion}: not in fusions; its trials go")
        if "experiment" in before.about:
            about["experiment"] = before.about["experiment"]
        return Kept(tuple(trials), about)

    def _declared(
        self, space: Space, subjects: Sequence[Subject], compare: CompareParams
    ) -> dict[str, Any]:
        return {
            "declared": deciding_in(Path()),
            "compare": json.loads(compare.model_dump_json()),
            "trials": self.trials,
            "sampler": declared_sampler(),
            "space": space.declared,
            "fusions": {
                subject.fusion: {"default": subject.default._asdict(), "params": subject.digest}
                for subject in subjects
            },
            "commits": {},
        }

    def _search(self, kept: Kept, space: Space, subject: Subject, progress: Progress) -> Kept:
        """Run the trials of a fusion that are not kept; write each as it is done."""
        search, known = replay(space, subject.default, kept.of(subject.fusion))
        if len(known) == self.trials:
            return kept
        kept = _by_commit(kept, subject.fusion, repository.head(own()))
        for number in range(len(known), self.trials):
            choice = search.suggest()
            outcome = subject.train(choice, progress)
            search.tell(outcome)
            kept = _with(kept, Trial.of(subject.fusion, number, choice, outcome))
            write_kept(kept)
            result = "failed" if math.isnan(outcome.val_nll) else f"val NLL {outcome.val_nll:.4f}"
            progress.note(
                f"{subject.fusion} trial {number + 1} of {self.trials}: {choice.words}: {result}"
            )
        self._show(f"Tuning: trials of {subject.fusion}")
        return kept

    def _train_chosen(self, kept: Kept) -> None:
        """Train the chosen values with all seeds as an experiment, and keep its comparison."""
        for fusion in kept.fusions:
            self.say(f"{fusion}: chosen: {kept.chosen(fusion).choice.words}")
        overrides = kept.overrides
        seeds = f"train.seeds=[{','.join(map(str, self.seeds))}]"
        commit = repository.head(own())
        read = self.runner(Experiment(NAME, [seeds, NO_STRESS, *overrides]), "chosen values")
        if state := stale(read):
            raise StudyError(f"experiment {NAME}: {' '.join(state.lines())}")
        experiment = {
            "name": NAME, "seeds": list(self.seeds), "overrides": overrides, "commit": commit,
            **{key: kept.about[key] for key in OF_EXPERIMENT},
        }  # fmt: skip
        keep_comparison(read, replace(kept, about={**kept.about, "experiment": experiment}))
        self._show("Tuning: all seeds with the chosen values")

    def _show(self, message: str) -> None:
        kept = read_kept()
        write_results(Results.read(kept))
        write_origin(FOLDER, kept.about.get("declared", {}), kept.commits, kept.fusions, kept.done)
        if self.commits and repository.commit([FOLDER, PAGE.path], message):
            self.say(f"committed: {message}")


def _of_same_params(before: Mapping[str, Any], now: Mapping[str, Any], subject: Subject) -> bool:
    """Tell whether kept trials of a fusion were declared as those of this run."""
    alike = all(before.get(key) == now[key] for key in ("sampler", "space"))
    return alike and before.get("fusions", {}).get(subject.fusion) == now["fusions"][subject.fusion]


def _commits(kept: Kept, fusion: str) -> list[str]:
    """Return the commits that made the kept trials of a fusion."""
    return list(kept.about.get("commits", {}).get(fusion, []))


def _by_commit(kept: Kept, fusion: str, commit: str) -> Kept:
    """Return what is kept with a commit that makes trials of a fusion from now on."""
    commits = list(dict.fromkeys([*_commits(kept, fusion), commit]))
    return replace(
        kept, about={**kept.about, "commits": {**kept.about["commits"], fusion: commits}}
    )


def _with(kept: Kept, trial: Trial) -> Kept:
    """Return what is kept with one more trial, those of a fusion together."""
    rows = [*kept.trials, trial]
    order = {fusion: place for place, fusion in enumerate(kept.fusions)}
    return replace(kept, trials=tuple(sorted(rows, key=lambda row: (order[row.fusion], row.trial))))


def keep_comparison(read: Read, kept: Kept) -> None:
    """Write tables, pictures and verdict of an experiment beside its trials, all or none."""
    with TemporaryDirectory() as folder:
        export(read, Path(folder) / NAME)
        made = sorted((Path(folder) / NAME).iterdir())
        files = [FOLDER / ABOUT, *(FOLDER / path.name for path in made)]
        with replace_outputs(files=files) as (about, *asides):
            about.write_text(json_text(kept.about), "utf-8", newline="\n")
            for path, aside in zip(made, asides, strict=True):
                shutil.copyfile(path, aside)


def estimate(kept: Kept, space: Space, subjects: Sequence[Subject], seeds: int) -> str:
    """Return about how long trials and the experiment take, by the times of the last run."""
    trials = {one.fusion: kept.count - len(kept.of(one.fusion)) for one in subjects}
    said = f"{sum(trials.values())} trials to run, {len(kept.trials)} kept"
    minutes = (
        list(_minutes(subjects, trials, sum(space.epochs) / len(space.epochs))),
        # Which values are chosen is not known yet; a machine may be slower than it was, too.
        list(_minutes(subjects, dict.fromkeys(trials, seeds), max(space.epochs))),
    )
    if any(math.isnan(one) for side in minutes for one in side):
        return f"{said}; how long that takes is not known before 'dvc repro' was run here"
    first, second = (sum(side) for side in minutes)
    return (
        f"{said}: about {first:.0f} minutes, then {seeds} seeds of each fusion: about "
        f"{second:.0f} where most epochs are chosen, by the times in metrics/training"
    )


def _minutes(
    subjects: Sequence[Subject], counts: Mapping[str, int], epochs: float
) -> Iterator[float]:
    for subject in subjects:
        yield subject.seconds * epochs * counts[subject.fusion] / 60
