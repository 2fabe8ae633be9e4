"""Standard errors, degrees of freedom and p-values against other implementations and against
simulations in which the truth is known.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from tests.parts import contributions, crossed, unbounded

from fusebench.statistics.estimates import (
    Claim,
    Component,
    deviations,
    fixed_models,
    holm,
    mean_over_seeds,
    retrained,
    satterthwaite,
)
from fusebench.statistics.paired import Floats, Paired
from fusebench.statistics.resampling import Resamples, of_means

SHARES = st.floats(0, 1)


def _source(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


# --- Against Student's tests ---


def test_ids_alone_give_the_error_of_the_paired_t_test() -> None:
    first, second = _source("paired").normal(size=(2, 30))
    paired = unbounded(((first - second) / 30)[None])
    claim, expected = fixed_models(paired), stats.ttest_rel(first, second)
    assert claim.difference == pytest.approx((first - second).mean())
    assert claim.error == pytest.approx(abs(claim.difference / expected.statistic))
    # Its degrees of freedom are n − 1; ours are those that the kurtosis allows, never more.
    assert 1 < claim.df <= 29
    usual = Claim(claim.difference, claim.error, 29)
    assert usual.p == pytest.approx(expected.pvalue)
    assert usual.interval() == pytest.approx(tuple(expected.confidence_interval()))
    shared = tuple(expected.confidence_interval(1 - 0.05 / 7))
    assert usual.interval(7) == pytest.approx(shared)


def test_seeds_alone_give_the_t_test_over_seeds() -> None:
    # Every id adds the same, so nothing comes from ids or from seed × id.
    differences = _source("seeds").normal(1, 2, 8)
    paired = unbounded(np.repeat(differences[:, None] / 40, 40, axis=1))
    claim, expected = retrained(paired), stats.ttest_1samp(differences, 0)
    assert claim.df == pytest.approx(7)
    assert claim.p == pytest.approx(expected.pvalue)
    assert claim.interval() == pytest.approx(tuple(expected.confidence_interval()))


@pytest.mark.parametrize("sizes", [(5, 5), (4, 30), (100, 3)])
def test_degrees_of_freedom_of_a_sum_are_welchs(sizes: tuple[int, int]) -> None:
    groups = [
        _source("welch").normal(0, scale, size) for scale, size in zip((1, 4), sizes, strict=True)
    ]
    terms = [Component(float(group.var(ddof=1)) / len(group), len(group) - 1) for group in groups]
    expected = stats.ttest_ind(*groups, equal_var=False).df
    assert satterthwaite(terms, sum(term.variance for term in terms)) == pytest.approx(expected)


def test_constants_have_infinitely_many_degrees_of_freedom() -> None:
    assert satterthwaite([Component(2.0, math.inf)], 2.0) == math.inf
    assert satterthwaite([Component(0.0, 0.0)], 0.0) == math.inf
    # Added to an estimate, a constant makes it surer in proportion.
    assert satterthwaite([Component(1.0, 4), Component(1.0, math.inf)], 2.0) == 16


def test_with_infinite_degrees_of_freedom_a_claim_is_normal() -> None:
    claim = Claim(1.0, 0.7, math.inf)
    assert claim.p == pytest.approx(2 * stats.norm.sf(1 / 0.7))
    assert claim.interval() == pytest.approx(stats.norm(1, 0.7).interval(0.95))


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(1e-3, 50), st.floats(1, 1e6))
def test_an_interval_holds_0_where_p_is_above_5_percent(
    difference: float, error: float, df: float
) -> None:
    claim = Claim(difference, error, df)
    low, high = claim.interval()
    assert low < difference < high
    assert (low + high) / 2 == pytest.approx(difference, abs=1e-9)
    if abs(claim.p - 0.05) > 1e-9:
        assert (low < 0 < high) is (claim.p > 0.05)


def test_without_an_error_only_no_difference_is_possible() -> None:
    assert Claim(0.0, 0.0, 5).p == 1
    assert Claim(0.1, 0.0, 5).p == 0


# --- Against the analysis of variance ---


def _mean_squares(values: Floats) -> dict[str, float]:
    """Return the mean squares of a crossed table without repetitions, by statsmodels."""
    seeds, ids = (axis.ravel() for axis in np.indices(values.shape))
    table = pd.DataFrame({"value": values.ravel(), "seed": seeds, "id": ids})
    squares = anova_lm(ols("value ~ C(seed) + C(id)", table).fit())["mean_sq"]
    return {"seed": squares["C(seed)"], "id": squares["C(id)"], "both": squares["Residual"]}


def test_components_are_those_of_a_two_way_analysis_of_variance() -> None:
    seeds, ids = 5, 12
    paired = crossed(_source("anova"), (seeds, ids), seed=9, id_=1, both=0.5)
    squares = _mean_squares(paired.contributions)
    expected = {
        "seed": math.sqrt(ids * (squares["seed"] - squares["both"])),
        "id": math.sqrt(ids * (squares["id"] - squares["both"]) / seeds),
        "seed_id": math.sqrt(ids * squares["both"]),
    }
    assert deviations(paired) == pytest.approx(expected | {"pseudo": 0})
    variance = (squares["seed"] + squares["id"] - squares["both"]) * ids / seeds
    assert retrained(paired).error == pytest.approx(math.sqrt(variance))


def test_ids_vary_within_their_stratum_only() -> None:
    seeds, sizes = 4, (6, 9)
    paired = crossed(_source("strata"), (seeds, sum(sizes)), seed=1, id_=1, both=0.5)
    # Strata far apart: how far must not matter, since the numbers of each were fixed.
    strata = np.repeat([0, 1], sizes)
    apart = unbounded(paired.contributions + 100 * strata, strata)
    tables = [_mean_squares(paired.contributions[:, strata == stratum]) for stratum in (0, 1)]
    ids = sum(size * table["id"] for size, table in zip(sizes, tables, strict=True)) / seeds
    both = sum(size * table["both"] for size, table in zip(sizes, tables, strict=True))
    assert fixed_models(apart).error == pytest.approx(math.sqrt(ids))
    assert deviations(apart)["seed_id"] == pytest.approx(math.sqrt(both))


def test_what_is_there_by_the_size_of_groups_alone_is_no_variance() -> None:
    source, strata = _source("sizes"), np.repeat([0, 1], (6, 9))
    left = crossed(source, (4, 15), seed=1, id_=1, both=0.5).contributions
    sizes = source.normal(0, 5, (4, 15))
    for stratum in (0, 1):
        of = strata == stratum
        sizes[:, of] -= sizes[:, of].mean(axis=1, keepdims=True)
    paired, expected = (
        replace(unbounded(left + sizes, strata), by_size=sizes),
        unbounded(left, strata),
    )
    for claim in (fixed_models, retrained):
        found, wanted = claim(paired), claim(expected)
        assert (found.difference, found.error, found.df) == pytest.approx(
            (wanted.difference, wanted.error, wanted.df)
        )
    assert deviations(paired) == pytest.approx(deviations(expected))
    resamples = Resamples.make(4, strata, 20)
    assert of_means(paired, resamples) == pytest.approx(of_means(expected, resamples))


def test_a_component_that_comes_out_negative_is_0() -> None:
    # The seeds' sums and the ids' means are all equal: less than seed × id alone would give.
    paired = unbounded(np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]]))
    components = deviations(paired)
    assert components["seed"] == components["id"] == 0
    assert components["seed_id"] > 0


def test_one_seed_tells_nothing_of_others() -> None:
    paired = crossed(_source("one"), (1, 10), id_=1)
    with pytest.raises(ValueError, match="one seed"):
        retrained(paired)
    known = deviations(paired)
    assert known.pop("pseudo") == 0
    assert all(math.isnan(value) for value in known.values())
    assert fixed_models(paired).error > 0


# --- Against known truth ---


def test_the_variance_is_right_on_average() -> None:
    deviation, id_, both, (seeds, ids) = 30.0, 3.0, 1.0, (6, 25)
    source = _source("unbiased")
    claims = [retrained(crossed(source, (seeds, ids), deviation, id_, both)) for _ in range(2000)]
    expected = deviation**2 / seeds + ids * id_**2 + ids * both**2 / seeds
    variances = np.array([claim.error**2 for claim in claims])
    doubt = variances.std(ddof=1) / math.sqrt(len(claims))
    assert doubt < 0.03 * expected
    assert variances.mean() == pytest.approx(expected, abs=4 * doubt)
    # And that is how the differences do vary: relative error of a variance is √(2/n).
    varied = np.var([claim.difference for claim in claims], ddof=1)
    assert varied == pytest.approx(expected, rel=4 * math.sqrt(2 / len(claims)))


def test_the_components_are_right_on_average() -> None:
    truth = {"seed": 30.0, "id": math.sqrt(25) * 3.0, "seed_id": math.sqrt(25) * 2.0}
    source = _source("components")
    estimates = [deviations(crossed(source, (6, 25), 30.0, 3.0, 2.0)) for _ in range(2000)]
    for name, deviation in truth.items():
        squares = np.array([components[name] ** 2 for components in estimates])
        doubt = squares.std(ddof=1) / math.sqrt(len(squares))
        assert squares.mean() == pytest.approx(deviation**2, abs=4 * doubt), name


@pytest.mark.parametrize("share", [None, 0.02, 0.1])
def test_degrees_of_freedom_say_how_a_variance_of_ids_varies(share: float | None) -> None:
    # Normal contributions, or ±1 in a small share of ids and 0 else: Var(s²)/σ⁴ = 2/df.
    ids, source = 2000, _source("kurtosis")
    if share is None:
        drawn = source.normal(size=(1500, ids))
    else:
        odds = [share / 2, 1 - share, share / 2]
        drawn = source.choice([-1.0, 0.0, 1.0], (1500, ids), p=odds)
    claims = [fixed_models(unbounded(row[None])) for row in drawn]
    variances = np.array([claim.error**2 for claim in claims])
    relative = variances.var(ddof=1) / variances.mean() ** 2
    # 1500 simulated variances carry √(2/1500) = 3.7 %; the estimate from few ids is biased by
    # about 1/(discordant ids) = 2.5 %.
    assert np.mean([2 / claim.df for claim in claims]) == pytest.approx(relative, rel=0.12)
    if share is None:
        assert np.mean([claim.df for claim in claims]) > 0.95 * (ids - 1)
    else:
        # About as many as there are discordant ids, not as there are ids.
        assert np.mean([claim.df for claim in claims]) == pytest.approx(2 * share * ids, rel=0.12)


@pytest.mark.parametrize(("ids", "df"), [(5, 40 / 11), (2000, 2.0)])
def test_one_discordant_id_is_worth_two_degrees_of_freedom(ids: int, df: float) -> None:
    # By hand: kurtosis (n² − 3n + 3)/(n − 1), so 2/df = (n² − 4n + 6)/(n² − n).
    assert fixed_models(unbounded(np.eye(1, ids))).df == pytest.approx(df, rel=2e-3)


@settings(deadline=None)
@given(contributions())
def test_kurtosis_never_gives_more_than_the_usual_degrees_of_freedom(paired: Paired) -> None:
    claim = fixed_models(unbounded(paired.contributions))
    assert claim.df > 0
    if claim.error > 0:
        assert claim.df <= paired.contributions.shape[1] - 1 + 1e-9


@settings(deadline=None, max_examples=200)
@given(contributions(fewest_seeds=2))
def test_retrained_is_never_surer_than_its_components(paired: Paired) -> None:
    claim, fixed = retrained(paired), fixed_models(paired)
    seeds = paired.contributions.sum(axis=1).var(ddof=1) / paired.seeds
    assert claim.difference == fixed.difference == paired.difference
    assert claim.error >= fixed.error * (1 - 1e-12)
    unseen = 2 * (paired.weights**2).sum()
    assert claim.error**2 >= (seeds + unseen) * (1 - 1e-12)
    # Not even where the seeds' variance comes out small by chance.
    assert 0 < claim.df <= paired.seeds - 1


# --- Where hardly an id is discordant ---


def _saturated(counts: tuple[int, int] = (2000, 150), seeds: int = 10) -> Paired:
    """Return two fusions that agree everywhere, in balanced accuracy."""
    strata = np.repeat([0, 1], counts)
    weights = 100 / (2 * np.array(counts))
    return Paired(np.zeros((seeds, len(strata))), strata, weights, np.array(counts))


def test_agreement_everywhere_is_no_certainty() -> None:
    paired = _saturated()
    assert paired.discordant == 0
    for claim in (fixed_models(paired), retrained(paired)):
        assert claim.difference == 0
        assert claim.p == 1
        low, high = claim.interval()
        assert low < 0 < high
        # Two samples per class, each right for one fusion alone.
        assert claim.error == pytest.approx(math.sqrt(2 * (paired.weights**2).sum()))
    assert deviations(paired)["pseudo"] == pytest.approx(retrained(paired).error)


def test_a_metric_without_bounds_needs_no_pseudo_observations() -> None:
    paired = unbounded(np.zeros((3, 8)))
    assert fixed_models(paired).error == 0
    assert fixed_models(paired).p == 1


# --- Several tests ---


@settings(deadline=None, max_examples=10)
@given(st.lists(SHARES | st.sampled_from([0.0, 0.01, 0.5, 1.0]), min_size=1, max_size=12))
def test_holm_is_statsmodels_holm(values: list[float]) -> None:
    expected = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(expected.tolist(), abs=1e-12)


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9))
def test_an_interval_over_seeds_is_student_s(values: list[float]) -> None:
    claim = mean_over_seeds(np.array(values))
    low, high = claim.interval()
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    assert claim.difference == pytest.approx(np.mean(values), abs=1e-9)
    assert (high - low) / 2 == pytest.approx(half, abs=1e-9)


def test_an_interval_over_seeds_is_that_of_scipy_and_of_one_seed_unknown() -> None:
    expected = stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval(0.95)
    assert mean_over_seeds(np.array([1.0, 2.0, 4.0])).interval() == pytest.approx(tuple(expected))
    assert all(math.isnan(end) for end in mean_over_seeds(np.array([1.0])).interval())
