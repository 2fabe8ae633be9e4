"""metrics/analysis.md: each claim of the notebook against what was measured; and comparison.md."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fusebench.report.claims import HEADINGS, PERFORMANCE, RESOURCES, Claim
from fusebench.report.evidence import Evidence
from fusebench.report.judgement import Judgement, State, machine, number
from fusebench.report.looks import title
from fusebench.report.recommendation import listed
from fusebench.report.sureness import sureness
from fusebench.report.table import markdown_table

ANALYSIS, COMPARISON = Path("metrics/analysis.md"), Path("metrics/comparison.md")
_RULES = (
    "A claim that rests on differences *holds* where the 95 % interval of each is on its side, and "
    "*does not hold* where one of them is shown to be on the other, by intervals that hold "
    "together. That two are alike *holds* where the interval of their difference lies within the "
    "declared margin, and *does not hold* where it lies beyond. Intervals are of the fusions, "
    "trained again, and are not widened for the number of claims. What is counted is compared as "
    "it is. What is measured depends on the machine, and is "
    'told apart only beyond its scatter. All else is *not decided*, which is not "does not hold".'
)
Judged = Sequence[tuple[Claim, Judgement]]


def analysis_page(evidence: Evidence, judged: Judged) -> str:
    """Return metrics/analysis.md.

    Parameters
    ----------
    judged : sequence of (Claim, Judgement)
        As `claims.judgements` returns them.
    """
    parts = ["# Analysis", _head(evidence), counts_of(judged)]
    for heading in HEADINGS:
        items = [_item(claim, found) for claim, found in judged if claim.heading == heading]
        more = _more(heading, evidence)
        parts += [f"## {heading}", "\n".join(items), *([more] if more else [])]
    return "\n\n".join([*parts, "## How it is decided", _RULES]) + "\n"


def _head(evidence: Evidence) -> str:
    row = evidence.findings.table.iloc[0]
    return (
        "What the notebook says of its four fusions, beside what was measured here: "
        f"{row['Samples']} samples, {row['Seeds']} seed(s), results {evidence.fingerprint}. It is "
        "judged on these samples, not on the notebook's."
    )


def counts_of(judged: Judged) -> str:
    """Return how many claims hold, do not hold and are not decided, as a sentence."""
    states = [found.state for _, found in judged]
    counts = [f"{states.count(state)} {_verb(state, states.count(state))}" for state in State]
    return f"Of {len(judged)} claims {listed(counts)}."


def _verb(state: State, count: int) -> str:
    one = {State.HOLDS: "holds", State.DOES_NOT_HOLD: "does not hold"}
    many = {State.HOLDS: "hold", State.DOES_NOT_HOLD: "do not hold"}
    verb = "is not decided" if count == 1 else "are not decided"
    return (one if count == 1 else many).get(state, verb)


def _item(claim: Claim, found: Judgement) -> str:
    head = f"- **{found.state.value}**: *{claim.text}*"
    return f"{head}\n  Read as: {claim.reading}.\n  {found.sentence}"


def _more(heading: str, evidence: Evidence) -> str:
    """Return what a section says beside the claims."""
    if heading == PERFORMANCE:
        said = [evidence.findings.answer, sureness(evidence.findings.probabilities)]
        return " ".join(sentence for sentence in said if sentence)
    return _resources(evidence) if heading == RESOURCES else ""


def _resources(evidence: Evidence) -> str:
    """Return what each fusion takes, as a table, and which machine measured it."""
    rows = []
    for name in evidence.fusions:
        cost, robust = evidence.costs[name], evidence.robustness.get(name)
        left = "" if robust is None or pd.isna(robust.robustness) else f"{robust.robustness:.2f}"
        rows.append(
            {"model": title(name), "parameters": number(cost.parameters),
             "MFLOPs per sample": f"{cost.mflops_per_sample:.1f}",
             "latency (ms)": f"{cost.latency_ms.median:.2f}",
             "training step (MB)": f"{cost.step_mb:.1f}",
             "s per epoch": f"{evidence.trainings[name].seconds_per_epoch.median:.2f}",
             "robustness": left}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    align = ("left", *["right"] * (table.shape[1] - 1))
    text: str = table.to_markdown(index=False, disable_numparse=True, colalign=align)
    environments = {name: cost.environment for name, cost in evidence.costs.items()}
    where = machine(environments) or "machines that are not alike"
    return (
        f"{text}\n\nLatency and training step were measured on {where}. Robustness: the share of "
        "what a fusion is above chance that is left on corrupted inputs, mean over corruptions; "
        "empty: not known."
    )


def comparison_page(evidence: Evidence) -> str:
    """Return metrics/comparison.md: answer, table and remarks, as for a pull request."""
    findings = evidence.findings
    items = "\n".join(f"- {remark}" for remark in findings.remarks)
    table = markdown_table(findings.table, findings.pairs)
    return f"# Comparison {evidence.fingerprint}\n\n**{findings.answer}**\n\n{table}\n\n{items}\n"
