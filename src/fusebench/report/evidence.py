"""What the stages before measured, read for the analysis: by fusion, and by two fusions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from fusebench.config import Loaded, Section
from fusebench.files import read_json, reader
from fusebench.prediction.predictions import BASELINES
from fusebench.report import robustness_files, robustness_pairs
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION
from fusebench.report.pairs import Pair, pair_rows, turned
from fusebench.report.probabilities import PROBABILITIES
from fusebench.report.robustness_files import Kept
from fusebench.report.robustness_pairs import StressPair, stress_pairs
from fusebench.report.suite import SUMMARY, SuiteRow, read_suite
from fusebench.report.table import RESULTS
from fusebench.sealed import checked

DATA = Path("metrics/data.json")
COST, TRAINING = Path("metrics/cost"), Path("metrics/training")


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
    robust_pairs : sequence of StressPair
    robustness : dict of str to Kept
        By fusion.
    suite : sequence of SuiteRow
        What fusions did on the demonstration tasks.
    """

    findings: Findings
    data: Data
    trainings: dict[str, Training] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    robust_pairs: Sequence[StressPair] = ()
    robustness: dict[str, Kept] = field(default_factory=dict)
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

    def robust_pair(self, corruption: str, first: str, second: str) -> StressPair | None:
        """Return two fusions on a corruption from the side of the first; None: not compared."""
        rows = [row for row in self.robust_pairs if row.corruption == corruption]
        for row in [*rows, *map(robustness_pairs.turned, rows)]:
            if (row.first, row.second) == (first, second):
                return row
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
    read = reader(root)
    for path in (PROBABILITIES, INTERACTION, robustness_files.SUMMARY, robustness_files.PAIRS):
        # A commit may lack them; here they are to be there.
        read(path)
    findings = Findings.read(read)
    fusions, withstood = fusions_of(findings), findings.robustness
    return Evidence(
        findings,
        _read(Data, root / DATA),
        {name: _read(Training, root / TRAINING / f"{name}.json") for name in fusions},
        {name: _read(Cost, root / COST / f"{name}.json") for name in fusions},
        stress_pairs(withstood.pairs) if withstood else [],
        withstood.kept if withstood else {},
        read_suite(root / SUMMARY),
    )


def _read(kind: type[Loaded], path: Path) -> Loaded:
    return checked(kind, read_json(path), path)
