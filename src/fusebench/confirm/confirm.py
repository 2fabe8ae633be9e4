"""Opening the holdout: what is looked at before, the record in git, and then the answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from fusebench.aside import replace_outputs
from fusebench.baselines.predict import THRESHOLD
from fusebench.confirm import page
from fusebench.confirm.holdout import Holdout
from fusebench.confirm.judged import Judged, held_out, held_out_threshold, metrics_table
from fusebench.confirm.record import OPENED, Opening, Past, table
from fusebench.confirm.repository import check_committed, commit_file
from fusebench.confirm.resolution import resolution
from fusebench.device import Device
from fusebench.errors import HoldoutError
from fusebench.evaluation.metrics import METRICS
from fusebench.files import write_table
from fusebench.prediction.predict import KeptModels
from fusebench.prediction.predictions import FusionPredictions, read_predictions
from fusebench.recorded import check_files
from fusebench.report.best import draws_of
from fusebench.report.settings import CompareParams
from fusebench.samples.manifest import read_manifest
from fusebench.samples.samples import open_samples
from fusebench.sealed import file_digest

_SAMPLES, _SPLIT = Path("data/samples"), Path("data/split.csv")
_MODELS, _PREDICTIONS = Path("models"), Path("predictions")
HOLDOUT_PAIRS, HOLDOUT_BEST, HOLDOUT_METRICS, PAGE = (
    OPENED.with_name(name) for name in ("pairs.csv", "best.csv", "metrics.csv", "confirmed.md")
)


@dataclass(frozen=True)
class Proposal:
    """All that can be known before the holdout is opened.

    Attributes
    ----------
    commit : str
        HEAD, which names what is opened.
    declared : CompareParams
        The metric that decides, its margin and the planned contrasts.
    models : dict of str to KeptModels
        By fusion.
    threshold : FusionPredictions
        The kept predictions of the baseline.
    draws : str
        As in `Best`.
    test : Judged
        What the kept predictions of the same models say.
    samples : str
        Digest of the table of samples.
    """

    commit: str
    declared: CompareParams
    models: Mapping[str, KeptModels]
    threshold: FusionPredictions
    draws: str
    test: Judged
    holdout: Holdout
    samples: str
    past: Past

    @classmethod
    def read(
        cls, commit: str, declared: CompareParams, fusions: tuple[str, ...], device: Device
    ) -> Self:
        """Look at all that is needed, so that nothing is missing once the holdout is opened.

        Raises
        ------
        ArtifactError
            Samples, split, models or predictions are missing, broken, or not those of dvc.lock; or
            fusions were trained with other seeds than others.
        HoldoutError
            No sample is held out.
        """
        kept = [folder / name for name in fusions for folder in (_MODELS, _PREDICTIONS)]
        check_files([_SAMPLES, _SPLIT, _PREDICTIONS / THRESHOLD, *kept])
        samples, manifest = open_samples(_SAMPLES), read_manifest(_SPLIT)
        models = {
            name: KeptModels.open(_MODELS / name, name, samples, manifest, device)
            for name in fusions
        }
        answers = {name: read_predictions(_PREDICTIONS / name) for name in fusions}
        threshold = read_predictions(_PREDICTIONS / THRESHOLD)
        seeds = list(next(iter(models.values())).description.seeds)
        holdout, past = Holdout.of(manifest, seeds), Past.read()
        digest, draws = file_digest(_SAMPLES / "samples.csv"), draws_of(answers)
        test = Judged.of(answers, declared, threshold, draws)
        return cls(commit, declared, models, threshold, draws, test, holdout, digest, past)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the models, which are the same for every fusion."""
        return list(next(iter(self.models.values())).description.seeds)

    def text(self) -> str:
        """Return what is to be known before, for the screen."""
        earlier, others = self.past.of(self.samples), self.past.of_others(self.samples)
        return page.before(
            self.holdout,
            METRICS[self.declared.primary],
            len(self.seeds),
            resolution(self.test.pairs, self.holdout.ids),
            earlier,
            others,
            self.past.shallow,
        )

    def open(self, tell: Callable[[str], None]) -> page.Confirmation:
        """Record the opening in git, let the models answer, measure, and write metrics/holdout.

        Ended after the record, nothing but the record is left.

        Parameters
        ----------
        tell : callable
            Called with a line when the opening is recorded.

        Raises
        ------
        HoldoutError
            HEAD is another since the question was asked, or git refuses to commit; nothing opened.
        ArtifactError
            Weights or samples are broken.
        """
        opening = self._record(tell)
        answers = {name: held_out(models) for name, models in self.models.items()}
        some = next(iter(self.models.values()))
        threshold = held_out_threshold(some.samples, some.manifest, self.threshold)
        holdout = Judged.of(answers, self.declared, threshold, self.draws)
        earlier = self.past.of(self.samples)
        confirmation = page.Confirmation(
            opening, earlier, self.declared.primary, self.test, holdout
        )
        # Each by its name: the record beside them stays where it is.
        files = [HOLDOUT_PAIRS, HOLDOUT_BEST, HOLDOUT_METRICS, PAGE]
        with replace_outputs(files=files) as (pairs, best, metrics, text):
            write_table(pairs, holdout.pairs)
            write_table(best, holdout.best)
            write_table(metrics, metrics_table(self.test, holdout))
            text.write_text(confirmation.markdown(), "utf-8", newline="\n")
        return confirmation

    def _record(self, tell: Callable[[str], None]) -> Opening:
        # The question may have been answered hours after it was asked.
        if check_committed() != self.commit:
            raise HoldoutError(
                "git: HEAD is another since the question was asked; nothing was opened, run the "
                "same command again"
            )
        opening = Opening(
            opened=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            commit=self.commit,
            samples=self.samples,
            holdout=self.holdout.digest,
            counts="; ".join(f"{count} {name}" for name, count in self.holdout.counts.items()),
            seeds=" ".join(map(str, self.seeds)),
            fusions=" ".join(self.models),
        )
        text = table([*self.past.openings, opening])
        record = commit_file(OPENED, text, f"Holdout opened on {self.commit[:7]}")
        tell(f"Recorded in git, as {record[:7]}: {OPENED}.")
        return opening
