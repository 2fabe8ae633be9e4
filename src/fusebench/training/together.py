"""The seeds of a fusion trained in one pass, as stage train does it: kept, shown, measured."""

from contextlib import ExitStack

from fusebench.device import peak_memory
from fusebench.progress import Progress
from fusebench.training import stacked
from fusebench.training.kept import KeptSeed, KeptSeeds
from fusebench.training.recipe import Training
from fusebench.training.stacked import StackedState
from fusebench.training.stored import FinishedSeed


def train_together(
    training: Training, progress: Progress, kept: KeptSeeds
) -> dict[int, FinishedSeed]:
    """Train the seeds of a fusion in one pass; return what came of each.

    Nothing comes of any where each is to be trained by itself; if that was not asked for, a line
    says why. What was kept is taken if it was kept of every seed, else all are trained. States in
    between are not kept: a run that was killed begins anew. The peak of memory is that of all seeds
    together.

    Raises
    ------
    TrainingError
        A loss is no longer a number.
    """
    seeds = training.together
    if seeds is None:
        if training.stacked:
            progress.note(
                f"{training.recipe.fusion}: seeds are not trained in one pass: "
                f"{training.against_stacking}"
            )
        return {}
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
    training: Training, held: dict[int, KeptSeed], progress: Progress
) -> dict[int, FinishedSeed]:
    tasks = [training.task(seed) for seed in held]
    epochs = training.recipe.train.epochs
    label = f"{training.recipe.fusion} seeds {', '.join(map(str, held))}"
    samples = sum(len(task.train) + len(task.val) for task in tasks)

    def end_epoch(state: StackedState) -> None:
        # All pieces advance at once.
        progress.update(len(tasks) * state.epoch / epochs, f"{label}: epoch {state.epoch}/{epochs}")

    state = stacked.fit(tasks, stacked.start(tasks), end_epoch)
    memory = peak_memory(training.device)
    made: dict[int, FinishedSeed] = {}
    for (seed, of_seed), came in zip(held.items(), state.seeds, strict=True):
        made[seed] = FinishedSeed(
            came.best_weights, came.best_epoch, came.records, came.seconds, memory
        )
        of_seed.finish(made[seed])
        rate = samples / (len(tasks) * came.seconds[-1])
        progress.seed(training.label(seed), epochs, rate, made[seed].best)
    return made
