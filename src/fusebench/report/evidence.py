"""What the stages before measured, read for the analysis: by fusion, and by two fusions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import pandas as pd
from pydantic import ConfigDict, Field

from fusebench.config import Loaded, Section
from fusebench.errors import ArtifactError
from fusebench.files import read_json, read_table
from fusebench.prediction.predictions import BASELINES
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION
from fusebench.report.pairs import Pair, pair_rows, turned
from fusebench.report.probabilities import PROBABILITIES
from fusebench.report.suite import SUMMARY, SuiteRow, read_suite
from fusebench.report.table import RESULTS
from fusebench.sealed import checked

DATA = Path("metrics/data.json")
COST, TRAINING = Path("metrics/cost"), Path("metrics/training")
ROBUSTNESS_PAIRS = Path("metrics/robustness_pairs.csv")
ROBUSTNESS_SUMMARY = Path("metrics/robustness_summary.csv")


class _Measured(Section):
    """A part of a file that holds more than is read here."""

    model_config = ConfigDict(extra="ignore")


class Data(_Measured):
    """What of metrics/data.json is read here.

    Attributes
    ----------
    synthetic : bool
    task : str or None
        Of the demonstration; None: there is none.
    pairs : dict of str to int
        How many there are of each class.
    """

    synthetic: bool
    task: str | None = None
    pairs: dict[str, Annotated[int, Field(ge=0)]]


class Epochs(_Measured):
    """Seconds of the epochs of all seeds."""

    median: float = Field(gt=0)
    min: float = Field(gt=0)
    max: float = Field(gt=0)


class Training(_Measured):
    """What of metrics/training/<fusion>.json is read here."""

    seconds_per_epoch: Epochs
    environment: dict[str, Any]


class Latency(_Measured):
    """Milliseconds that one sample takes."""

    median: float = Field(gt=0)


class Cost(_Measured):
    """What of metrics/cost/<fusion>.json is read here.

    Attributes
    ----------
    parameters : int
    mflops_per_sample : float
        Of a forward pass, in millions; two per multiplication and addition.
    latency_ms : Latency
    step_mb : float
        Peak memory of a training step, in 10⁶ bytes.
    environment : dict
        The machine that measured.
    """

    parameters: int = Field(ge=0)
    mflops_per_sample: float = Field(ge=0)
    latency_ms: Latency
    step_mb: float = Field(gt=0)
    environment: dict[str, Any]


class RobustPair(NamedTuple):
    """Two fusions on corrupted inputs; what is read of a row of metrics/robustness_pairs.csv.

    Attributes
    ----------
    corruption, first, second : str
    difference, low, high : float
        First − second in points of balanced accuracy, mean over severities; 95 % interval of the
        fusions, trained again. NaN: not known.
    seeds : int
    """

    corruption: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    seeds: int


class Robustness(NamedTuple):
    """What is left of a fusion on corrupted inputs; a row of metrics/robustness_summary.csv.

    Attributes
    ----------
    fusion : str
    robustness : float
        Share of what it is above chance on clean inputs that is left, mean over corruptions and
        severities; NaN: not known.
    worst : str
        The corruption that leaves least; may be empty.
    worst_robustness : float
    """

    fusion: str
    robustness: float
    worst: str
    worst_robustness: float


@dataclass(frozen=True)
class Evidence:
    """What claims and recommendation rest on.

    Attributes
    ----------
    findings : Findings
        Of stage compare.
    data : Data
    trainings, costs : dict of str to Training, Cost
        By fusion.
    robust_pairs : sequence of RobustPair
    robustness : dict of str to Robustness
        By fusion.
    suite : sequence of SuiteRow
        What fusions did on the demonstration tasks.
    """

    findings: Findings
    data: Data
    trainings: dict[str, Training] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    robust_pairs: Sequence[RobustPair] = ()
    robustness: dict[str, Robustness] = field(default_factory=dict)
    suite: Sequence[SuiteRow] = ()

    @property
    def fusions(self) -> list[str]:
        """The fusions that are compared, without the baselines."""
        return fusions_of(self.findings)

    @property
    def parameters(self) -> dict[str, int]:
        """Number of parameters, by fusion."""
        table = self.findings.table
        counts = dict(zip(table["Model"], table["Parameters"].astype(int).tolist(), strict=True))
        return {name: counts[name] for name in self.fusions}

    @property
    def fingerprint(self) -> str:
        """What names the comparison; see `Comparison.fingerprint`."""
        return str(self.findings.table[RESULTS].iloc[0])

    def pair(self, metric: str, first: str, second: str) -> Pair | None:
        """Return two fusions on a metric from the side of the first; None: not compared."""
        frame = self.findings.pairs
        rows = pair_rows(frame[frame["metric"] == metric])
        for row in [*rows, *map(turned, rows)]:
            if (row.first, row.second) == (first, second):
                return row
        return None

    def robust_pair(self, corruption: str, first: str, second: str) -> RobustPair | None:
        """Return two fusions on a corruption from the side of the first; None: not compared."""
        for row in self.robust_pairs:
            if row.corruption == corruption and (row.first, row.second) == (first, second):
                return row
            if row.corruption == corruption and (row.second, row.first) == (first, second):
                return row._replace(
                    first=first, second=second, difference=-row.difference,
                    low=-row.high, high=-row.low,
                )  # fmt: skip
        return None


def fusions_of(findings: Findings) -> list[str]:
    """Return the fusions of a comparison, without the baselines."""
    return [name for name in findings.table["Model"] if name not in BASELINES]


def read_evidence(root: Path) -> Evidence:
    """Read what the stages before wrote, of the fusions that are compared.

    Raises
    ------
    ArtifactError
        A file is missing or broken.
    """
    read = _reader(root)
    for path in (PROBABILITIES, INTERACTION):
        # A commit may lack them; here they are to be there.
        read(path)
    findings = Findings.read(read)
    fusions = fusions_of(findings)
    return Evidence(
        findings,
        _read(Data, root / DATA),
        {name: _read(Training, root / TRAINING / f"{name}.json") for name in fusions},
        {name: _read(Cost, root / COST / f"{name}.json") for name in fusions},
        [RobustPair(*row) for row in _rows(root / ROBUSTNESS_PAIRS, RobustPair)],
        {row[0]: Robustness(*row) for row in _rows(root / ROBUSTNESS_SUMMARY, Robustness)},
        read_suite(root / SUMMARY),
    )


def _reader(root: Path) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        try:
            return (root / path).read_bytes()
        except FileNotFoundError:
            raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None

    return read


def _read(kind: type[Loaded], path: Path) -> Loaded:
    return checked(kind, read_json(path), path)


def _rows(path: Path, kind: type) -> Sequence[tuple[Any, ...]]:
    """Return the cells of a table, those that a named tuple has, in its order."""
    kinds = get_type_hints(kind)
    table: pd.DataFrame = read_table(path, kinds)
    return list(table[list(kinds)].astype(object).itertuples(index=False, name=None))
