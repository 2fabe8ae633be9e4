"""Files of results, and the documents that show them between <!-- name --> and <!-- /name -->."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import precision
from benchmarks.cells import Result
from benchmarks.library import verdict_text
from benchmarks.markdown import summary, tables
from benchmarks.marks import replaced
from benchmarks.scaling.report import scale_tables
from fusebench.aside import replace_file
from fusebench.errors import ArtifactError
from fusebench.files import read_json

DOCUMENTS = ("README.md", "docs/speed.md")
RESULTS = Path("benchmarks/results")
PRECISION, SCALE = "precision-", "scale-"
"""How the names of the files of study.py and of scale.py begin."""


def result_files(root: Path) -> list[Path]:
    """Return the committed files of bench.py, sorted; those of others have a prefix."""
    paths = (root / RESULTS).glob("*.json")
    return sorted(path for path in paths if not path.name.startswith((PRECISION, SCALE)))


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Return the results of files that bench.py wrote.

    Raises
    ------
    ArtifactError
        A file is missing, is no JSON, or has another content.
    """
    results: list[Result] = []
    for path in paths:
        result = read_json(path)
        if "training" not in result:
            raise ArtifactError(f"{path}: holds no results of bench.py; 'make bench' writes them")
        results.append(result)
    return results


def write(root: Path) -> None:
    """Bring the documents up to date with the committed results."""
    for document in DOCUMENTS:
        text = filled(root, document)
        with replace_file(root / document) as aside:
            aside.write_text(text, "utf-8", newline="\n")


def filled(root: Path, document: str) -> str:
    """Return a document's text with the tables of the committed results between its marks."""
    text = (root / document).read_text("utf-8")
    for name, content in _blocks(root, document).items():
        text = replaced(text, name, content, document)
    return text


def _blocks(root: Path, document: str) -> dict[str, str]:
    results = read_results(result_files(root))
    if document == "README.md":
        return {"bench": summary(results), "verdict": verdict_text(root / "metrics/verdict")}
    return {
        "bench": tables(results),
        "scale": scale_tables(_read_all(root, SCALE)),
        "precision": "\n\n".join(map(precision.section, _read_all(root, PRECISION))),
    }


def _read_all(root: Path, prefix: str) -> list[Result]:
    return [read_json(path) for path in sorted((root / RESULTS).glob(f"{prefix}*.json"))]
