"""A comparison kept beside the present one: its tables, its pictures and what may be said of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fusebench.files import replace_folder
from fusebench.report.pairs import PAIRS, Pair, parse_pairs
from fusebench.report.table import screen_table
from fusebench.report.verdict import baseline_remark, recommendation, verdict
from fusebench.samples.samples import parse_csv

TABLE = Path("metrics/comparison.csv")
PICTURES = ("accuracy", "confusion", "pairs", "precision_recall", "roc", "training")
KEPT = (
    TABLE,
    PAIRS,
    Path("metrics/comparison.json"),
    *(Path("plots") / f"{name}.png" for name in PICTURES),
)


def keep(read: Callable[[Path], bytes], folder: Path) -> None:
    """Write a comparison's files and verdict.md into a folder, all or none.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path in the project.
    """
    with replace_folder(folder) as aside:
        for path in KEPT:
            (aside / path.name).write_bytes(read(path))
        table = parse_csv(TABLE, read(TABLE).decode(), ("Model",))
        pairs = parse_pairs(read(PAIRS).decode())
        (aside / "verdict.md").write_text(verdict_page(table, pairs), "utf-8")


def verdict_page(table: Sequence[dict[str, str]], pairs: Sequence[Pair]) -> str:
    """Return the verdict as a Markdown page: what to use, the table, each pair."""
    said = "\n".join(f"- {sentence}" for sentence in verdict(pairs)[1:])
    return f"# Verdict\n\n{verdict_head(table, pairs)}\n\n{said}\n"


def verdict_head(table: Sequence[dict[str, str]], pairs: Sequence[Pair]) -> str:
    """Return what to use and the table, as Markdown."""
    remark = baseline_remark(table)
    first = f"**{recommendation(pairs)}**" + (f" {remark}" if remark else "")
    return f"{first}\n\n```\n{screen_table(table)}\n```"
