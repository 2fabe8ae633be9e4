"""DVCLive: a folder of files per run, which `dvc metrics show` and `dvc plots show` can show."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusebench.tracking.folders import FolderTold, FolderTracker
from fusebench.tracking.run import Lines, Run, Table
from fusebench.tracking.tracker import LOCAL, Told


class DVCLive(FolderTracker):
    """tracking/dvclive/<group>/<run>/."""

    packages = ("dvclive",)
    local = LOCAL / "dvclive"

    def open(self, run: Run, *, again: bool) -> Told:
        """Begin a run, or go on with the one in its folder."""
        # Where a token is configured, DVCLive would tell DVC Studio, too.
        os.environ.setdefault("DVC_STUDIO_OFFLINE", "true")
        from dvclive.live import Live

        folder = self.folder(run, again=again)
        # It makes no experiment and no dvc.yaml: DVC's own stage has begun this.
        live = Live(
            str(folder), resume=(folder / "metrics.json").is_file(), dvcyaml=None,
            save_dvc_exp=False,
        )  # fmt: skip
        live.log_params(dict(run.params))
        return _Told(live, folder)


class _Told(FolderTold):
    def __init__(self, live: Any, folder: Path) -> None:
        # `log_artifact` forgets folders, and refuses to work where there is no repository of DVC.
        super().__init__(Path(live.artifacts_dir))
        self._live, self._folder = live, folder

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        self._live.step = epoch
        for name, value in figures.items():
            self._live.log_metric(name, value)
        self._live.make_summary()

    def figures(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._live.log_metric(name, value, plot=False)
        self._live.make_summary()

    def table(self, name: str, table: Table) -> None:
        (self._folder / f"{name}.csv").write_text(table.csv(), "utf-8", newline="\n")

    def charts(self, charts: Mapping[str, Lines]) -> None:
        for name, lines in charts.items():
            points = [
                {"epoch": epoch, "model": line, name: value}
                for line, values in lines.items()
                for epoch, value in values
            ]
            self._live.log_plot(name, points, x="epoch", y=name, title=name)

    def pictures(self, pictures: Mapping[str, Path]) -> None:
        for name, path in pictures.items():
            self._live.log_image(f"{name}.png", path)

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  (its files say nothing of it)
        self._live.end()
