"""The page: its sections in their order, and the file."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fusebench.files import write_text
from fusebench.page.answer import answer, fingerprint, origin
from fusebench.page.colours import fusion_colours
from fusebench.page.comparison import comparison
from fusebench.page.confusion import confusion
from fusebench.page.cost import cost
from fusebench.page.distances import distances
from fusebench.page.made_of import made_of
from fusebench.page.markup import Markup, escaped, joined, json_script, tag
from fusebench.page.missed import missed
from fusebench.page.ranking import ranking
from fusebench.page.reliability import reliability
from fusebench.page.robustness import robustness
from fusebench.page.scripts import Scripts, read_scripts
from fusebench.page.sources import Sources, read_sources
from fusebench.page.studies import learning_curve, robust_training, tuning
from fusebench.page.tasks import tasks
from fusebench.page.training import training
from fusebench.report.looks import title

_HERE = Path(__file__).parent


class Section(NamedTuple):
    """A part of the page.

    Attributes
    ----------
    name : str
        Its anchor: letters and hyphens.
    heading : str
    content : callable
        Gives what stands in it.
    """

    name: str
    heading: str
    content: Callable[[Sources], Markup]


SECTIONS = (
    Section("answer", "Which fusion to use", answer),
    Section("tasks", "Tasks and fusions", tasks),
    Section("comparison", "Comparison", comparison),
    Section("distance", "Distance to the best", distances),
    Section("training-curves", "Training curves", training),
    Section("curves", "ROC, precision and recall", ranking),
    Section("confusion", "Confusion", confusion),
    Section("robustness", "Robustness", robustness),
    Section("cost", "Quality and cost", cost),
    Section("reliability", "Reliability of probabilities", reliability),
    Section("learning", "Learning curves", learning_curve),
    Section("tuned", "Tuning", tuning),
    Section("robust", "Training with corruptions", robust_training),
    Section("missed", "Samples that are missed most", missed),
    Section("made-of", "What this page was made of", made_of),
)
"""All sections of the page, in their order."""


def write_page(root: Path, fusions: Sequence[str], path: Path) -> int:
    """Write the page of the results in a folder; return its size in bytes.

    Raises
    ------
    ArtifactError
        A file that it is made of is missing or broken.
    """
    text = page(read_sources(root, fusions), read_scripts(root))
    write_text(path, text)
    return len(text.encode())


def page(sources: Sources, scripts: Scripts) -> str:
    """Return the page as one text that needs no other file."""
    own = [*scripts.sources, _own("script.js")]
    parts = {
        "policy": escaped(_policy(own)),
        "title": escaped(
            f"fusebench: {len(sources.fusions)} fusions, results {fingerprint(sources)}"
        ),
        "style": Markup(_own("style.css") + _fusion_style(sources.fusions)),
        # A comment ends at the first "-->".
        "licence": Markup(scripts.licence.replace("--", "- -")),
        "legend": _legend(sources.fusions),
        "contents": _contents(),
        "sections": joined(_section(section, sources) for section in SECTIONS),
        "origin": escaped(origin(sources)),
        "data": json_script(_colours(sources.fusions), id="fusions"),
        "scripts": joined(tag("script", Markup(source)) for source in own),
    }
    return _filled(_own("template.html"), parts)


def _own(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _filled(template: str, parts: dict[str, Markup]) -> str:
    """Return the template with its parts; what looks like a place in a part stays as it is."""
    pieces = template.split("{{")
    text = pieces[0]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        text += parts[name] + rest
    return text


def _policy(scripts: Sequence[str]) -> str:
    """Return what a browser may do: run these scripts and no others, and load nothing."""
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    )
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _fusion_style(fusions: Sequence[str]) -> str:
    colours = fusion_colours(fusions)
    light = "".join(f"--fusion-{number}:{colours[name][0]};" for number, name in enumerate(fusions))
    dark = "".join(f"--fusion-{number}:{colours[name][1]};" for number, name in enumerate(fusions))
    # What belongs to a fusion has its colour; the registry has none but such names.
    dots = "".join(
        f'[data-fusion="{name}"],[data-switch="{name}"]{{--own:var(--fusion-{number})}}'
        for number, name in enumerate(fusions)
        if name.isidentifier()
    )
    return (
        f":root{{{light}}}:root[data-theme=dark]{{{dark}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}{dots}"
    )


def _legend(fusions: Sequence[str]) -> Markup:
    """Return the legend: a switch per fusion."""
    return joined(
        tag(
            "button", tag("span", class_="dot"), title(name),
            type="button", aria_pressed="true", data_switch=name,
        )
        for name in fusions
    )  # fmt: skip


def _contents() -> Markup:
    links = (tag("a", section.heading, href=f"#{section.name}") for section in SECTIONS)
    return tag("ul", joined(tag("li", link) for link in links))


def _section(section: Section, sources: Sources) -> Markup:
    heading = tag("h2", section.heading, id=f"{section.name}-heading")
    return tag(
        "section", heading, section.content(sources),
        id=section.name, aria_labelledby=f"{section.name}-heading",
    )  # fmt: skip


def _colours(fusions: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"name": name, "light": light, "dark": dark}
        for name, (light, dark) in fusion_colours(fusions).items()
    ]
