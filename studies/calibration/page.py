"""The calibration as a page to read: docs/calibration.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fusebench.files import write_json, write_text
from fusebench.report.figures import save
from fusebench.statistics.estimates import FEWEST_SEEDS
from studies.calibration.calibration import USUAL
from studies.calibration.picture import calibration_picture
from studies.calibration.rates import Calibration, Cell, Effect, Rate
from studies.calibration.scenarios import REGIMES, Regime
from studies.calibration.shortfalls import TITLES, often, said, shortfalls, too_few
from studies.calibration.simulation import MAJORITY, MINORITY

_NAME = "calibration"

_HEAD = """# How often the statistics are wrong

Written by `make calibration`, all of it; every number is in [calibration.json](calibration.json).

Two fusions are simulated on a test part like the default one: {majority:,} samples of one class and
{minority} of the other, each the twin of one of the first. The truth is known, so wrong claims can
be counted. In seed s, fusion f is right on sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0

with normal terms: *shared_s* is a seed's draw of training data, *own_fs* the fusion's own luck with
it, *difficulty_j* what is hard for both, *own_fj* what is hard for one fusion in all of its seeds,
*noise_fsj* the interaction of seed and id. Stuck seeds answer the larger class for every sample.
A fusion is made worse by missing more of the smaller class; all expected values have closed forms.
"""

_EXPLAINED = """{trials:,} studies in each line; in brackets exact binomial 95 % intervals.

- *False claims*: the fusions have the same expected balanced accuracy, and the claim about fusions
  trained again is made all the same (p ≤ 5 %). Bold: more than 5 %, beyond chance.
- *Detectable*: the difference that is said to be shown with 80 % power, median of those studies.
  It is made of how much the two differ by now; a worse fusion, farther from 100 %, varies more.
- Then the second fusion is worse by that difference, and by *twice* that: how often it is *shown*,
  and how often the 95 % interval *holds* it. –: more than a fusion can lose.
- *These models*: how often the interval of the claim about these trained models misses. Its truth
  is what these very models differ by over all samples, which is not 0 where fusions are alike.
"""

_PROMISED = """## Where it falls short

Promised, with {fewest} seeds or more: false claims in at most 5 % of studies, intervals that hold
the truth in 95 %, the detectable difference shown in 80 %; with {usual} seeds twice the detectable
difference shown in 80 %. Listed is what breaks this beyond chance.
"""

_TOO_FEW = """
With fewer than {fewest} seeds nothing is claimed of fusions trained again. {reason}
"""

_UNSEEN = """
What no test can know is a failure so rare that no seed shows it. After n seeds without one it may
still befall 1 − 0.05^(1/n) of seeds: 26 % after 10, 14 % after 20. A mean over seeds includes such
failures, so a claim holds for seeds like those that were seen.
"""

_MANY = """## Many pairs, and the bootstrap

Seven fusions that are all alike, so 21 pairs, {usual} seeds: studies with any false claim after
Holm's correction.
"""

_BOOTSTRAP = """
The two-way bootstrap of two like fusions, {usual} seeds: studies in which its 95 % interval holds
the truth.
"""


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write calibration.json, calibration.md and calibration.png into a folder."""
    write_json(folder / f"{_NAME}.json", calibration.as_json())
    write_text(folder / f"{_NAME}.md", page(calibration))
    save(calibration_picture(calibration), folder / f"{_NAME}.png")


def page(calibration: Calibration) -> str:
    """Return docs/calibration.md."""
    return "\n".join(
        [
            _HEAD.format(majority=MAJORITY, minority=MINORITY),
            _table(_REGIMES, [_regime(regime) for regime in REGIMES]),
            f"![False claims and coverage by regime and number of seeds]({_NAME}.png)\n",
            _EXPLAINED.format(trials=calibration.cells[0].again.trials),
            _table(_CELLS, [_cell(cell) for cell in calibration.cells]),
            _short(calibration),
            _others(calibration),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_REGIMES = (
    "what varies", "expected balanced accuracy (%)", "deviation over seeds (points)", "stuck (%)",
    "shared", "own_f", "difficulty", "own_fj", "noise",
)  # fmt: skip


def _regime(regime: Regime) -> list[str]:
    columns = [
        [f"{each.expected:.1f}" for each in regime.fusions],
        [f"{each:.1f}" for each in regime.deviations()],
        [f"{100 * each.stuck:.0f}" for each in regime.fusions],
    ]
    scale = [regime.shared, None, regime.difficulty, regime.own, regime.noise]
    own = _both([f"{each.seed:g}" for each in regime.fusions])
    return [
        regime.title,
        *(_both(each) for each in columns),
        *(own if each is None else f"{each:g}" for each in scale),
    ]


def _both(values: Sequence[str]) -> str:
    """Return what holds for both fusions, once where it is the same."""
    return values[0] if len(set(values)) == 1 else ", ".join(values)


_CELLS = (
    "what varies", "seeds", "false claims (%)", "detectable (points)", "shown (%)", "held (%)",
    "twice: shown (%)", "held (%)", "these models: misses (%)",
)  # fmt: skip


def _cell(cell: Cell) -> list[str]:
    return [
        TITLES[cell.regime],
        str(cell.seeds),
        _marked(cell.again),
        f"{cell.detectable:.1f}",
        *_effect(cell.once),
        *_effect(cell.twice),
        _marked(cell.models),
    ]


def _effect(effect: Effect | None) -> tuple[str, str]:
    if effect is None:
        return "–", "–"
    return f"{effect.shown.percent:.1f}", f"{effect.again.percent:.1f}"


def _marked(rate: Rate) -> str:
    low, high = rate.interval
    words = f"{rate.percent:.1f}"
    return f"{f'**{words}**' if often(rate) else words} ({low:.1f}–{high:.1f})"


def _short(calibration: Calibration) -> str:
    found, few = shortfalls(calibration), too_few(calibration)
    reason = "Else:" if few else "These cells break nothing, but rest on a guess of the spread."
    return "".join(
        [
            _PROMISED.format(fewest=FEWEST_SEEDS, usual=USUAL),
            "\n",
            _listed(found) if found else "Nothing does.\n",
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
