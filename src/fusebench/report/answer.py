"""What the page of `dvc plots` begins with: the sentences of the verdict, as a table of lines."""

import textwrap

import pandas as pd

from fusebench.report.findings import Findings
from fusebench.report.results import Comparison

# Characters that a line of a chart holds; the page joins the lines of a sentence again.
_WIDTH = 100


def answer_table(comparison: Comparison, findings: Findings) -> pd.DataFrame:
    """Return what to use, what the samples are, and what may be said of each pair.

    Returns
    -------
    DataFrame
        kind: "answer" (which fusion to use), "remark" or "pair"; sentence: its number; line: its
        number among all; text.
    """
    origin = (
        f"{comparison.samples.capitalize()} samples, {len(comparison.seeds)} seed(s), results "
        f"{comparison.fingerprint}."
    )
    said = [
        ("answer", findings.answer),
        *(("remark", remark) for remark in [*findings.remarks, origin]),
        *(("pair", sentence) for sentence in findings.sentences),
    ]
    lines = [
        (kind, number, line)
        for number, (kind, sentence) in enumerate(said)
        for line in textwrap.wrap(sentence, _WIDTH)
    ]
    answer = pd.DataFrame(lines, columns=["kind", "sentence", "text"])
    answer.insert(2, "line", range(len(answer)))
    return answer
