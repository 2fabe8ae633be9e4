"""A comment from its sections: as much as a host takes, and what is left out is said."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusebench.errors import ParamsError

MARKER = "<!-- fusebench comment -->"
"""The first line, which no reader sees: the next run finds its own comment by it."""
LIMIT, FEWEST = 65_536, 2_000
"""Characters that GitHub takes in a comment (GitLab: 1,000,000), and the fewest allowed here."""


@dataclass(frozen=True)
class Section:
    """A piece of a comment.

    Attributes
    ----------
    name : str
        What it is called where it is left out: plain words, which need no escape.
    body : str
        Markdown.
    folded : bool
        Whether it is shown only after a click on its name.
    """

    name: str
    body: str
    folded: bool = False


def fitted(sections: Sequence[Section], limit: int = LIMIT) -> str:
    """Return the comment in at most `limit` characters: the longest sections are left out.

    Those that are folded go first. Each that is left out is named in its place.

    Raises
    ------
    ParamsError
        `limit` is below `FEWEST`, or there are so many sections that their names alone are longer.
    """
    if limit < FEWEST:
        raise ParamsError(f"--limit = {limit}: must be {FEWEST} or more")
    parts = [_shown(section) for section in sections]
    words = [_left_out(section, limit) for section in sections]
    rest = {number for number, part in enumerate(parts) if len(part) > len(words[number])}
    while len(comment := _joined(parts)) > limit:
        if not rest:
            raise ParamsError(f"--limit = {limit}: too few for what must be said")
        longest = max(rest, key=lambda number: (sections[number].folded, len(parts[number])))
        parts[longest] = words[longest]
        rest.remove(longest)
    return comment


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join([MARKER, *filter(None, parts)]) + "\n"


def _shown(section: Section) -> str:
    if not section.folded or not section.body:
        return section.body
    return f"<details><summary>{section.name}</summary>\n\n{section.body}\n\n</details>"


def _left_out(section: Section, limit: int) -> str:
    return f"*Left out: {section.name}; with it, this would be longer than {limit:,} characters.*"
