"""What the page of `dvc plots` begins with: the sentences of the verdict, as a table of lines."""

import textwrap

import pandas as pd

from fusebench.report.chance import chance_remarks, with_chance
from fusebench.report.results import Comparison
from fusebench.report.table import comparison_table
from fusebench.report.verdict import baseline_remark, verdict

# Characters that a line of a chart holds; the page joins the lines of a sentence again.
_WIDTH = 100


def answer_table(comparison: Comparison, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return what to use, what the samples are, and what may be said of each pair.

    Returns
    -------
    DataFrame
        kind: "answer" (which fusion to use), "remark" or "pair"; sentence: its number; line: its
        number among all; text.
    """
    first, *sentences = verdict(pairs)
    table = with_chance(comparison_table(comparison), comparison)
    origin = (
        f"{comparison.samples.capitalize()} samples, {len(comparison.seeds)} seed(s), results "
        f"{comparison.fingerprint}."
    )
    remarks = [*chance_remarks(table, pairs), baseline_remark(table), origin]
    said = [
        ("answer", first),
        *(("remark", remark) for remark in remarks if remark),
        *(("pair", sentence) for sentence in sentences),
    ]
    lines = [
        (kind, number, line)
        for number, (kind, sentence) in enumerate(said)
        for line in textwrap.wrap(sentence, _WIDTH)
    ]
    answer = pd.DataFrame(lines, columns=["kind", "sentence", "text"])
    answer.insert(2, "line", range(len(answer)))
    return answer
