"""The comment as a whole: results beside those of the base, and a small run of both."""

from collections.abc import Iterator
from typing import NamedTuple

from fusebench.comment.against import against_sections, params_sections
from fusebench.comment.markup import code
from fusebench.comment.pictures import picture_sections
from fusebench.comment.results import Revision, View, comparison_sections, origin_section
from fusebench.comment.sections import LIMIT, Section, fitted
from fusebench.errors import ArtifactError

_SMALL = (
    "For this comment, the pipeline was run of base and change anew, with less than params.yaml "
    "asks for: to see that all stages run, and that they make of the change what is meant. Fusions "
    "are not to be chosen by it."
)


class Small(NamedTuple):
    """The names of two small runs, of the base and of the change; one may not have finished."""

    before: str
    after: str


def comment(
    base: str, of: str, small: Small | None = None, pictures: str = "", limit: int = LIMIT
) -> str:
    """Return what a change makes of the results, in Markdown.

    What cannot be compared, or is not there, is said, and the rest is written.

    Parameters
    ----------
    base, of : str
        Git revision or experiment before the change, and after it; "workspace".
    small : Small or None
        Experiments with a smaller setting.
    pictures : str
        As in `picture_sections`; empty: none are shown.
    limit : int
        Characters that the comment may have.

    Raises
    ------
    ArtifactError
        There is no revision `base` or `of`.
    ParamsError
        params.yaml of `of` is broken, or `limit` is too small.
    """
    before, after = Revision.of(base), Revision.of(of)
    sections = [*_results(before, after, pictures)]
    if small:
        sections += _small(small, before, after)
    return fitted(sections, limit)


def _results(before: Revision, after: Revision, pictures: str) -> Iterator[Section]:
    view = View.of(after)
    yield Section("a heading", "## Results of this change")
    yield origin_section(view)
    yield from against_sections(before, after)
    yield from params_sections(before, after, f"Params that are not those of {code(before.name)}")
    yield from comparison_sections(view)
    if pictures:
        yield from picture_sections(view, pictures)


def _small(small: Small, before: Revision, after: Revision) -> Iterator[Section]:
    yield Section("a heading", f"## A small run\n\n{_SMALL}")
    new, old = _found(small.after), _found(small.before)
    if new is None:
        yield Section("the small run", "It did not finish; its log says why.")
        return
    view = View.of(new)
    yield origin_section(view)
    yield from params_sections(after, new, "Params that are not those of the results above")
    if old is None:
        said = f"That of {code(before.name)} did not finish, so nothing is compared."
        yield Section("changes in the small run", said)
    else:
        yield from against_sections(old, new)
    yield from comparison_sections(view, folded=True)


def _found(name: str) -> Revision | None:
    try:
        return Revision.of(name)
    except ArtifactError:
        return None
