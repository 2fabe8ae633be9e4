"""The calibration as a page to read: docs/calibration.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fusebench.files import write_json, write_text
from fusebench.report.drawing import save
from fusebench.statistics.estimates import FEWEST_SEEDS
from studies.calibration.calibration import USUAL, Calibration, Cell, Effect, Rate
from studies.calibration.picture import calibration_picture
from studies.calibration.scenarios import SCENARIOS, TITLES, Scenario
from studies.calibration.shortfalls import often, said, shortfalls, too_few
from studies.calibration.simulation import MAJORITY, MINORITY

_NAME = "calibration"

_HEAD = """# How often the statistics are wrong

Written by `make calibration`, all of it; every number is in [calibration.json](calibration.json).

Two fusions are simulated on a test part like the default one: {majority:,} samples of one class and
{minority} of the other, each in a group (of the same id) with one of the first. The truth is known,
so wrong claims can be counted. In seed s, fusion f is right on sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0

with normal terms: *shared_s* is a seed's draw of training data, *own_fs* the fusion's own luck with
it, *difficulty_j* what is hard for both, *own_fj* what is hard for one fusion in all of its seeds,
*noise_fsj* the interaction of seed and id. Collapsed seeds answer the larger class for each sample.
A fusion is made worse by missing more of the smaller class; all expected values have closed forms.
"""

_EXPLAINED = """{trials:,} studies in each line; in brackets exact binomial 95 % intervals.

- *Type I error*: the fusions have the same expected balanced accuracy, and a difference is claimed
  of the fusions, retrained, all the same (p ≤ 5 %). Bold: more than 5 %, beyond chance.
- *Minimum detectable*: the difference that is said to be shown with 80 % power, median of those
  studies. It is made of how much the two differ by now; a worse fusion, farther from 100 %, varies
  more.
- Then the second fusion is worse by that difference, and by *twice* that. *Power*: how often it is
  shown. *Coverage*: how often the 95 % interval contains it. –: more than a fusion can lose.
- *Fixed models*: non-coverage of the claim about these trained models. Its truth is what these very
  models differ by over all samples, which is not 0 where fusions are alike.
"""

_PROMISED = """## Where it falls short

Promised, with {fewest} seeds or more: type I error of at most 5 %, coverage of 95 %, power of 80 %
at the minimum detectable difference, and with {usual} seeds at twice that. Listed is what breaks
this beyond chance.
"""

_TOO_FEW = """
With fewer than {fewest} seeds nothing is claimed of fusions, retrained. {reason}
"""

_UNSEEN = """
What no test can know is a failure so rare that no seed shows it. After n seeds without one it may
still befall 1 − 0.05^(1/n) of seeds: 26 % after 10, 14 % after 20. A mean over seeds includes such
failures, so a claim holds for seeds like those that were seen.
"""

_MANY = """## Many pairs, and the bootstrap

Seven fusions that are all alike, so 21 pairs, {usual} seeds: studies with any type I error after
Holm's correction.
"""

_BOOTSTRAP = """
The two-way bootstrap of two like fusions, {usual} seeds: coverage of its 95 % interval.
"""


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write calibration.json, calibration.md and calibration.png into a folder."""
    write_json(folder / f"{_NAME}.json", calibration.as_json())
    write_text(folder / f"{_NAME}.md", page(calibration))
    save(calibration_picture(calibration), folder / f"{_NAME}.png")


def page(calibration: Calibration) -> str:
    """Return docs/calibration.md."""
    first = calibration.cells[0]
    return "\n".join(
        [
            _HEAD.format(majority=MAJORITY, minority=MINORITY),
            _markdown([_scenario(scenario) for scenario in SCENARIOS]),
            f"![Type I error and coverage by scenario and number of seeds]({_NAME}.png)\n",
            _EXPLAINED.format(trials=first.type_1_error.trials),
            _markdown([_cell(cell) for cell in calibration.cells]),
            _short(calibration),
            _others(calibration),
        ]
    )


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    table: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return table + "\n"


def _scenario(scenario: Scenario) -> dict[str, str]:
    fusions = scenario.fusions
    return {
        "what varies": scenario.title,
        "expected balanced accuracy (%)": _both([f"{fusion.expected:.1f}" for fusion in fusions]),
        "deviation over seeds (points)": _both([f"{value:.1f}" for value in scenario.deviations()]),
        "collapsed (%)": _both([f"{100 * fusion.collapsed:.0f}" for fusion in fusions]),
        "shared": f"{scenario.shared:g}",
        "own_f": _both([f"{fusion.seed:g}" for fusion in fusions]),
        "difficulty": f"{scenario.difficulty:g}",
        "own_fj": f"{scenario.own:g}",
        "noise": f"{scenario.noise:g}",
    }


def _both(values: Sequence[str]) -> str:
    """Return what holds for both fusions, once where it is the same."""
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def _cell(cell: Cell) -> dict[str, str]:
    return {
        "what varies": TITLES[cell.scenario],
        "seeds": str(cell.seeds),
        "type I error (%)": _marked(cell.type_1_error),
        "minimum detectable (points)": f"{cell.minimum_detectable:.1f}",
        **_effect("", cell.once),
        **_effect("twice: ", cell.twice),
        "fixed models: non-coverage (%)": _marked(cell.fixed_noncoverage),
    }


def _effect(prefix: str, effect: Effect | None) -> dict[str, str]:
    return {
        f"{prefix}power (%)": f"{effect.power.percent:.1f}" if effect else "–",
        f"{prefix}coverage (%)": f"{effect.coverage.percent:.1f}" if effect else "–",
    }


def _marked(rate: Rate) -> str:
    low, high = rate.interval
    words = f"{rate.percent:.1f}"
    return f"{f'**{words}**' if often(rate) else words} ({low:.1f}–{high:.1f})"


def _short(calibration: Calibration) -> str:
    broken, few = shortfalls(calibration), too_few(calibration)
    reason = (
        "Else:"
        if few
        else "The type I error of these cells is not above 5 %, but they rest on a guess of the "
        "spread."
    )
    return "".join(
        [
            _PROMISED.format(fewest=FEWEST_SEEDS, usual=USUAL),
            "\n",
            _listed(broken) if broken else "Nothing does.\n",
            _TOO_FEW.format(fewest=FEWEST_SEEDS, reason=reason),
            "\n" if few else "",
            _listed(few),
            _UNSEEN,
        ]
    )


def _others(calibration: Calibration) -> str:
    return "\n".join(
        [
            _MANY.format(usual=USUAL),
            _rates(calibration.families) + _BOOTSTRAP.format(usual=USUAL),
            _rates(calibration.bootstrap),
        ]
    )


def _rates(rates: Mapping[str, Rate]) -> str:
    return _listed(
        [f"{TITLES[name]}: {said(rate)} of {rate.trials:,}" for name, rate in rates.items()]
    )


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
