"""The search of one fusion: which values are tried next, given what came of those before.

Suggestions are a pure function of the space, the default, the sampler's seed and the outcomes so
far. So a search that was interrupted is replayed, and goes on as if it had not been.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from studies.tuning.plan import SAMPLER_SEED, STARTUP, Choice, Outcome, Space
from studies.tuning.trials import Trial


def declared_sampler() -> dict[str, Any]:
    """Return what decides the suggestions, as metrics/tuning/tuning.json has it."""
    return {
        "name": TPESampler.__name__, "seed": SAMPLER_SEED, "startup_trials": STARTUP,
        "optuna": version("optuna"),
    }  # fmt: skip


class Search:
    """Suggests values; the first are the default.

    Until `STARTUP` outcomes are known, suggestions are random, and the same for every fusion; then
    the tree-structured Parzen estimator (Bergstra et al. 2011) makes them.
    """

    def __init__(self, space: Space, default: Choice) -> None:
        # What it says of each trial is said here in other words.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        sampler = TPESampler(seed=SAMPLER_SEED, n_startup_trials=STARTUP)
        self._study = optuna.create_study(sampler=sampler)
        self._study.enqueue_trial(default._asdict())
        self._asked: optuna.Trial | None = None

    def suggest(self) -> Choice:
        """Return the values to be tried next; `tell` comes before the next call."""
        self._asked = trial = self._study.ask()
        lr = trial.suggest_float("lr", *self._space.lr, log=True)
        schedule = str(trial.suggest_categorical("schedule", self._space.schedules))
        epochs = int(trial.suggest_categorical("epochs", self._space.epochs))
        # Three digits: more decide nothing, and these can be typed. The default stays as it is.
        return Choice(lr if trial.number == 0 else float(f"{lr:.3g}"), schedule, epochs)

    def tell(self, outcome: Outcome) -> None:
        """Take what came of the values that were suggested last."""
        assert self._asked is not None  # noqa: S101
        if math.isnan(outcome.val_nll):
            self._study.tell(self._asked, state=TrialState.FAIL)
        else:
            self._study.tell(self._asked, outcome.val_nll)


def replay(space: Space, default: Choice, kept: Sequence[Trial]) -> tuple[Search, list[Trial]]:
    """Return a search that knows kept trials, and those that it would have made itself.

    Parameters
    ----------
    kept : sequence of Trial
        Of one fusion, in their order. The first that this search would not have made, and all after
        it, are left out.
    """
    known: list[Trial] = []
    for trial in kept:
        search = _told(space, default, known)
        if search.suggest() != trial.choice:
            break
        known.append(trial)
    return _told(space, default, known), known


def _told(space: Space, default: Choice, trials: Sequence[Trial]) -> Search:
    search = Search(space, default)
    for trial in trials:
        search.suggest()
        search.tell(trial.outcome)
    return search
