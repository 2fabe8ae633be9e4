"""TensorBoard: a folder of event files per run. It keeps no other files: they lie beside those."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusebench.tracking.folders import FolderTold, FolderTracker
from fusebench.tracking.run import Lines, Run, Table
from fusebench.tracking.tracker import LOCAL, Told


class TensorBoard(FolderTracker):
    """tracking/tensorboard/<group>/<run>/."""

    packages = ("tensorboard",)
    local = LOCAL / "tensorboard"

    def open(self, run: Run, *, again: bool) -> Told:
        """Begin a run, or go on in its folder with another file."""
        from torch.utils.tensorboard import SummaryWriter

        folder = self.folder(run, again=again)
        writer = SummaryWriter(str(folder))
        rows = [[name, value] for name, value in run.params.items()]
        writer.add_text("params", Table(("param", "value"), rows).markdown())
        return _Told(writer, run, folder)


class _Told(FolderTold):
    def __init__(self, writer: Any, run: Run, folder: Path) -> None:
        super().__init__(folder)
        self._writer, self._run = writer, run

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def figures(self, figures: Mapping[str, float]) -> None:
        # With the params, as a row of its own table; "." is the folder of this run.
        self._writer.add_hparams(self._run.params, dict(figures), run_name=".")

    def table(self, name: str, table: Table) -> None:
        self._writer.add_text(name, table.markdown())

    def charts(self, charts: Mapping[str, Lines]) -> None:
        if charts:
            layout = {name: ["Multiline", [f"^{name}/.*$"]] for name in charts}
            self._writer.add_custom_scalars({"models": layout})

    def pictures(self, pictures: Mapping[str, Path]) -> None:
        import numpy as np
        from PIL import Image

        for name, path in pictures.items():
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            self._writer.add_image(name, pixels, dataformats="HWC")

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  (its files say nothing of it)
        self._writer.close()
