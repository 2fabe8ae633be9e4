"""What is said before and after the holdout is opened, on the screen and in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fusebench.confirm.holdout import Holdout, counts_text
from fusebench.confirm.judged import FEWEST, Judged
from fusebench.confirm.record import Opening
from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.report.recommendation import listed
from fusebench.report.table import SCREEN_WIDTH
from fusebench.report.verdict import on_screen

_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def before(
    holdout: Holdout, metric: Metric, seeds: int, resolution: str,
    earlier: Sequence[Opening], others: Sequence[Opening], shallow: bool,
) -> str:  # fmt: skip
    """Return what is to be known before the holdout is opened.

    Parameters
    ----------
    metric : Metric
        The one that decides.
    seeds : int
        How many models of each fusion will answer.
    resolution : str
        What size of difference the holdout can show.
    earlier, others : sequence of Opening
        Of this archive, and of others.
    shallow : bool
        Whether there may be earlier ones that this clone does not hold.
    """
    groups = f" in {holdout.ids:,} groups" if holdout.grouped else ""
    lines = [
        f"Holdout: {counts_text(holdout.counts)}{groups}; {holdout.worth(metric)}. {seeds} "
        "seed(s).",
        resolution,
    ]
    if seeds < FEWEST:
        lines.append(
            f"{seeds} seed(s) are too few to say anything of the fusions, trained again (from "
            f"{FEWEST} on): this would spend the holdout on these trained models."
        )
    if earlier:
        lines.append(_warning(earlier))
    else:
        lines.append("It was not opened before, as far as git knows.")
    if others:
        lines.append(f"Opened with other samples, some of which may be the same: {_words(others)}.")
    if shallow:
        lines.append("Warning: this clone is shallow; openings before its beginning are not seen.")
    return on_screen(lines, SCREEN_WIDTH)


def _warning(earlier: Sequence[Opening]) -> str:
    return (
        f"Warning: this is the {ordinal(len(earlier) + 1)} time (before: {_words(earlier)}); a "
        "result chosen after an earlier look is no confirmation."
    )


def _words(openings: Sequence[Opening]) -> str:
    return listed([opening.words for opening in openings])


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "11th", …."""
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else _ENDINGS.get(number % 10, 'th')}"


@dataclass(frozen=True)
class Confirmation:
    """What the holdout said.

    Attributes
    ----------
    opening : Opening
    earlier : sequence of Opening
        Of the same archive.
    primary : str
        The metric that decides.
    test, holdout : Judged
    """

    opening: Opening
    earlier: Sequence[Opening]
    primary: str
    test: Judged
    holdout: Judged

    def screen(self) -> str:
        """Return all of it for the screen."""
        figures = self._figures().to_string(index=False)
        said = [*self._head(), *self._both(), *self.holdout.sentences]
        return "\n".join([on_screen(said, SCREEN_WIDTH), "", figures])

    def markdown(self) -> str:
        """Return all of it as a page."""
        items = "\n".join(f"- {sentence}" for sentence in self.holdout.sentences)
        paragraphs = [*self._head(), *self._both(), items]
        figures = self._figures().to_markdown(
            index=False, disable_numparse=True, colalign=["left", "right", "right", "right"]
        )
        return "\n\n".join(["# The holdout", *filter(None, paragraphs), figures]) + "\n"

    def _head(self) -> list[str]:
        opening = self.opening
        head = (
            f"Opened at {opening.opened} on commit {opening.commit}, for the "
            f"{ordinal(len(self.earlier) + 1)} time: {opening.counts.replace(';', ',')}; seeds "
            f"{opening.seeds.replace(' ', ', ')}."
        )
        return [head, _warning(self.earlier)] if self.earlier else [head]

    def _both(self) -> list[str]:
        return [f"On test: {self.test.answer}", f"On the holdout: {self.holdout.answer}"]

    def _figures(self) -> pd.DataFrame:
        """Return the metric that decides, per fusion, on test and on the holdout, as text."""
        metric = METRICS[self.primary]
        rows = []
        for name in self.test.metrics:
            test, holdout = (part.metrics[name][metric.name] for part in (self.test, self.holdout))
            change = holdout["mean"] - test["mean"]
            rows.append(
                [name, *(_mean(figures, metric) for figures in (test, holdout)),
                 f"{change:+.{metric.digits}f}"]
            )  # fmt: skip
        unit = f" ({metric.unit})" if metric.unit else ""
        columns = ["fusion", f"test {metric.label}{unit}", "holdout", "holdout − test"]
        return pd.DataFrame(rows, columns=columns)


def _mean(figures: dict[str, float | None], metric: Metric) -> str:
    mean, deviation = (figures[name] for name in ("mean", "deviation"))
    spread = "" if deviation is None else f" ± {deviation:.{metric.digits}f}"
    return f"{mean:.{metric.digits}f}{spread}"
