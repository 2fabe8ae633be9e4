"""Whether table, pairs and pictures belong to the params, seeds and models beside them.

A run of one target (`dvc exp run … headline`), or an experiment of one made the workspace, leaves
the results of other stages as they were. What is beside them is known from dvc.lock, which is in
git: which params and files each stage last ran with, and what it made of them. So a commit or an
experiment can be asked like the workspace, and without DVC's cache. Changes of code are not looked
at: `dvc status` tells those of the workspace.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fusebench import yaml12
from fusebench.config import PARAMS_FILE, parse, shown, validate
from fusebench.errors import ArtifactError, ParamsError
from fusebench.files import json_text, md5_of
from fusebench.params import Params
from fusebench.prediction.predictions import BASELINES
from fusebench.report import robustness_files
from fusebench.report.interaction import INTERACTION
from fusebench.report.results import SOURCES
from fusebench.report.suite import SUMMARY
from fusebench.report.table import TABLE
from fusebench.stages import LockedStage, read_lock

Read = Callable[[Path], bytes]
"""Gives the content of a tracked file of the workspace or of a revision; ArtifactError if none."""

_LOCK = Path("dvc.lock")
_CHECKED = "checked/"
# What is shown beside the table and pictures of stage compare.
_ALONE = ("metrics/headline.json", "plots/samples.png", robustness_files.SUMMARY.as_posix())


@dataclass(frozen=True)
class _Stage:
    """What a stage last ran with, by dvc.lock: digests by path, and values by key of params.yaml.

    `made` names the outputs' digests.
    """

    dependencies: Mapping[str, str]
    params: Mapping[str, Any]
    made: Mapping[str, str]


@dataclass(frozen=True)
class Stale:
    """What does not belong to the params, seeds and models beside it.

    Attributes
    ----------
    rows : dict of str to str
        Per fusion or baseline of the comparison: why its row is of another state.
    files : dict of str to str
        The same of files beside the table: what a stage of their own makes, and the advice by
        metrics/interactions/summary.csv.
    verdict : str
        Why pairs and verdict as such are of another state; empty if they are not.
    unknown : str
        Why it cannot be told at all; empty if it can.
    """

    rows: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    verdict: str = ""
    unknown: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows or self.verdict)

    def lines(self) -> list[str]:
        """Return what is to be said beside a view of the results, a sentence each."""
        if self.unknown:
            return [f"Cannot tell whether this belongs to the params beside it: {self.unknown}."]
        reasons: dict[str, list[str]] = {}
        for name, reason in (*self.rows.items(), *self.files.items()):
            reasons.setdefault(reason, []).append(name)
        lines = [f"Stale: {', '.join(names)}: {reason}." for reason, names in reasons.items()]
        if self.verdict:
            lines.append(f"Stale: pairs and verdict: {self.verdict}.")
        return lines


def stale(read: Read) -> Stale:
    """Return what of metrics/comparison.csv, metrics/pairs.csv and the pictures is stale."""
    try:
        sources = json.loads(read(SOURCES))
        made, declared = dict(sources["predictions"]), dict(sources["compare"])
    except (ArtifactError, ValueError, KeyError, TypeError):
        return Stale(unknown=f"there is no {SOURCES} that says what it was made from")
    try:
        state = _State(read)
        rows = {name: reason for name in state.names if (reason := state.reason(name, made))}
        files = {path: reason for path in _ALONE if (reason := state.behind_file(path))}
        if reason := _behind_interaction(read, sources):
            files[INTERACTION.as_posix()] = reason
        if _is_another(read, robustness_files.SUMMARY, sources.get("robustness")):
            files[TABLE.as_posix()] = f"{robustness_files.SUMMARY} is another now"
    except (ArtifactError, ParamsError) as error:
        return Stale(unknown=_place_and_value(error))
    gone = [name for name in made if name not in state.names]
    rows |= dict.fromkeys(gone, f"no longer among fusions of {PARAMS_FILE}")
    for key, wanted in state.params.compare.declared.items():
        if declared.get(key) != wanted:
            was, now = shown(declared.get(key)), shown(wanted)
            other = f"made with compare.{key} = {was}, of {PARAMS_FILE} it is {now}"
            return Stale(rows, files, other)
    return Stale(rows, files, "they compare other fusions, too" if gone else "")


def stale_predictions(read: Read) -> Stale:
    """Return which predictions do not belong to the params beside them, whatever the table says."""
    try:
        state = _State(read)
        return Stale({name: reason for name in state.names if (reason := state.behind(name))})
    except (ArtifactError, ParamsError) as error:
        return Stale(unknown=_place_and_value(error))


def stale_files(read: Read, paths: Iterable[str]) -> dict[str, str]:
    """Return which of some outputs are of other params than those beside them, and why.

    Raises
    ------
    ParamsError, ArtifactError
        params.yaml or dvc.lock is missing or broken.
    """
    state = _State(read)
    return {path: reason for path in paths if (reason := state.behind_file(path))}


def _behind_interaction(read: Read, sources: Mapping[str, Any]) -> str:
    """Return why metrics/interaction.json does not belong to the table, or ""."""
    if sources.get("suite") is None:
        # Of a version before there was such a file.
        return ""
    if _is_another(read, SUMMARY, sources["suite"]):
        return f"{SUMMARY} is another now"
    try:
        of = json.loads(read(INTERACTION)).get("results")
    except (ArtifactError, ValueError, AttributeError):
        return "missing or broken"
    return "" if of == sources.get("fingerprint") else "of other results than the table"


def _is_another(read: Read, path: Path, digest: str | None) -> bool:
    """Tell whether a file is another than it was; one that had no digest is not looked at."""
    try:
        return digest is not None and md5_of(read(path)) != digest
    except ArtifactError:
        return True


def _place_and_value(error: Exception) -> str:
    """Return an error without its advice, which is for the workspace and may speak of a commit."""
    return str(error).partition(";")[0]


class _State:
    """Params and dvc.lock of the workspace or of a revision."""

    def __init__(self, read: Read) -> None:
        self._read, self._raw = read, parse(read(PARAMS_FILE), str(PARAMS_FILE))
        self.params = validate(Params, self._raw, str(PARAMS_FILE))
        self._checked = self.params.checked_files()
        self._stages = _read_stages(read)
        self._makers = {path: name for name, stage in self._stages.items() for path in stage.made}
        self._behind = cache(self._find_behind)

    @property
    def names(self) -> list[str]:
        """The rows that the comparison ought to have."""
        return [*self.params.fusions, *BASELINES]

    def reason(self, name: str, made: Mapping[str, str]) -> str:
        """Return why a row is stale, or "".

        Parameters
        ----------
        made : mapping of str to str
            Digests of the predictions that the table was made from.
        """
        if behind := self.behind(name):
            return behind
        if name not in made:
            return "listed in fusions, but not in the table yet"
        folder = f"predictions/{name}"
        if made[name] != self._stages[self._makers[folder]].made[folder]:
            return "predicted anew since the table was made"
        return ""

    def behind(self, name: str) -> str:
        """Return why the predictions of a row do not belong to the params, or ""."""
        maker = self._makers.get(f"predictions/{name}")
        return self._behind(maker) if maker else "listed in fusions, but not trained yet"

    def behind_file(self, path: str) -> str:
        """Return why a file does not belong to the params, or ""; a missing one is not stale."""
        maker = self._makers.get(path)
        return self._behind(maker) if maker else ""

    def _find_behind(self, name: str) -> str:
        """Return why a stage, or one before it, would run again; "" if it would not."""
        stage = self._stages[name]
        for key, value in stage.params.items():
            if changed := _changed(key, value, self._raw.get(key)):
                return f"made with other {changed} than those of {PARAMS_FILE}"
        for path, digest in stage.dependencies.items():
            maker = self._makers.get(path)
            if maker is None and self._differs(path, digest):
                return self._words(path)
            if maker is not None:
                if behind := self._behind(maker):
                    return behind
                if self._stages[maker].made[path] != digest:
                    return f"{path} was made anew since"
        return ""

    def _differs(self, path: str, digest: str) -> bool:
        """Tell whether a file that no stage made as such is another now."""
        if path.startswith(_CHECKED):
            content = self._checked.get(path.removeprefix(_CHECKED))
            return content is None or md5_of(json_text(content).encode()) != digest
        if path == self.params.data.sensors:
            return md5_of(self._read(Path(path))) != digest
        if path == self.params.data.archive:
            return self._added(path) not in (None, digest)
        return False

    def _added(self, path: str) -> str | None:
        """Return the digest of a file that `dvc add` keeps."""
        try:
            outs = yaml12.load(self._read(Path(f"{path}.dvc")).decode())["outs"]
            return str(outs[0]["md5"])
        except (ArtifactError, ValueError, LookupError, TypeError):
            return None

    def _words(self, path: str) -> str:
        if path == f"{_CHECKED}seeds.json":
            return f"made with other train.seeds than those of {PARAMS_FILE}"
        if path == f"{_CHECKED}classes.json":
            return f"made with other data.classes or synthesize.task than those of {PARAMS_FILE}"
        if path.startswith(_CHECKED):
            other = "train, override, lidar or model" + self._or_code(path)
            return f"trained with other {other} than those of {PARAMS_FILE}"
        return f"{path} is another now"

    def _or_code(self, path: str) -> str:
        """Name the code of corruptions, where a file of settings has it: it may be what differs."""
        content = self._checked.get(path.removeprefix(_CHECKED), {})
        return ", or code of corruptions," if "corruptions" in content else ""


def _read_stages(read: Read) -> dict[str, _Stage]:
    """Return the stages of dvc.lock by name; raise ArtifactError if it is missing or broken."""
    content = read(_LOCK)
    try:
        return {name: _stage(locked) for name, locked in read_lock(content.decode()).items()}
    except ValueError:
        raise ArtifactError(f"{_LOCK}: broken; 'git restore {_LOCK}' mends it") from None


def _stage(locked: LockedStage) -> _Stage:
    deps, outs = ({file.path: file.md5 for file in files} for files in (locked.deps, locked.outs))
    return _Stage(deps, locked.params.get(str(PARAMS_FILE), {}), outs)


def _changed(key: str, old: object, new: object) -> str:
    """Return which params of a section are not as they were, by their names; "" if none."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return key if old != new else ""
    keys = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{key}.{name}" for name in keys)
