"""The calibration as a page to read: docs/calibration.md."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fusebench.files import write_json, write_text
from fusebench.report.drawing import save
from fusebench.statistics.estimates import FEWEST_SEEDS
from fusebench.statistics.planning import FEWEST_AT_HAND
from studies.calibration.calibration import Calibration
from studies.calibration.cells import EFFECT, USUAL
from studies.calibration.picture import calibration_picture
from studies.calibration.plans import TESTS
from studies.calibration.rates import Rate
from studies.calibration.scenarios import TITLES
from studies.calibration.shortfalls import bought, shortfalls, too_few
from studies.calibration.simulation import MARGIN, PART
from studies.calibration.tables import (
    by_means_table,
    cells_table,
    collapse_table,
    families_table,
    plans_table,
    scenarios_table,
    worlds_table,
)

_NAME = "calibration"

_PROMISED = """# How often the statistics are wrong

Written by `make calibration`, all of it; every number is in [calibration.json](calibration.json).
What is counted is described in [statistics.md](statistics.md).

## What is promised

Of seven fusions compared at once, with {fewest} seeds or more and {tests} planned contrasts, in
each world below:

- A contrast is wrongly said to be better or worse in at most 5 % of studies. Wrong is what is not
  so in truth of what the contrast compares, means or shares of seeds that succeed.
- The simultaneous intervals of all contrasts that compare means hold together in 95 %.
- The bounds to the best of all fusions that are not called irregular hold together in 95 %,
  and the best in truth is not shown to be worse in 95 %.
- A fusion that is more than {margin:g} points below the best is called as good as it in at most
  5 %.
- The collapse rate that is said not to be ruled out is not exceeded in 95 % of fusions.

Of two fusions: a single contrast is wrongly shown in at most 5 %, and the intervals of both claims
hold in 95 %. A study of as many seeds as `show.py plan` says shows the difference in 80 %.

"""

_SIMULATED = """
## What is simulated

Fusions on a test part like the default one: {majority:,} samples of one class and {minority} of the
other, each in a group (of the same id) with one of the first. In seed s, fusion f is right on
sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0

*shared_s* is a seed's draw of training data, *own_fs* the fusion's own luck with it, *difficulty_j*
what is hard for all, *own_fj* what is hard for one fusion in all of its seeds, *noise_fsj* the
interaction of seed and id. All are normal, but for own_fs where it says so: *skewed* is 1 − an
exponential variable, *two heaps* two normal distributions. Collapsed seeds answer the larger class
for each sample. A fusion is made worse by missing more of the smaller class. All expected values
have closed forms.

The worlds of seven fusions, which are named as those of the project, so that the same contrasts are
planned; balanced accuracy in %, ± standard deviation over the seeds that did not collapse, and the
share of seeds that collapse:

"""

_FAMILIES = """
## Seven fusions at once

{trials:,} studies in each line, which go through the functions that make metrics/pairs.csv,
metrics/best.csv and the words of a verdict. In brackets exact binomial 95 % intervals; bold: a
promise is broken beyond chance. *Power*: share of the planned contrasts that differ by more than
{margin:g} points of means that is shown; –: there is none. *As good*: studies in which any fusion
is called as good as the best.

"""

_BY_MEANS = """
Where differences over seeds are irregular, a contrast compares successes, and no bound is trusted.
The same studies without that rule, so that means are always compared:

"""

_COLLAPSE = """
Worlds in which seeds collapse. *Hidden*: fusions that collapse in 1 seed of 10 and show no such
seed. No test can know of that: a mean over seeds speaks for seeds like those that were seen. *Bound
holds*: fusions whose true rate of collapse is not above what is said not to be ruled out; up to 28
seeds rule out no rate as low as this, so the table of two fusions tells more. Then studies in which
some collapse is hidden, apart from those in which every fusion that collapses shows it. *By means*:
false claims if means were always compared.

"""

_CELLS = """
## Two fusions

{trials:,} studies in each line. *Wrongly shown*: the fusions have the same expected balanced
accuracy, and a difference is claimed of what is compared that is not so. *By means*: if means were
always compared. Then the second fusion is worse by {effect:g} points: *interval holds*, *shown*
(of means, p ≤ 5 %). *Fixed models*: the same interval for these trained models. Its truth is what
these very models differ by over all samples, which is not 0 where fusions are alike.

