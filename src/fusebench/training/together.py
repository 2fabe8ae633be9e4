"""The seeds of a fusion trained in one pass, as stage train does it: kept, shown, measured."""

from contextlib import ExitStack

from fusebench.device import peak_memory
from fusebench.progress import Shows
from fusebench.training import stacked
from fusebench.training.kept import KeptSeed, KeptSeeds
from fusebench.training.loop import Progressed
from fusebench.training.recipe import Training
from fusebench.training.stacked import StackedState
from fusebench.training.stored import FinishedSeed


def train_together(training: Training, progress: Shows, kept: KeptSeeds) -> dict[int, FinishedSeed]:
    """Train the seeds of a fusion in one pass; return what came of each.

    What was kept is taken if it was kept of every seed, else all are trained. States in between are
    not kept: a run that was killed begins anew. The peak of memory is that of all seeds together.

    Parameters
    ----------
    training : Training
        Its `together` holds the seeds.

    Raises
    ------
    TrainingError
        A loss is no longer a number.
    """
    seeds = training.together or []
    with ExitStack() as stack:
        held = {
            seed: stack.enter_context(kept.hold(training.key(seed), training.label(seed)))
            for seed in seeds
        }
        finished = {seed: of_seed.finished() for seed, of_seed in held.items()}
        known = {seed: of_seed for seed, of_seed in finished.items() if of_seed is not None}
        if len(known) == len(seeds):
            for seed, of_seed in known.items():
                progress.kept_seed(training.label(seed), training.recipe.train.epochs, of_seed.best)
            return known
        return _train(training, held, progress)


def _train(
    training: Training, held: dict[int, KeptSeed], progress: Shows
) -> dict[int, FinishedSeed]:
    tasks = [training.task(seed, len(held)) for seed in held]
    epochs = training.recipe.train.epochs
    samples = sum(len(task.train) + len(task.val) for task in tasks)

    def rate(of_seed: Progressed) -> float:
        return samples / (len(tasks) * of_seed.seconds[-1])

    def end_epoch(state: StackedState) -> None:
        for seed, of_seed in zip(held, state.seeds, strict=True):
            progress.epoch(training.label(seed), epochs, rate(of_seed), of_seed.records[-1])

    state = stacked.fit(tasks, stacked.start(tasks), end_epoch)
    memory = peak_memory(training.device)
    made: dict[int, FinishedSeed] = {}
    for (seed, of_seed), came in zip(held.items(), state.seeds, strict=True):
        made[seed] = FinishedSeed(
            came.best_weights, came.best_epoch, came.records, came.seconds, memory
        )
        of_seed.finish(made[seed])
        progress.seed(training.label(seed), epochs, rate(came), made[seed].best)
    return made
