"""What the results of a study belong to: params and samples, and how much of its plan was run.

Each study writes it beside its tables: metrics/<study>/origin.json.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fusebench.config import PARAMS_FILE, AsTuple, Section, read
from fusebench.errors import ArtifactError
from fusebench.files import md5_of, read_json, write_json
from fusebench.sealed import checked

ORIGIN = "origin.json"
NO_MATTER = ("fusion", "compare", "runtime", "data", "synthesize")
"""Sections of the params that decide no bit of a training: which fusion is looked at, what is said
of them, how a run is executed; and where samples come from, which are known by their digest."""
SAMPLES = "samples"
"""Key of the samples' digest among what decides."""
# Holds classes, what is known of the sensors, and digests of the tables, which hold each sample's.
_DATASET = Path("data/samples/dataset.json")


class Origin(Section):
    """What the results of a study belong to.

    Attributes
    ----------
    declared : dict
        What decided them, as `deciding_in` returns it.
    commits : tuple of str
        Of the code that made them, "-dirty" after one where files differed from it.
    planned, done : tuple of str
        What the study consists of, and what of it was run.
    """

    declared: dict[str, Any]
    commits: Annotated[tuple[str, ...], AsTuple]
    planned: Annotated[tuple[str, ...], AsTuple]
    done: Annotated[tuple[str, ...], AsTuple]

    @property
    def left(self) -> list[str]:
        """What is planned and was not run."""
        return [name for name in self.planned if name not in self.done]


def deciding(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a params.yaml decides results; entries of `override` that are empty do not."""
    kept = {key: value for key, value in params.items() if key not in NO_MATTER}
    overrides = {
        name: {key: value for key, value in (of or {}).items() if value is not None}
        for name, of in (params.get("override") or {}).items()
    }
    return {**kept, "override": {name: of for name, of in overrides.items() if of}}


def deciding_in(root: Path) -> dict[str, Any]:
    """Return what decides results in a checkout: its params, and a digest of its samples.

    Raises
    ------
    ParamsError
        params.yaml is missing or broken.
    ArtifactError
        Stage extract has not run.
    """
    try:
        samples = md5_of((root / _DATASET).read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{_DATASET}: no such file; 'dvc repro extract' makes it") from None
    return {**deciding(read(root / PARAMS_FILE)), SAMPLES: samples}


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the keys, dotted as in `dvc params diff`, in which two of `deciding_in` differ."""
    return list(_differing(before, now, ""))


def _differing(before: Any, now: Any, key: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            yield from _differing(before.get(name), now.get(name), f"{key}.{name}".lstrip("."))
    elif before != now:
        yield key


def write_origin(
    folder: Path,
    declared: Mapping[str, Any],
    commits: Sequence[str],
    planned: Sequence[str],
    done: Sequence[str],
) -> None:
    """Write `ORIGIN` into the folder of a study; see `Origin`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "declared": dict(declared), "commits": list(dict.fromkeys(commits)),
        "planned": list(planned), "done": list(done),
    }  # fmt: skip
    write_json(folder / ORIGIN, content)


def read_origin(folder: Path) -> Origin:
    """Return what the results of a study belong to; raise ArtifactError."""
    path = folder / ORIGIN
    remedy = f"'git restore {path}' mends it"
    try:
        content = read_json(path)
    except ArtifactError as error:
        # Its advice is for what a stage wrote.
        raise ArtifactError(f"{str(error).partition(';')[0]}; {remedy}") from None
    return checked(Origin, content, path, remedy)
