"""What every format of exported models is: how a graph is written, and how the file is run again.

Without torch, so that an unknown format is refused at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fusebench.errors import ParamsError
from fusebench.registry import Registry

if TYPE_CHECKING:
    from fusebench.export.graph import Graph

FORMATS = Registry("export/formats", "format")

Arrays = Mapping[str, npt.NDArray[Any]]
"""What is given to an exported model, by the names of its inputs."""
Run = Callable[[Arrays], npt.NDArray[np.float32]]
"""Returns the probabilities, (b, k), for b samples."""


class Format(ABC):
    """A format of exported models.

    Attributes
    ----------
    file : str
        Name of the file.
    library : str
        What reads it, as model cards name it.
    packages : tuple of str
        What writing and checking takes beside torch.
    usage : str
        Lines of Python that run the file; "{inputs}" stands for the names of its inputs.
    remark : str
        What is to be known of the file, a sentence or two; "{name}" stands for a version, or for
        what `requires` has.
    """

    file: ClassVar[str]
    library: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    usage: ClassVar[str]
    remark: ClassVar[str]

    @abstractmethod
    def write(self, graph: "Graph", path: Path) -> None:
        """Write a graph; its inputs take any number of samples. More files may be beside `path`."""

    @abstractmethod
    def open(self, path: Path, threads: int) -> Run:
        """Return what runs the file on the CPU."""

    def requires(self, path: Path) -> dict[str, Any]:  # noqa: ARG002  (of some formats nothing)
        """Return what a written file takes of whoever runs it, by name."""
        return {}

    @classmethod
    def check_installed(cls, name: str) -> None:
        """Raise ParamsError where a package is missing that a format takes."""
        missing = [package for package in cls.packages if find_spec(package) is None]
        if missing:
            raise ParamsError(
                f"format '{name}' needs {', '.join(missing)}, not installed here; 'make "
                "setup-extras' installs what is needed"
            )

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the packages."""
        return {package: version(package) for package in cls.packages}


def load_format(name: str) -> Format:
    """Return the format that export/formats/<name>.py holds.

    Raises
    ------
    ParamsError
        There is no such file, or a package is missing.
    """
    kind: type[Format] = FORMATS.load(name, Format)
    kind.check_installed(name)
    return kind()
