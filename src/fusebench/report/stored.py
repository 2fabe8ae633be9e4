"""Metrics and measurements as the stages before wrote them, checked as they are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, create_model

from fusebench.config import Section
from fusebench.errors import REMEDY, ArtifactError
from fusebench.evaluation.measure import summarize
from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import read_json
from fusebench.prediction.predictions import MEASURED_PARTS, FusionPredictions
from fusebench.sealed import checked

_REMADE = "'dvc repro' measures anew"


class _Median(Section):
    """Of several measurements; `train` writes more of them."""

    model_config = ConfigDict(extra="ignore")
    median: float = Field(gt=0)


class _Memory(Section):
    model_config = ConfigDict(extra="ignore")
    peak_mb: float = Field(gt=0)


class _Environment(Section):
    """What the last bits of a training depend on."""

    model_config = ConfigDict(extra="ignore")
    device: str
    processor: str
    threads: int = Field(ge=1)
    python: str
    numpy: str
    torch: str


class _Measured(Section):
    """What of metrics/training/<fusion>.json is read here."""

    model_config = ConfigDict(extra="ignore")
    seconds_per_epoch: _Median
    memory: _Memory
    environment: _Environment


class _Latency(Section):
    model_config = ConfigDict(extra="ignore")
    median: float = Field(gt=0)
    p95: float = Field(gt=0)


class _Cost(Section):
    """What of metrics/cost/<fusion>.json is read here."""

    model_config = ConfigDict(extra="ignore")
    parameters: int = Field(ge=1)
    mflops_per_sample: float = Field(gt=0)
    latency_ms: _Latency
    samples_per_second: _Median
    step_mb: float = Field(gt=0)
    train_seconds: float = Field(gt=0)
    environment: _Environment


def read_cost(path: Path, predictions: FusionPredictions) -> dict[str, Any]:
    """Return metrics/cost/<fusion>.json.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or is not of the model that made these predictions.
    """
    content = read_json(path)
    checked(_Cost, content, path)
    _check_parameters(path, content, predictions)
    return content


def read_measured(path: Path) -> dict[str, Any]:
    """Return metrics/training/<fusion>.json; raise ArtifactError if it is missing or broken."""
    content = read_json(path)
    checked(_Measured, content, path)
    return content


def read_metrics(path: Path, predictions: FusionPredictions) -> dict[str, Any]:
    """Return metrics/fusions/<fusion>.json.

    Raises
    ------
    ArtifactError
        The file is missing or broken, contradicts itself, or is not of these predictions.
    """
    content = read_json(path)
    checked(_fusion_section(), content, path)
    seeds = [str(seed) for seed in predictions.seeds]
    for part in MEASURED_PARTS:
        if list(content[part]["seeds"]) != seeds:
            raise ArtifactError(
                f"{path}: {part}.seeds are {', '.join(content[part]['seeds'])}, of the predictions "
                f"{', '.join(seeds)}; {_REMADE}"
            )
    _check_summaries(path, content)
    _check_parameters(path, content, predictions)
    return content


def checked_metrics(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Return what metrics/fusions/<fusion>.json holds; raise ArtifactError if it is broken."""
    checked(_fusion_section(), content, path)
    _check_summaries(path, content)
    return content


def _check_summaries(path: Path, content: dict[str, Any]) -> None:
    for part in MEASURED_PARTS:
        for name, summary in summarize(list(content[part]["seeds"].values())).items():
            if summary != content[part][name]:
                raise ArtifactError(
                    f"{path}: {part}.{name} = {content[part][name]}: of its seeds it is "
                    f"{summary}; {REMEDY}"
                )


def _check_parameters(path: Path, content: dict[str, Any], predictions: FusionPredictions) -> None:
    if content["parameters"] != predictions.info["parameters"]:
        raise ArtifactError(
            f"{path}: parameters = {content['parameters']}, of the predictions "
            f"{predictions.info['parameters']}; {_REMADE}"
        )


def _fusion_section() -> type[Section]:
    """Return what metrics/fusions/<fusion>.json holds, by the registry of metrics."""
    values: dict[str, Any] = {name: (_value(metric), ...) for name, metric in METRICS.items()}
    seed = create_model(
        "Seed", __base__=Section,
        collapsed=(str | None, ...), confusion=(list[list[Annotated[int, Field(ge=0)]]], ...),
        **values,
    )  # fmt: skip
    summaries: dict[str, Any] = {
        name: (
            create_model(
                "Summary", __base__=Section,
                mean=(_value(metric), ...),
                deviation=(Annotated[float, Field(ge=0)] | None, ...),
            ),
            ...,
        )
        for name, metric in METRICS.items()
    }  # fmt: skip
    part = create_model("Part", __base__=Section, seeds=(dict[str, seed], ...), **summaries)  # type: ignore[valid-type]
    count = Annotated[int, Field(ge=0)]
    return create_model(
        "Metrics", __base__=Section,
        parameters=(count, ...), collapsed_seeds=(count, ...), val=(part, ...), test=(part, ...),
    )  # fmt: skip


def _value(metric: Metric) -> Any:
    """Return the type of a metric's value: a number within its bounds."""
    low, high = metric.bounds
    return Annotated[float, Field(ge=low, le=high)]


def decoded(content: bytes, path: Path) -> str:
    """Return the text of a file in UTF-8; raise ArtifactError where it is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: broken ({error}); {REMEDY}") from None


def read_if_there(read: Callable[[Path], bytes], path: Path) -> bytes | None:
    """Return a file's content; None where there is none, as in a commit of an earlier version.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path.
    """
    try:
        return read(path)
    except (ArtifactError, FileNotFoundError):
        return None
