"""Section `synthesize` of params.yaml: the task, how hard it is, and how many samples."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from fusebench.config import Section, shown
from fusebench.synthetic.difficulty import FARTHEST, NEAREST, Difficulty
from fusebench.synthetic.task import TASKS, Task, task_of

_MOST = 9999


def _numbers(counts: object) -> object:
    """Refuse what is no number of samples for each class, in one line for the whole mapping."""
    numbers = counts.values() if isinstance(counts, Mapping) else [None]
    if counts != "auto" and not all(type(n) is int and 1 <= n <= _MOST for n in numbers):
        raise ValueError(
            f"{shown(counts)}: must be auto, or a whole number of 1 to {_MOST} for each class"
        )
    return counts


Counts = Annotated[Literal["auto"] | Mapping[str, int], BeforeValidator(_numbers)]


class SynthesizeParams(Section):
    """The whole section."""

    task: str
    counts: Counts
    difficulty: Difficulty
    seed: int = Field(ge=0)

    @field_validator("task")
    @classmethod
    def _known(cls, name: str) -> str:
        return TASKS.checked(name)

    @model_validator(mode="after")
    def _counts_of_its_classes(self) -> Self:
        classes = self.of_task.classes
        if self.counts != "auto" and set(self.counts) != set(classes):
            raise ValueError(
                f"counts = {shown(dict(self.counts))}: task '{self.task}' has the classes "
                f"{' and '.join(classes)}; must be auto, or a number for each of them"
            )
        return self

    @model_validator(mode="after")
    def _room_for_the_gaps(self) -> Self:
        gap, objects = self.difficulty.gap, self.difficulty.objects
        most = (FARTHEST - NEAREST) / (objects - 1)
        if self.task == "nearest" and gap >= most:
            raise ValueError(
                f"difficulty.gap = {gap:g}: must be less than {most:g} with {objects} objects, "
                f"{NEAREST:g} to {FARTHEST:g} m away"
            )
        return self

    @property
    def of_task(self) -> Task:
        """The task that `task` names."""
        return task_of(self.task)

    def class_counts(self) -> dict[str, int]:
        """Return how many samples of each class there are, in the order of the labels."""
        task = self.of_task
        if self.counts == "auto":
            return dict(zip(task.classes, task.counts, strict=True))
        return {name: self.counts[name] for name in task.classes}
