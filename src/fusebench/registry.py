"""What is added by a file of its own: a folder of modules, each of which holds one class.

Names are read from the folder, without importing what is in it.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fusebench.errors import ParamsError

_NAME = re.compile("[a-z][a-z0-9_]*")
_LIBRARY = Path(__file__).parent


@dataclass(frozen=True)
class Registry:
    """A folder of the library in which each file is one kind of something.

    Attributes
    ----------
    folder : str
        Its path below the library, with slashes.
    word : str
        What a file holds, for messages.
    taken : collection of str
        Names that no file may have, since they stand for something else.
    none : str, optional
        The word in params for none of them; no file may have it either.
    """

    folder: str
    word: str
    taken: Collection[str] = ()
    none: str | None = None

    def names(self) -> list[str]:
        """Return the names of all files, sorted.

        Raises
        ------
        ParamsError
            A file has a name that is none: some are put into command lines.
        """
        files = (_LIBRARY / self.folder).glob("*.py")
        found = sorted(path.stem for path in files if not path.name.startswith(("_", ".")))
        taken = [*self.taken, *self._words]
        for name in found:
            if not _NAME.fullmatch(name):
                raise ParamsError(
                    f"src/fusebench/{self.folder}: {f'{name}.py'!r} must be named by small "
                    "letters, digits and '_', a letter first"
                )
            if name in taken:
                raise ParamsError(
                    f"src/fusebench/{self.folder}/{name}.py: must have another name than "
                    f"{', '.join(taken)}, which stand for something else"
                )
        return found

    @property
    def _words(self) -> list[str]:
        return [] if self.none is None else [self.none]

    def checked(self, name: str) -> str:
        """Return a name, or raise ValueError with those allowed: the check of a params field."""
        return self._one_of([*self._words, *self.names()], name)

    def _one_of(self, known: list[str], name: str) -> str:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ValueError(
                f"'{name}' is no {self.word} (did you mean '{nearest[0]}'?); must be one of {known}"
            )
        return name

    def check(self, name: str) -> None:
        """Raise ParamsError, with the names that are allowed, if there is no such file."""
        try:
            self._one_of(self.names(), name)
        except ValueError as error:
            raise ParamsError(str(error)) from None

    def path(self, name: str) -> Path:
        """Return the file of a name."""
        return _LIBRARY / self.folder / f"{self._one_of(self.names(), name)}.py"

    def load(self, name: str, base: type) -> Any:
        """Return the one class of a kind that the file of a name holds.

        Raises
        ------
        ParamsError
            There is no such file, or it does not hold exactly one.
        """
        self.check(name)
        module = import_module(f"fusebench.{self.folder.replace('/', '.')}.{name}")
        found: list[Any] = [
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, base)
            and item.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise ParamsError(
                f"{self.folder}/{name}.py: holds {len(found)} {self.word}s; must hold one"
            )
        return found[0]
