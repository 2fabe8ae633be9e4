"""The scripts that draw charts: taken, with their licence, from the page of `dvc plots`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fusebench.errors import ArtifactError

PLOTS_PAGE = Path(".dvc/plots/page.html")
LIBRARIES = ("vega", "vega-lite", "vega-embed")
_REMEDY = f"'git restore {PLOTS_PAGE}' mends it"
_BLOCK = re.compile(r"<script>(/\* ([a-z-]+) [0-9.]+ \*/\n.*?)</script>", re.DOTALL)
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)


class Scripts(NamedTuple):
    """What draws charts.

    Attributes
    ----------
    licence : str
        Names the libraries, their versions and the terms.
    sources : sequence of str
        The text of each library, in the order in which they need each other.
    """

    licence: str
    sources: Sequence[str]


def read_scripts(root: Path) -> Scripts:
    """Return the scripts and the licence of <root>/.dvc/plots/page.html.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or lacks a library or the licence.
    """
    path = root / PLOTS_PAGE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ArtifactError(f"{PLOTS_PAGE}: no such file; {_REMEDY}") from None
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{PLOTS_PAGE}: broken ({error}); {_REMEDY}") from None
    return parse_scripts(text)


def parse_scripts(text: str) -> Scripts:
    """Return what the text of the page of `dvc plots` holds; raise as `read_scripts` does."""
    found = {name: source for source, name in _BLOCK.findall(text)}
    for name in LIBRARIES:
        if name not in found:
            raise ArtifactError(f"{PLOTS_PAGE}: holds no script of {name}; {_REMEDY}")
    licence = next((words for words in _COMMENT.findall(text) if "Copyright" in words), "")
    if not licence:
        raise ArtifactError(f"{PLOTS_PAGE}: holds no licence of its scripts; {_REMEDY}")
    # Its first sentence speaks of the other page; the second begins with what the scripts are.
    terms = licence[licence.find("the published builds") :].strip()
    return Scripts(terms, [_clean(found[name]) for name in LIBRARIES])


def _clean(source: str) -> str:
    """Return a script without the name of a file that is not there."""
    return re.sub(r"(?m)^//#? ?sourceMappingURL=.*$", "", source).strip()
