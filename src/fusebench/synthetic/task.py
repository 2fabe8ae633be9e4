"""The contract of a task: two classes, and what each sensor sees of a sample of either.

A task is a file in tasks/. What a sensor can tell of the class is known by construction, in words
of Liang et al., "Quantifying & modeling multimodal interactions: an information decomposition
framework", NeurIPS 2023.

Shape suffixes: n samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from fusebench.registry import Registry
from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.render import Scenes, Shape

Interaction = Literal["redundant", "unique to RGB", "unique to LiDAR", "synergistic"]
TASKS = Registry("synthetic/tasks", "task")


@dataclass(frozen=True)
class Objects:
    """One object of each of n samples, all of one shape."""

    shape: Shape
    scenes: Scenes


@dataclass(frozen=True)
class Views:
    """What each sensor sees of some samples. Objects of a sensor never cover one another."""

    camera: tuple[Objects, ...]
    lidar: tuple[Objects, ...]


class Task(ABC):
    """A question about a pair, with two answers.

    Samples of one id in both classes are twins: equal in all that does not make the class. A sensor
    that cannot tell the class alone sees the same in both, or what is drawn alike in both.

    Attributes
    ----------
    classes : (str, str)
        Folders of the archive, in the order of the labels.
    positive : str
        One of them.
    interaction : str
        Where the class can be known from: either sensor (redundant), one of them, or only both
        together (synergistic).
    ceilings : mapping of str to float
        The highest balanced accuracy, in %, that can be reached from "rgb" or "lidar" alone, where
        the difficulty has no noise.
    counts : (int, int)
        Samples of each class where `synthesize.counts` is auto.
    """

    classes: ClassVar[tuple[str, str]]
    positive: ClassVar[str]
    interaction: ClassVar[Interaction]
    ceilings: ClassVar[Mapping[str, float]]
    counts: ClassVar[tuple[int, int]] = (5000, 5000)

    @abstractmethod
    def views(
        self, seed: int, ids: Sequence[int], class_name: str, difficulty: Difficulty
    ) -> Views:
        """Return what is seen of samples of a class, each a pure function of seed, id and class."""


def task_of(name: str) -> Task:
    """Return the task that tasks/<name>.py holds; raise ParamsError if there is none."""
    made: Task = TASKS.load(name, Task)()
    return made
