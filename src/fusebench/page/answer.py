"""The answer: which fusion to use, and on what data that was found."""

from fusebench.page.markup import Markup, bullets, details, joined, paragraph, tag
from fusebench.page.sources import Sources
from fusebench.report.table import RESULTS


def answer(sources: Sources) -> Markup:
    """Return the answer, what the samples are, what limits it, and every pair in words."""
    findings = sources.findings
    parts = [
        paragraph(findings.answer, "answer"),
        paragraph(origin(sources), "origin synthetic" if sources.info["synthetic"] else "origin"),
        _facts(sources),
    ]
    if findings.remarks:
        parts.append(bullets(map(_coded, findings.remarks), "remarks"))
    if findings.sentences:
        parts.append(details("Every pair in words", bullets(findings.sentences)))
    return joined(parts)


def _coded(sentence: str) -> Markup:
    """Return a sentence in which what stands between backticks is code."""
    return joined(
        tag("code", part) if number % 2 else part for number, part in enumerate(sentence.split("`"))
    )


def origin(sources: Sources) -> str:
    """Return the sentence that says where the samples come from."""
    info = sources.info
    if not info["synthetic"]:
        return "These are figures of recorded samples."
    task = f" of task {info['task']}" if info.get("task") else ""
    return f"These are figures of synthetic samples{task}, rendered for demonstration."


def _facts(sources: Sources) -> Markup:
    seeds = sources.predictions[sources.fusions[0]].seeds
    test = {len(parts["test"].labels) for parts in seeds.values()}
    facts = {
        "fusions": str(len(sources.fusions)),
        "seeds of each": str(len(seeds)),
        "test samples": " to ".join(f"{count:,}" for count in sorted({min(test), max(test)})),
        "results": fingerprint(sources),
    }
    pairs = (tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items())
    return tag("dl", *pairs, class_="facts")


def fingerprint(sources: Sources) -> str:
    """Return the seven digits that name what was compared."""
    table = sources.findings.table
    return str(table[RESULTS].iloc[0]) if RESULTS in table else "not named"
