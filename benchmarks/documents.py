"""Which measured tables stand in which document, between <!-- name --> and <!-- /name -->."""

from pathlib import Path

from benchmarks import precision
from benchmarks.markdown import committed, read_results, summary, tables
from fusebench.errors import ArtifactError
from fusebench.files import read_json, replace_file
from fusebench.report.export import verdict_head
from fusebench.report.pairs import read_pairs
from fusebench.samples.samples import read_csv

DOCUMENTS = ("README.md", "docs/speed.md")


def write(root: Path) -> None:
    """Bring the documents up to what benchmarks/results/ holds."""
    for document in DOCUMENTS:
        text = filled(root, document)
        with replace_file(root / document) as aside:
            aside.write_text(text, "utf-8")


def filled(root: Path, document: str) -> str:
    """Return a document's text with the tables of benchmarks/results/ in their places."""
    text = (root / document).read_text("utf-8")
    for name, content in _blocks(root, document).items():
        text = replaced(text, name, content, document)
    return text


def _blocks(root: Path, document: str) -> dict[str, str]:
    folder = root / "benchmarks/results"
    results = read_results(committed(folder))
    if document == "README.md":
        return {"bench": summary(results), "verdict": _verdict(root / "metrics/verdict")}
    studies = [read_json(path) for path in sorted(folder.glob("precision-*.json"))]
    return {
        "bench": tables(results),
        "precision": "\n\n".join(precision.section(study) for study in studies),
    }


def _verdict(folder: Path) -> str:
    table = read_csv(folder / "comparison.csv", ("Model",))
    return verdict_head(table, read_pairs(folder / "pairs.csv"))


def replaced(text: str, name: str, content: str, document: str) -> str:
    """Return a text with what stands between the marks of a name replaced.

    Raises
    ------
    ArtifactError
        The marks are missing.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise ArtifactError(f"{document}: the marks {begin.strip()} and {end} are missing")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}{content}\n{end}{rest.split(end, 1)[1]}"
