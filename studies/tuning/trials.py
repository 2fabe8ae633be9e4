"""Trials as they are kept: metrics/tuning/trials.csv, and what was declared: tuning.json beside it.

No time is in them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.errors import ArtifactError
from fusebench.files import json_text, read_json, read_table
from studies.common.errors import StudyError
from studies.tuning.plan import Choice, Outcome

FOLDER = Path("metrics/tuning")
TRIALS_TABLE, ABOUT = "trials.csv", "tuning.json"
OF_EXPERIMENT = ("fusions", "compare")
"""What of tuning.json the experiment with the chosen values belongs to, beside them: params and
samples of each fusion, and what of their comparison is declared."""


class Trial(NamedTuple):
    """One training of one fusion; a row of metrics/tuning/trials.csv.

    Attributes
    ----------
    trial : int
        From 0, which is the default.
    val_nll, best_epoch
        As of `Outcome`. In all its digits: they decide what is tried next.
    """

    fusion: str
    trial: int
    lr: float
    schedule: str
    epochs: int
    val_nll: float
    best_epoch: int

    @property
    def choice(self) -> Choice:
        """The values that were tried."""
        return Choice(self.lr, self.schedule, self.epochs)

    @property
    def outcome(self) -> Outcome:
        """What came of them."""
        return Outcome(self.val_nll, self.best_epoch)

    @classmethod
    def of(cls, fusion: str, number: int, choice: Choice, outcome: Outcome) -> "Trial":
        """Return the row of a training."""
        return cls(fusion, number, *choice, *outcome)


_KINDS = get_type_hints(Trial)


@dataclass(frozen=True)
class Kept:
    """What is kept of a run, whole or not.

    Attributes
    ----------
    trials : tuple of Trial
        Of each fusion in the order of `about`, each in their order.
    about : mapping
        What was declared, and the experiment with the chosen values if it was run: tuning.json.
    """

    trials: tuple[Trial, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fusions(self) -> list[str]:
        """The fusions that are tuned, in the order of params.yaml."""
        return list(self.about.get("fusions", {}))

    @property
    def count(self) -> int:
        """How many trials each fusion is to have."""
        return int(self.about.get("trials", 0))

    @property
    def is_whole(self) -> bool:
        """Whether each fusion has had its trials."""
        return bool(self.fusions) and all(len(self.of(name)) == self.count for name in self.fusions)

    def of(self, fusion: str) -> list[Trial]:
        """Return the trials of one fusion."""
        return [trial for trial in self.trials if trial.fusion == fusion]

    def chosen(self, fusion: str) -> Trial:
        """Return the trial with the lowest val NLL; the earlier one where they are equal.

        Raises
        ------
        StudyError
            Training failed in all of them.
        """
        trials = [trial for trial in self.of(fusion) if not math.isnan(trial.val_nll)]
        if not trials:
            raise StudyError(f"{fusion}: training failed in every trial; nothing can be chosen")
        return min(trials, key=lambda trial: trial.val_nll)

    @property
    def overrides(self) -> list[str]:
        """The chosen values as settings of params.yaml: what is not as in the default."""
        found = []
        for fusion in self.fusions:
            default, chosen = self.of(fusion)[0].choice, self.chosen(fusion).choice
            found += [
                # Whether params.yaml lists the key or not.
                f"++override.{fusion}.{key}={_shown(value)}"
                for key, value in chosen._asdict().items()
                if value != getattr(default, key)
            ]
        return found

    @property
    def experiment(self) -> Mapping[str, Any] | None:
        """What was run with the chosen values; None: nothing, or something else."""
        experiment: Mapping[str, Any] | None = self.about.get("experiment")
        if not self.is_whole or experiment is None or experiment.get("overrides") != self.overrides:
            return None
        alike = all(experiment.get(key) == self.about.get(key) for key in OF_EXPERIMENT)
        return experiment if alike else None

    @property
    def commits(self) -> list[str]:
        """The commits that made trials, and the experiment."""
        made = [commit for of in self.about.get("commits", {}).values() for commit in of]
        return [*made, *([self.experiment["commit"]] if self.experiment else [])]

    @property
    def done(self) -> list[str]:
        """The fusions that have had their trials."""
        return [name for name in self.fusions if len(self.of(name)) == self.count]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_kept(kept: Kept, folder: Path = FOLDER) -> None:
    """Write both files, or none."""
    with replace_outputs(files=[folder / TRIALS_TABLE, folder / ABOUT]) as (table, about):
        frame_of(kept.trials).to_csv(table, index=False, lineterminator="\n")
        about.write_text(json_text(kept.about), "utf-8", newline="\n")


def frame_of(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return trials as a table."""
    return pd.DataFrame(trials, columns=list(_KINDS)).astype(_KINDS)


def read_kept(folder: Path = FOLDER) -> Kept:
    """Return what is kept; nothing where there are no files.

    Raises
    ------
    StudyError
        A file is broken, or one is of other trials than the other.
    """
    table, about = folder / TRIALS_TABLE, folder / ABOUT
    if not (table.is_file() or about.is_file()):
        return Kept()
    try:
        rows = read_table(table, _KINDS)[list(_KINDS)].itertuples(index=False, name=None)
        kept = Kept(tuple(Trial(*row) for row in rows), read_json(about))
        _check(kept, table, about)
    except ArtifactError as error:
        reason = str(error).partition(";")[0]
        both = f"{table} {about}"
        raise StudyError(f"{reason}; 'git restore {both}', or 'rm {both}': run anew") from None
    return kept


def _check(kept: Kept, table: Path, about: Path) -> None:
    """Raise ArtifactError where the files cannot be of one run."""
    if not isinstance(kept.about.get("fusions"), dict) or not isinstance(
        kept.about.get("trials"), int
    ):
        raise ArtifactError(f"{about}: keys 'trials' and 'fusions' are needed")
    expected = [
        (fusion, number) for fusion in kept.fusions for number in range(len(kept.of(fusion)))
    ]
    if [(trial.fusion, trial.trial) for trial in kept.trials] != expected:
        raise ArtifactError(f"{table}: other trials than {about} tells of, or another order")
    for line, trial in enumerate(kept.trials, start=2):
        lowest, highest = (0, 0) if math.isnan(trial.val_nll) else (1, trial.epochs)
        if not lowest <= trial.best_epoch <= highest:
            raise ArtifactError(
                f"{table}: line {line}: best_epoch = {trial.best_epoch}: must be 1 to "
                f"{trial.epochs}, or 0 where val_nll is empty"
            )
