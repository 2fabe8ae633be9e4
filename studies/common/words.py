"""What the pages of studies say alike."""

from collections.abc import Collection, Iterator, Sequence

from fusebench.report.recommendation import listed


def not_run(planned: Sequence[str], done: Collection[str], what: str) -> Iterator[str]:
    """Say what of a plan was not run; nothing where all was.

    Parameters
    ----------
    planned, done : collection of str
        Names of units.
    what : str
        What they are, in the plural.
    """
    left = [name for name in planned if name not in done]
    if left:
        were = "was" if len(left) == 1 else "were"
        yield f"Of {len(planned)} planned {what} {listed(left)} {were} not run."
