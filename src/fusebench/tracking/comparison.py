"""The comparison as a run: params, headline, the notebook's table and charts, pictures, pages."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fusebench.config import PARAMS_FILE, read
from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest, read_json, read_table
from fusebench.recorded import made
from fusebench.report.columns import FIRST
from fusebench.report.results import SOURCES
from fusebench.report.table import RESULTS, TABLE, parse_comparison_table
from fusebench.sealed import digest_of, file_digest
from fusebench.stages import ignored_names, read_lock
from fusebench.stale import Read, stale_files
from fusebench.tracking.run import Event, Lines, Outcome, Run, Table, Value, flat

NAME = "fusion_comparison"
"""The notebook's name of its table."""
# The notebook's eight.
COLUMNS = tuple(column.name for column in FIRST[:8])
_HEADLINE, _WORDS = Path("metrics/headline.json"), Path("metrics/comparison.md")
_PAIRS = Path("metrics/pairs.csv")
PAGE = Path("plots/report.html")
_LOCK, _PLOTS = Path("dvc.lock"), Path("plots")
_CURVES = {"epoch": int, "accuracy": float, "train_loss": float}
# The notebook's charts, by the columns of plots/training/<fusion>.csv.
CHARTS = {"accuracy": "accuracy", "loss": "train_loss"}


def read_files() -> list[Path]:
    """Return the files of the comparison, the page also where it is not there."""
    return [TABLE, _PAIRS, _HEADLINE, _WORDS, PAGE, *_pictures().values()]


def without_page(read: Read) -> str:
    """Return in a sentence why the page is not told, or "".

    Parameters
    ----------
    read : callable
        As in `stale.stale`.

    Raises
    ------
    ArtifactError, ParamsError
        params.yaml or dvc.lock is missing or broken.
    """
    reason = _behind(read) if PAGE.is_file() else "no such file"
    return f"Not told: {PAGE}: {reason}; 'dvc repro' makes it." if reason else ""


def _behind(read: Read) -> str:
    """Return why the page does not belong to what is beside it, or ""; as dvc.lock has it."""
    stages = read_lock(_text(_LOCK))
    makers = {out.path: stage for stage in stages.values() for out in stage.outs}
    page = PAGE.as_posix()
    if page not in makers:
        return f"{_LOCK} does not name it"
    if reason := stale_files(read, [page]).get(page):
        return reason
    ignored = ignored_names()
    for each in makers[page].deps:
        # Those of studies, and folders that several stages write to; code is not looked at.
        if each.path not in makers and each.path.startswith(("metrics/", "plots/")):
            path = Path(each.path)
            if not path.exists() or dvc_digest(path, ignored) != each.md5:
                return f"{path} is another now"
    return ""


def comparison_events(
    group: str, tags: Mapping[str, str], *, page: bool = True, again: bool = False
) -> list[Event]:
    """Return what is told of the comparison in the workspace.

    Parameters
    ----------
    page : bool
        Whether the page is told.

    Raises
    ------
    ArtifactError, ParamsError
        A file is missing or broken.
    """
    params = read(PARAMS_FILE)
    table = parse_comparison_table(_text(TABLE))
    result = str(table[RESULTS].iloc[0]) if RESULTS in table else read_json(SOURCES)["fingerprint"]
    texts = [_text(path) for path in (TABLE, _PAIRS, _HEADLINE, _WORDS)]
    name = digest_of("\0".join(texts).encode())
    tags = {"results": result, **tags}
    run = Run(name, f"comparison {result}", group, "comparison", tags, flat(params))
    charts = _charts(params["fusions"])
    pages = {path.name: path for path in (_WORDS, *([PAGE] if page else []))}
    pictures = _pictures()
    # Pictures and page are made of the same, but maybe later, or by other code.
    digests = [
        f"{path.as_posix()} {_digest(path)}" for path in (*pages.values(), *pictures.values())
    ]
    outcome = Outcome(
        digest_of("\n".join([name, *digests]).encode()),
        {key: float(value) for key, value in read_json(_HEADLINE).items()},
        {NAME: _table(table)}, charts, pictures, pages,
    )  # fmt: skip
    return [run.begin(again=again), *_epochs(run, charts), run.end(outcome)]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None


def _pictures() -> dict[str, Path]:
    """Return the pictures that stages made; of others nobody knows what they show."""
    paths = sorted(Path(out.path) for _, out in made(_LOCK))
    return {path.stem: path for path in paths if path.parent == _PLOTS and path.suffix == ".png"}


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