{scenarios}
"""

_TOO_FEW = """
With fewer than {fewest} seeds nothing is claimed of fusions, trained again.{reason}
"""

_PLANS = """
## Plans

{trials:,} pilots in each line, of two fusions one of which is worse. From each the seeds of a new
study are planned, in the first of Holm's steps over {tests} contrasts; the study is then simulated,
with other seeds and ids. *None*: pilots that say that more than 1,000 seeds would be needed; no
study follows. *Shown*: of the studies that follow, by means. *As printed*: the same, but where
differences over seeds are irregular, the verdict does not compare means: those are not counted.
Pilots of fewer than {fewest_at_hand} seeds show why `show.py plan` refuses them.

"""

_BOOTSTRAP = """
## The two-way bootstrap

Two like fusions, {usual} seeds: how often its 95 % interval holds.

"""

_REFERENCES = """
## References

- Clopper & Pearson, Biometrika 26 (1934): exact intervals of rates
- Holm, Scandinavian Journal of Statistics 6 (1979)
- Hsu, Multiple Comparisons: Theory and Methods (1996)
- O'Hagan, Stevens & Campbell, Pharmaceutical Statistics 4 (2005): power as a mean over what a
  variance may be
- Owen, Annals of Applied Statistics 1 (2007): the two-way bootstrap
"""


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write calibration.json, calibration.md and calibration.png into a folder."""
    numbers = {"shortfalls": shortfalls(calibration), **calibration.as_json()}
    write_json(folder / f"{_NAME}.json", numbers)
    write_text(folder / f"{_NAME}.md", page(calibration))
    save(calibration_picture(calibration), folder / f"{_NAME}.png")


def page(calibration: Calibration) -> str:
    """Return docs/calibration.md."""
    broken = shortfalls(calibration)
    return "".join(
        [
            _PROMISED.format(fewest=FEWEST_SEEDS, tests=TESTS, margin=MARGIN),
            f"![False claims and coverage by world and number of seeds]({_NAME}.png)\n",
            "\n## Where it falls short\n\nListed is what breaks a promise beyond chance.\n\n",
            _listed(broken) if broken else "Nothing does.\n",
            _SIMULATED.format(majority=PART.majority, minority=PART.minority),
            worlds_table(),
            _of_families(calibration),
            _of_cells(calibration),
            _PLANS.format(
                trials=_most(one.impossible for one in calibration.plans),
                tests=TESTS,
                fewest_at_hand=FEWEST_AT_HAND,
            ),
            plans_table(calibration.plans),
            _BOOTSTRAP.format(usual=USUAL),
            _rates(calibration.bootstrap),
            _REFERENCES,
        ]
    )


def _of_families(calibration: Calibration) -> str:
    counted = calibration.families
    trials = _most(family.irregular for family in counted)
    collapsing = [family for family in counted if family.hidden.trials]
    return "".join(
        [
            _FAMILIES.format(trials=trials, margin=MARGIN),
            families_table(counted),
            _BY_MEANS,
            by_means_table(counted),
            f"\n{sentence}\n" if (sentence := bought(counted)) else "",
            _COLLAPSE if collapsing else "",
            collapse_table(collapsing),
        ]
    )


def _of_cells(calibration: Calibration) -> str:
    few = too_few(calibration)
    trials = _most(cell.irregular for cell in calibration.cells)
    head = _CELLS.format(trials=trials, effect=EFFECT, scenarios=scenarios_table())
    reason = " Else:" if few else ""
    return "".join(
        [
            head,
            cells_table(calibration.cells),
            _TOO_FEW.format(fewest=FEWEST_SEEDS, reason=reason),
            "\n" if few else "",
            _listed(few),
        ]
    )


def _most(rates: Iterable[Rate]) -> int:
    return max((rate.trials for rate in rates), default=0)


def _rates(rates: Mapping[str, Rate]) -> str:
    return _listed([f"{TITLES[name]}: {rate} of {rate.trials:,}" for name, rate in rates.items()])


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
