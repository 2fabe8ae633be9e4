"""A trained fusion, written as one file and checked, with a card of what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusebench.aside import replace_outputs
from fusebench.export.about import about
from fusebench.export.card import card
from fusebench.export.check import check, from_kept
from fusebench.export.folder import check_own, digests, finish
from fusebench.export.format import load_format
from fusebench.export.markdown import at_most
from fusebench.export.results import FILES, TRAINING, behind, read_results
from fusebench.export.subject import MODELS, SAMPLES, SPLIT, Subject
from fusebench.revisions.revisions import PREDICTIONS

LICENCE = Path("LICENSE")
# Of what is not known: what the card would show.
_SHOWN = ("exported", "metrics", "best", "robustness", "training")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
    content : dict
        As `about.about`.
    """

    folder: Path
    content: dict[str, Any]

    @property
    def lines(self) -> list[str]:
        """What is to be said of it."""
        content, check = self.content, self.content["check"]
        unknown, kept = content["unknown"], check["from_kept_predictions"]
        what = "model of seed" if len(content["seeds"]) == 1 else "mean of the models of seeds"
        seeds = ", ".join(map(str, content["seeds"]))
        missing = [f"not in the card: {key}: {unknown[key]}" for key in _SHOWN if key in unknown]
        return [
            *([content["calibration_remark"]] if content["calibration_remark"] else []),
            f"{self.folder}: {content['fusion']}, {what} {seeds}",
            f"Largest difference of a probability on {check['samples']:,} samples of "
            f"{check['part']}, from:",
            f"  the models in torch, fp32: {_said(check['from_torch_fp32'])}; "
            f"{check['tolerance']:g} is allowed",
            f"  kept predictions, {content['trained_in']}: "
            f"{_said(kept) if kept else 'not known: ' + unknown['kept_predictions']}",
            *missing,
        ]


def _said(difference: Mapping[str, Any]) -> str:
    count = difference["other_class"]
    return f"{at_most(difference['largest'])}; another class for {count:,} sample(s)"


def read_paths(fusion: str) -> list[Path]:
    """Return what is read that stages made, for `recorded.check_files`."""
    return [
        MODELS / fusion, SAMPLES, SPLIT, PREDICTIONS / fusion, TRAINING / f"{fusion}.json", *FILES
    ]  # fmt: skip


def export(
    fusion: str, name: str, folder: Path, seed: int | None = None, threads: int = 1
) -> Exported:
    """Write the kept models of a fusion in the working directory as one file, and check it.

    Parameters
    ----------
    name : str
        Of the format.
    folder : Path
        What is written; it takes the place of an earlier export.
    seed : int, optional
        Whose model is written; by default the mean of all.
    threads : int
        With which the file is checked.

    Raises
    ------
    ParamsError
        There is no such format or seed, a package is missing, or the folder holds other files.
    ArtifactError
        Models or samples are missing, broken, or of each other's no; or the file does not answer
        as the models do.
    """
    written = load_format(name)
    check_own(folder)
    subject = Subject.open(fusion, seed, threads)
    stale = behind(fusion)
    results = read_results(fusion, subject.seeds, subject.uncalibrated)
    # Looked at again at the end: writing takes a while.
    with replace_outputs([folder], check=lambda _: check_own(folder)) as (aside,):
        written.write(subject.graph, aside / written.file)
        checked = check(written.open(aside / written.file, threads), subject)
        kept = from_kept(subject, checked.probabilities, stale)
        requires = written.requires(aside / written.file)
        content = about(subject, name, written, checked, kept, results, stale, requires)
        finish(aside, content, card(content, written, digests(aside)), LICENCE)
    return Exported(folder, content)
