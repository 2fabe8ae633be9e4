"""Markdown for a comment on GitHub or GitLab: names that anybody may choose are shown, not obeyed.

A name of a branch, a fusion or a class may hold what Markdown or HTML reads as its own, or what a
host turns into a call of a person, of an issue or of another project.
"""

import re
from collections.abc import Sequence

from fusebench.errors import one_line

# Neither host finds a call where it stands; it has no width.
BREAK = "\u200b"
# A sentence may be long; a name is not.
_LONGEST, _LONGEST_NAME = 10_000, 200
# What Markdown reads, and HTML, which Markdown passes on.
_OWN = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
# Before a word: people, issues, merge requests, labels and so on; addresses become links, words
# between colons pictures. An underscore may be escaped by now.
_CALLS = re.compile(
    r"([@#!~%&$^])(?=\\?[\w\"])|\b(GH-)(?=\d)|(:)(?=//|[\w+\\-]+:)|\b(www)(?=\.)", re.IGNORECASE
)
# What may be a commit becomes a link to it, but not in code, which can be copied as it is.
_COMMIT = re.compile(r"(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])", re.IGNORECASE | re.ASCII)
# What begins an item of a list, or underlines a heading, where it stands first.
_FIRST = re.compile(r"^(\d{0,9})([-+=.)])")
_PLAIN = re.compile(r"[A-Za-z0-9 /-]")


def text(words: object) -> str:
    """Return words on one line as Markdown shows them; what is known to call or link is broken.

    A break without width stands in what hosts would take for a call, a link or a picture; what
    they may take for a commit is code.
    """
    escaped = _OWN.sub(r"\\\1", one_line(str(words), _LONGEST).lstrip())
    escaped = _FIRST.sub(r"\1\\\2", escaped)
    broken = _CALLS.sub(lambda found: f"{found[0]}{BREAK}", escaped)
    return _COMMIT.sub(lambda found: code(found[0]), broken)


def code(name: object) -> str:
    """Return a name as code, where hosts find no call; each odd letter is written by its number."""
    letters = (
        letter if _PLAIN.fullmatch(letter) else f"&#{ord(letter)};"
        for letter in one_line(str(name), _LONGEST_NAME)
    )
    return f"<code>{''.join(letters)}</code>"


def block(lines: str) -> str:
    """Return lines as they are, in a block of code whose fence is in none of them."""
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"


def items(sentences: Sequence[str]) -> str:
    """Return sentences, which are escaped here, as a list."""
    return "\n".join(f"- {text(sentence)}" for sentence in sentences)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Return a table of Markdown cells.

    Parameters
    ----------
    align : str
        "l" or "r" per column.
    """
    rule = ["--:" if side == "r" else ":--" for side in align]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
