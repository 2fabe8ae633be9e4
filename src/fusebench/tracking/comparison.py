"""The comparison as a run: params, headline, the notebook's table and charts, pictures, pages."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fusebench.config import PARAMS_FILE, read
from fusebench.errors import ArtifactError
from fusebench.files import read_json, read_table
from fusebench.report.columns import FIRST
from fusebench.report.results import SOURCES
from fusebench.report.table import RESULTS, TABLE, parse_comparison_table
from fusebench.sealed import digest_of
from fusebench.tracking.run import Event, Lines, Outcome, Run, Table, Value, flat

NAME = "fusion_comparison"
"""The notebook's name of its table."""
# The notebook's eight.
COLUMNS = tuple(column.name for column in FIRST[:8])
_HEADLINE, _WORDS = Path("metrics/headline.json"), Path("metrics/comparison.md")
_PAGE, _PAIRS = Path("plots/report.html"), Path("metrics/pairs.csv")
_CURVES = {"epoch": int, "accuracy": float, "train_loss": float}
# The notebook's charts, by the columns of plots/training/<fusion>.csv.
CHARTS = {"accuracy": "accuracy", "loss": "train_loss"}


def read_files() -> list[Path]:
    """Return the files of the comparison that stages before `report` wrote."""
    return [TABLE, _PAIRS, _HEADLINE, _WORDS, *_pictures().values()]


def comparison_events(group: str, tags: Mapping[str, str], *, again: bool = False) -> list[Event]:
    """Return what is told of the comparison in the workspace.

    Raises
    ------
    ArtifactError, ParamsError
        A file is missing or broken.
    """
    params = read(PARAMS_FILE)
    table = parse_comparison_table(_text(TABLE))
    result = str(table[RESULTS].iloc[0]) if RESULTS in table else read_json(SOURCES)["fingerprint"]
    # Pictures and page are made of the same.
    texts = [_text(path) for path in (TABLE, _PAIRS, _HEADLINE, _WORDS)]
    digest = digest_of("\0".join(texts).encode())
    tags = {"results": result, **tags}
    run = Run(digest, f"comparison {result}", group, "comparison", tags, flat(params))
    charts = _charts(params["fusions"])
    pages = {path.name: path for path in (_WORDS, _PAGE) if path.is_file()}
    outcome = Outcome(
        digest, {name: float(value) for name, value in read_json(_HEADLINE).items()},
        {NAME: _table(table)}, charts, _pictures(), pages,
    )  # fmt: skip
    return [run.begin(again=again), *_epochs(run, charts), run.end(outcome)]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None


def _pictures() -> dict[str, Path]:
    return {path.stem: path for path in sorted(Path("plots").glob("*.png"))}


def _table(table: pd.DataFrame) -> Table:
    columns = [name for name in COLUMNS if name in table]
    rows = [[_cell(cell) for cell in row] for row in table[columns].itertuples(index=False)]
    return Table(columns, rows)


def _cell(cell: Any) -> Value | None:
    if pd.isna(cell):
        return None
    value: Value = cell if isinstance(cell, str | int | float) else cell.item()
    return value


def _charts(fusions: Sequence[str]) -> dict[str, Lines]:
    """Return the mean over seeds of each epoch, a line per fusion."""
    charts: dict[str, Lines] = {name: {} for name in CHARTS}
    for fusion in fusions:
        records = read_table(Path("plots/training") / f"{fusion}.csv", _CURVES)
        means = records.groupby("epoch")[list(CHARTS.values())].mean()
        for name, column in CHARTS.items():
            charts[name][fusion] = [
                (int(epoch), float(mean)) for epoch, mean in means[column].items()
            ]
    return charts


def _epochs(run: Run, charts: Mapping[str, Lines]) -> Iterator[Event]:
    figures: dict[int, dict[str, float]] = {}
    for name, lines in charts.items():
        for line, points in lines.items():
            for epoch, value in points:
                figures.setdefault(epoch, {"epoch": epoch})[f"{name}/{line}"] = value
    for epoch, of_epoch in sorted(figures.items()):
        yield run.epoch(epoch, of_epoch)
