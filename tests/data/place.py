"""Where one test reads an archive and writes samples."""

from pathlib import Path
from typing import Any

from tests.data.archives import params, sensors

from fusebench.data.extract import extract
from fusebench.data.settings import DataParams
from fusebench.files import read_table
from fusebench.samples.samples import read_samples_table


class Place:
    """Where one test reads and writes."""

    def __init__(self, folder: Path) -> None:
        self.zip = folder / "some.zip"
        self.samples = folder / "out" / "samples"
        self.metrics = folder / "metrics" / "data.json"

    def extract(self, **changes: Any) -> dict[str, Any]:
        """Extract; keywords are keys of `data` and of the sensors."""
        of_data = {
            key: changes.pop(key) for key in tuple(changes) if key in DataParams.model_fields
        }
        return extract(params(self.zip, **of_data), sensors(**changes), self.samples, self.metrics)

    def contents(self) -> dict[str, bytes]:
        """Every file that is there but the zip, hidden ones included."""
        folder = self.zip.parent
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path != self.zip
        }

    def keys(self) -> list[tuple[str, str]]:
        """Class and id of every row."""
        table = read_samples_table(self.samples)
        assert table["row"].tolist() == list(range(len(table)))
        return list(zip(table["class"], table["id"], strict=True))

    def skipped(self) -> list[str]:
        problems: list[str] = read_table(self.samples / "skipped.csv", {"problem": str})[
            "problem"
        ].tolist()
        return problems
