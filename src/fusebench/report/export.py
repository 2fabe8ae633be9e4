"""A comparison copied to a folder: its tables, its pictures and what may be said of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fusebench.aside import replace_folder
from fusebench.config import PARAMS_FILE, parse
from fusebench.errors import ArtifactError
from fusebench.report import robustness_files
from fusebench.report.best import BEST
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION
from fusebench.report.pairs import PAIRS
from fusebench.report.probabilities import PROBABILITIES
from fusebench.report.results import SOURCES
from fusebench.report.stored import read_if_there
from fusebench.report.table import TABLE, markdown_table

PICTURES = ("best", "metrics", "confusion", "pairs", "precision_recall", "roc", "training")
NEWER = (
    Path("plots/pareto.png"),
    Path("plots/reliability.png"),
    Path("plots/stress/robustness.png"),
    PROBABILITIES,
    robustness_files.TABLE,
    robustness_files.SUMMARY,
    robustness_files.PAIRS,
    Path("metrics/analysis.md"),
    Path("metrics/recommendation.json"),
    PARAMS_FILE,
)
"""What commits of earlier versions lack."""
FILES = (
    TABLE,
    PAIRS,
    BEST,
    SOURCES,
    *(Path("plots") / f"{name}.png" for name in PICTURES),
)


def export(read: Callable[[Path], bytes], folder: Path) -> None:
    """Write a comparison's files and verdict.md into a folder, all or none.

    Commits of earlier versions lack some, and then the folder does.

    Parameters
    ----------
    read : callable
        Gives the content of a file by its path in the project.
    """
    with replace_folder(folder) as aside:
        for path in FILES:
            (aside / path.name).write_bytes(read(path))
        for path in NEWER:
            if (content := read_if_there(read, path)) is not None:
                (aside / path.name).write_bytes(content)
        findings = Findings.read(read)
        if findings.interaction:
            (aside / INTERACTION.name).write_bytes(read(INTERACTION))
        (aside / "verdict.md").write_text(verdict_page(findings), "utf-8", newline="\n")


def is_exported(folder: Path) -> bool:
    """Tell whether `export` wrote a folder, of this version or an earlier one."""
    return (folder / PAIRS.name).is_file() and (folder / "verdict.md").is_file()


def exported(folder: Path) -> Findings:
    """Return the findings that `export` copied to a folder.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of another version of fusebench.
    """
    try:
        return Findings.read(lambda path: (folder / path.name).read_bytes())
    except (ArtifactError, FileNotFoundError) as error:
        reason = str(error).partition(";")[0]
        raise ArtifactError(
            f"{folder}: no comparison that this version exported ({reason}); 'make verdict' writes "
            "metrics/verdict anew"
        ) from None


def exported_params(folder: Path) -> dict[str, Any] | None:
    """Return the params that an exported comparison was run with; None: it does not tell.

    Raises
    ------
    ParamsError
        The file is broken.
    """
    path = folder / PARAMS_FILE.name
    return parse(path.read_bytes(), str(path)) if path.is_file() else None


def verdict_page(findings: Findings) -> str:
    """Return the verdict as a Markdown page: what to use, the table, each pair."""
    items = "\n".join(f"- {sentence}" for sentence in findings.sentences)
    return f"# Verdict\n\n{verdict_head(findings)}\n\n{items}\n"


def verdict_head(findings: Findings) -> str:
    """Return what to use and the table, as Markdown."""
    said = [f"**{findings.answer}**", *(" ".join(part) for part in findings.paragraphs)]
    return "\n\n".join([*said, markdown_table(findings.table, findings.pairs)])
