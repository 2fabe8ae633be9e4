"""A training told while it goes on: what `Shows` is told is passed on, and told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fusebench.progress import EpochFigures, Shows
from fusebench.tracking.group import group_and_tags
from fusebench.tracking.run import Run
from fusebench.tracking.session import Session
from fusebench.tracking.trainings import Trained, ended, epoch_figures

if TYPE_CHECKING:
    from fusebench.training.recipe import Training
    from fusebench.training.train import OutputPaths


class Live:
    """Passes on what is shown of a training, and tells a tracker of each epoch."""

    def __init__(self, shows: Shows, session: Session, runs: Mapping[str, Run]) -> None:
        self._shows, self._session = shows, session
        # By label; those of which something was told.
        self._runs, self._begun = runs, set[str]()

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None:
        """Show it; the first batch begins the run."""
        self._begin(label)
        self._shows.batch(label, epoch, epochs, share)

    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None:
        """Show and tell an epoch."""
        self._shows.epoch(label, epochs, rate, figures)
        self._begin(label)
        with self._session.harmless():
            self._session.tell(self._runs[label].epoch(figures.epoch, epoch_figures(figures)))

    def seed(self, label: str, epochs: int, rate: float, best: EpochFigures) -> None:
        """Show it; what came of the seed is told when its files are in place."""
        self._shows.seed(label, epochs, rate, best)

    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None:
        """Show it; its epochs are told when its files are in place."""
        self._shows.kept_seed(label, epochs, best)

    def note(self, text: str) -> None:
        """Show it."""
        self._shows.note(text)

    def begin_others(self) -> None:
        """Begin the runs that have not begun."""
        for label in self._runs:
            self._begin(label)

    def _begin(self, label: str) -> None:
        if label not in self._begun:
            self._begun.add(label)
            with self._session.harmless():
                self._session.tell(self._runs[label].begin())


@contextmanager
def told(
    session: Session, training: "Training", paths: "OutputPaths", shows: Shows
) -> Iterator[Shows]:
    """Yield what is to be told of a training; when that has ended, its results are told, too.

    Parameters
    ----------
    shows : Shows
        What is told goes on to it; without a tracker it is yielded itself.
    """
    runs: dict[int, Run] = {}
    if session.wanted:
        with session.harmless():
            group, tags = group_and_tags()
            of = Trained.of(training)
            runs = {seed: of.run(seed, group, tags) for seed in of.seeds}
    if not runs:
        yield shows
        return
    live = Live(shows, session, {training.label(seed): run for seed, run in runs.items()})
    yield live
    live.begin_others()
    with session.harmless():
        for event in ended(runs, paths):
            session.tell(event)
