"""Parts of a document that code writes: between <!-- name --> and <!-- /name -->."""

from fusebench.errors import ArtifactError


def replaced(text: str, name: str, content: str, document: str) -> str:
    """Return a text with what is between the marks of a name replaced.

    Raises
    ------
    ArtifactError
        The marks are missing.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise ArtifactError(f"{document}: the marks {begin.strip()} and {end} are missing")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}{content}\n{end}{rest.split(end, 1)[1]}"


def marked(text: str, name: str) -> bool:
    """Tell whether a text has the marks of a name."""
    return f"<!-- {name} -->\n" in text
