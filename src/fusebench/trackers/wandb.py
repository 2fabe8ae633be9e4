"""Weights & Biases: online where somebody is logged in, else a folder that `wandb sync` uploads."""

import configparser
import netrc
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fusebench.tracking.run import Lines, Run, Table
from fusebench.tracking.tracker import LOCAL, PROJECT, Told, Tracker, without_passwords

_SERVER = "https://api.wandb.ai"
# Where the environment says nothing of it: no report of errors goes to its maker.
_DEFAULTS = {"WANDB_ERROR_REPORTING": "false"}
# Its own folder in the one that it is given: the first where that is there, else the second.
_HIDDEN, _PLAIN = ".wandb", "wandb"
_HASH = re.compile("[0-9a-f]{40,}")


class WandB(Tracker):
    """WANDB_MODE, WANDB_PROJECT and the others of its variables, or tracking/wandb/."""

    packages = ("wandb",)

    @classmethod
    def destination(cls) -> str:
        """Return the server or folder, and the project with its entity, if one is named."""
        mode = _mode()
        given = Path(os.environ.get("WANDB_DIR") or LOCAL)
        folder = given / _own(_main() / given).name
        place = _server() if mode == "online" else f"{folder} ({mode})"
        return f"{place}, project {'/'.join(filter(None, (_setting('entity'), _project())))}"

    def open(self, run: Run, *, again: bool) -> Told:
        """Begin a run, or go on with the one of its id."""
        folder = self.root / (os.environ.get("WANDB_DIR") or LOCAL)
        folder.mkdir(parents=True, exist_ok=True)
        # What artifacts are made of, which wandb would keep in the home folder.
        defaults = _DEFAULTS | {
            name: str((_own(folder) / part).resolve())
            for name, part in (("WANDB_DATA_DIR", "data"), ("WANDB_CACHE_DIR", "cache"),
                               ("WANDB_ARTIFACT_DIR", "artifacts"))
        }  # fmt: skip
        for name, text in defaults.items():
            os.environ.setdefault(name, text)
        import wandb

        name = run.id
        if again:
            for own in (_HIDDEN, _PLAIN):
                for old in (folder / own).glob(f"offline-run-*-{run.id}"):
                    shutil.rmtree(old)
            if _mode() == "online":
                # A server takes the id of no run that it had.
                name = f"{run.id}-{int(time.time())}"
        # Tags are short there; the whole of them is beside the params.
        config = run.params | {f"fusebench.{tag}": text for tag, text in run.tags.items()}
        opened = wandb.init(
            id=name, name=run.name, group=run.group, job_type=run.kind, config=config,
            tags=[_short(tag, text) for tag, text in run.tags.items()], resume="allow",
            project=_project(), mode=_mode(), dir=str(folder.resolve()), reinit="create_new",
            settings=wandb.Settings(
                console="off", silent=True, disable_code=True, disable_git=True,
                x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
            ),
        )  # fmt: skip
        # What is told late is drawn where it belongs.
        opened.define_metric("epoch")
        opened.define_metric("*", step_metric="epoch")
        return _Told(opened, run)


def _short(tag: str, text: str) -> str:
    """Return a tag as W&B shows it in a list: at most 64 characters."""
    if tag == "changed":
        return tag
    return f"{tag}:{text[:7] if _HASH.fullmatch(text) else text}"[:64]


def _main() -> Path:
    return Path(os.environ.get("DVC_ROOT", ""))


def _own(folder: Path) -> Path:
    """Return W&B's own folder in one, by its own choice."""
    hidden = folder / _HIDDEN
    return hidden if hidden.exists() else folder / _PLAIN


def _setting(name: str) -> str:
    """Return what W&B's variable or its files of settings say, in its own order, or ""."""
    if said := os.environ.get(f"WANDB_{name.upper()}"):
        return said
    of_user = Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()
    for file in (_own(_main()), of_user):
        settings = configparser.ConfigParser(interpolation=None)
        # One that is broken is for W&B to complain of.
        with suppress(OSError, ValueError, configparser.Error):
            settings.read_string((file / "settings").read_text("utf-8"))
            if said := settings.get("default", name, fallback=""):
                return said
    return ""


def _project() -> str:
    return _setting("project") or PROJECT


def _server() -> str:
    return without_passwords(_setting("base_url") or _SERVER).rstrip("/")


def _mode() -> Any:
    """Return the mode: that of W&B's settings, or by whether somebody is logged in."""
    if mode := _setting("mode"):
        return mode
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return "online"
    host = urlsplit(_server()).hostname or ""
    for path in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        with suppress(OSError, netrc.NetrcParseError):
            if path and netrc.netrc(Path(path).expanduser()).authenticators(host):
                return "online"
    return "offline"


class _Told(Told):
    # A process of its own writes it, some time later.
    kept_at_once = False

    def __init__(self, opened: Any, run: Run) -> None:
        self._opened, self._run = opened, run

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        # A step that is behind would not be taken; `epoch` says where it is drawn.
        step = epoch if epoch >= self._opened.step else None
        self._opened.log(dict(figures), step=step)

    def figures(self, figures: Mapping[str, float]) -> None:
        self._opened.summary.update(dict(figures))

    def table(self, name: str, table: Table) -> None:
        import wandb

        rows = [list(row) for row in table.rows]
        self._opened.log({name: wandb.Table(columns=list(table.columns), data=rows)})

    def charts(self, charts: Mapping[str, Lines]) -> None:
        from wandb import plot

        for name, lines in charts.items():
            xs = [[epoch for epoch, _ in points] for points in lines.values()]
            ys = [[value for _, value in points] for points in lines.values()]
            drawn = plot.line_series(xs, ys, keys=list(lines), title=name, xname="epoch")
            self._opened.log({f"charts/{name}": drawn})

    def pictures(self, pictures: Mapping[str, Path]) -> None:
        import wandb

        if pictures:
            self._opened.log({name: wandb.Image(str(path)) for name, path in pictures.items()})

    def files(self, files: Mapping[str, Path]) -> None:
        import wandb

        kind = "model" if self._run.kind == "training" else "report"
        artifact = wandb.Artifact(f"{self._run.name.replace(' ', '-')}-{self._run.id[:8]}", kind)
        for name, path in files.items():
            artifact.add_file(str(path), name)
        self._opened.log_artifact(artifact)

    def close(self, *, finished: bool) -> None:
        self._opened.finish(exit_code=0 if finished else 1)
