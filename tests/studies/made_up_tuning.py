"""Made-up trainings and comparisons of the study of tuning, for its tests."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
from tests.report.made_up import BEST, PAIR, best_table, pairs_table

from fusebench.config import PARAMS_FILE
from fusebench.errors import ArtifactError
from fusebench.params import Params
from fusebench.progress import Shows
from fusebench.report.best import BEST as BEST_PATH
from fusebench.report.export import FILES, export
from fusebench.report.findings import Findings
from fusebench.report.pairs import PAIRS
from fusebench.report.results import SOURCES
from fusebench.report.table import TABLE
from studies.common.experiments import Experiment, Read
from studies.tuning.plan import Choice, Outcome, Space, Subject
from studies.tuning.search import declared_sampler, replay
from studies.tuning.trials import Kept, Trial

SPACE = Space.around(2)
DEFAULT = Choice(0.001, "constant", 2)
# The learning rate at which each fusion does best.
TARGETS = {"add": 0.004, "hadamard": 0.0002}


class Trainer:
    """Trains nothing: the nearer the learning rate to a fusion's target, the lower its val NLL.

    Parameters
    ----------
    failing : collection of int
        Which calls are interrupted, counted from 1 over all fusions.
    """

    def __init__(self, failing: Collection[int] = ()) -> None:
        self.asked: list[tuple[str, Choice]] = []
        self.failing = failing
        self.seconds = math.nan
        self.digest = "of these params"

    def subjects(self, params: Params) -> list[Subject]:
        """Return the fusions of params.yaml."""
        defaults = {name: params.effective_train(name) for name in params.fusions}
        return [
            Subject(
                name, Choice(train.lr, train.schedule, train.epochs), self.digest,
                self._train(name), self.seconds,
            )
            for name, train in defaults.items()
        ]  # fmt: skip

    def _train(self, fusion: str) -> Callable[[Choice, Shows], Outcome]:
        def train(choice: Choice, _progress: Shows) -> Outcome:
            self.asked.append((fusion, choice))
            if len(self.asked) in self.failing:
                raise KeyboardInterrupt
            return outcome(fusion, choice)

        return train


def outcome(fusion: str, choice: Choice) -> Outcome:
    """Return what a made-up training comes to; above a learning rate of 0.008 it fails."""
    if choice.lr > 0.008:
        return Outcome(math.nan, 0)
    distance = abs(math.log10(choice.lr / TARGETS.get(fusion, 0.001)))
    return Outcome(0.1 * distance + 0.01 / choice.epochs, choice.epochs)


class Runner:
    """Runs nothing: notes the experiments, and gives the files of a comparison for each."""

    def __init__(self, means: Mapping[str, float], seeds: int = 10) -> None:
        self.ran: list[Experiment] = []
        self.read = reader_of(findings(means, seeds=seeds))

    def __call__(self, experiment: Experiment, of: str) -> Read:
        assert of == "chosen values"
        self.ran.append(experiment)
        return self.read


def findings(
    means: Mapping[str, float],
    shown: Collection[tuple[str, str]] = (),
    good: Collection[str] = (),
    seeds: int = 10,
    margin: float = 2.0,
) -> Findings:
    """Return a comparison of fusions with some means of balanced accuracy.

    Parameters
    ----------
    shown : collection of pairs
        Contrasts that are shown, of those of every two fusions in their order.
    good : collection of str
        Fusions that are as good as the best.
    """
    ordered = sorted(means, key=lambda name: -means[name])
    table = pd.DataFrame([_model(name, mean, seeds) for name, mean in means.items()])
    pairs = [
        PAIR._replace(
            first=first, second=second, difference=means[first] - means[second], seeds=seeds,
            first_mean=means[first], second_mean=means[second],
            holm=0.001 if (first, second) in shown else 0.5,
        )
        for first, second in combinations(means, 2)
    ]  # fmt: skip
    best = [
        BEST._replace(
            fusion=name, mean=means[name], below=1.0 if name in good else 9.0, seeds=seeds,
            margin=margin,
        )
        for name in ordered
    ]  # fmt: skip
    return Findings(table, pairs_table(*pairs), best_table(*best))


def _model(name: str, mean: float, seeds: int) -> dict[str, object]:
    return {
        "Model": name, "Test Balanced Accuracy": mean, "Test Balanced Accuracy Deviation": 1.0,
        "Seeds": seeds, "Samples": "synthetic", "Results": "0123abc",
    }  # fmt: skip


def with_baseline(found: Findings, mean: float) -> Findings:
    """Return a comparison with a threshold beside its fusions."""
    seeds = int(found.table["Seeds"].iloc[0])
    row = pd.DataFrame([_model("threshold", mean, seeds)])
    return Findings(pd.concat([found.table, row]), found.pairs, found.best)


def files_of(found: Findings, params: str | None = None) -> dict[Path, bytes]:
    """Return the files of a comparison, by their paths in the project.

    Parameters
    ----------
    params : str, optional
        The text of its params.yaml; earlier versions kept none.
    """
    tables = {TABLE: found.table, PAIRS: found.pairs, BEST_PATH: found.best}
    files = dict.fromkeys(FILES, b"a picture")
    files |= {path: table.to_csv(index=False).encode() for path, table in tables.items()}
    if params is not None:
        files[PARAMS_FILE] = params.encode()
    return {**files, SOURCES: b"{}\n"}


def reader_of(found: Findings, params: str | None = None) -> Read:
    """Return what reads the files of a comparison; see `files_of`."""
    files = files_of(found, params)

    def read(path: Path) -> bytes:
        if path not in files:
            raise ArtifactError(f"{path}: not in 'tuned'")
        return files[path]

    return read


def write_verdict(
    folder: Path, means: Mapping[str, float], seeds: int = 10, params: str | None = None
) -> None:
    """Write a comparison as show.py export does; see `files_of`."""
    export(reader_of(findings(means, seeds=seeds), params), folder)


def kept_of(fusions: Sequence[str], count: int = 4, space: Space = SPACE) -> Kept:
    """Return what a run with made-up trainings keeps before its experiment."""
    trials: list[Trial] = []
    for fusion in fusions:
        search, _ = replay(space, DEFAULT, [])
        for number in range(count):
            choice = search.suggest()
            result = outcome(fusion, choice)
            search.tell(result)
            trials.append(Trial.of(fusion, number, choice, result))
    about = {
        "trials": count, "sampler": declared_sampler(), "space": space.declared,
        "fusions": {fusion: {} for fusion in fusions}, "commits": {},
    }  # fmt: skip
    return Kept(tuple(trials), about)
