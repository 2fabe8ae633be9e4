"""A comparison copied to a folder: its tables, its pictures and what may be said of it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from fusebench.aside import replace_folder
from fusebench.report.chance import chance_remarks
from fusebench.report.pairs import PAIRS, parse_pairs
from fusebench.report.results import SOURCES
from fusebench.report.table import TABLE, markdown_table, parse_comparison_table
from fusebench.report.verdict import baseline_remark, recommendation, verdict

PICTURES = ("metrics", "confusion", "pairs", "precision_recall", "roc", "training")
FILES = (
    TABLE,
    PAIRS,
    SOURCES,
    *(Path("plots") / f"{name}.png" for name in PICTURES),
)


def export(read: Callable[[Path], bytes], folder: Path) -> None:
    """Write a comparison's files and verdict.md into a folder, all or none.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path in the project.
    """
    with replace_folder(folder) as aside:
        for path in FILES:
            (aside / path.name).write_bytes(read(path))
        table = parse_comparison_table(read(TABLE).decode())
        pairs = parse_pairs(read(PAIRS).decode())
        (aside / "verdict.md").write_text(verdict_page(table, pairs), "utf-8")


def verdict_page(table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Return the verdict as a Markdown page: what to use, the table, each pair."""
    items = "\n".join(f"- {sentence}" for sentence in verdict(pairs)[1:])
    return f"# Verdict\n\n{verdict_head(table, pairs)}\n\n{items}\n"


def verdict_head(table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Return what to use and the table, as Markdown."""
    remarks = [*chance_remarks(table, pairs), baseline_remark(table)]
    first = " ".join([f"**{recommendation(pairs)}**", *filter(None, remarks)])
    return f"{first}\n\n{markdown_table(table, pairs)}"
