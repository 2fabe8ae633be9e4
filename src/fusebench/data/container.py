"""What samples lie in, a zip or a folder: named members, read in bounded memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from fusebench.data.settings import Limits
from fusebench.errors import ArchiveError


class Container(ABC):
    """Members by their positions, each with a name; see `opened.open_container`.

    Attributes
    ----------
    kind : str
        What it is, for messages.
    rename, again : str
        What to do about a name that cannot be used, and about one that stands twice.
    source : str
        The path, for errors.
    comment : bytes
        What the writer says of it; empty where nothing can be said.
    """

    kind: ClassVar[str]
    rename: ClassVar[str]
    again: ClassVar[str]
    source: str
    comment: bytes = b""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield the names of all members, with slashes, as they are written."""

    @abstractmethod
    def name(self, member: int) -> str:
        """Return the name of a member, as it is written."""

    @abstractmethod
    def check_limits(self, members: npt.NDArray[np.integer]) -> None:
        """Refuse members that would take too much, before one is read.

        Those above `data.limits.member_bytes` do not count: they are never read.

        Raises
        ------
        ArchiveError
            Together they are above `data.limits.total_bytes`, or of a zip `data.limits.ratio`.
        """

    @abstractmethod
    def read(self, member: int) -> bytes:
        """Return a member's content.

        Raises
        ------
        BadMemberError
            It cannot be read: too large, a link, broken.
        """

    @abstractmethod
    def check_unchanged(self) -> None:
        """Refuse what is other than when it was opened.

        Raises
        ------
        ArchiveError
            Size, time of change or inode of a file is another, or it is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""

    def changed(self) -> ArchiveError:
        """Return the error of what changed while it was read."""
        return ArchiveError(
            f"{self.source}: changed while it was read; run again when it is complete"
        )

    def beyond(self, limits: Limits, limit: str, what: str) -> ArchiveError:
        """Return the error of what is above one of the limits."""
        return ArchiveError(
            f"{self.source}: {what}; data.limits.{limit} allows {getattr(limits, limit):,}: raise "
            f"it if you trust the {'archive' if self.kind == 'zip' else self.kind}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
