"""metrics/pairs.csv: what each line holds, what it leaves out, and that it reads back."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.parts import Held, answers, fusion, metrics_of, part_of

from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.pairs import Pair, all_pairs, better, primary_pairs
from fusebench.samples.samples import read_csv, write_csv
from fusebench.statistics.estimates import exact_bound, holm, these_models, trained_again
from fusebench.statistics.paired import MEANS, kinds_of, pair
from fusebench.statistics.resampling import DRAWS, Drawings, of_means, of_others, percentiles

NAMES = ("late", "concat", "add")
LABELS = [0] * 40 + [1] * 20
CLAIMS = ("models", "again")


def _fusions(seeds: int, names: tuple[str, ...] = NAMES) -> dict[str, FusionPredictions]:
    """Make fusions of which each is a little better than the one before it."""
    found = {}
    for place, name in enumerate(names):
        source = np.random.default_rng(place)
        wrong = {
            seed: np.flatnonzero(source.random(60) < 0.3 - place / 10) for seed in range(seeds)
        }
        noise = source.normal(0, 0.1, (seeds, 60, 2))
        parts = {s: part_of(LABELS, answers(LABELS, wrong[s].tolist()) + noise[s]) for s in wrong}
        found[name] = fusion(name, parts)
    return found


def _parts(fusions: dict[str, FusionPredictions]) -> dict[str, Held]:
    return {
        name: {seed: parts["test"] for seed, parts in each.seeds.items()}
        for name, each in fusions.items()
    }


def _pairs(seeds: int, primary: str = "balanced_accuracy") -> list[Pair]:
    fusions = _fusions(seeds)
    return all_pairs(fusions, metrics_of(fusions), primary)


@pytest.fixture(scope="module")
def five() -> list[Pair]:
    """All pairs of three fusions with five seeds."""
    return _pairs(5)


# --- Lines and roles ---


def test_every_two_fusions_have_a_line_per_metric_the_primary_first(five: list[Pair]) -> None:
    couples = [("late", "concat"), ("late", "add"), ("concat", "add")]
    assert [(each.first, each.second) for each in five] == couples * 3
    assert [each.metric for each in five] == [name for name in MEANS for _ in couples]
    assert [each.role for each in five] == ["primary"] * 3 + ["descriptive"] * 6
    assert primary_pairs(five) == five[:3]


def test_another_primary_metric_moves_first() -> None:
    held = _pairs(5, "nll")
    assert [each.metric for each in held[::3]] == ["nll", "balanced_accuracy", "accuracy"]
    assert {each.metric for each in primary_pairs(held)} == {"nll"}


def test_a_line_says_what_was_measured(five: list[Pair]) -> None:
    fusions = _fusions(5)
    metrics = metrics_of(fusions)
    for line in five:
        means = [metrics[name]["test"][line.metric]["mean"] for name in (line.first, line.second)]
        assert [line.first_mean, line.second_mean] == means
        assert line.difference == pytest.approx(means[0] - means[1], abs=1e-6)
        assert line.seeds == 5
        assert line.ids == 60
        assert 0 < (line.discordant or 0) <= 60
        # Each claim is about this difference.
        for name in CLAIMS:
            low, high = (getattr(line, f"{name}_{end}") for end in ("low", "high"))
            assert (low + high) / 2 == pytest.approx(line.difference, abs=2e-6)


def test_a_line_holds_the_estimates(five: list[Pair]) -> None:
    parts = _parts(_fusions(5))
    first, second = (parts[name] for name in NAMES[:2])
    paired, line = pair(first, second, "balanced_accuracy"), five[0]
    models, again = these_models(paired), trained_again(paired)
    assert (line.models_low, line.models_high) == pytest.approx(models.interval(), abs=1e-6)
    assert (line.again_low, line.again_high) == pytest.approx(again.interval(), abs=1e-6)
    assert (line.models_p, line.again_p) == pytest.approx((models.p, again.p), abs=1e-6)
    assert line.hidden == pytest.approx(exact_bound(paired, 3), abs=1e-6)
    assert line.detectable == pytest.approx(max(again.detectable(3), line.hidden), abs=1e-6)
    drawn = of_means(paired, Drawings.make(5, kinds_of(first[0]), DRAWS))
    ends = percentiles(drawn, 0.95)
    assert (line.bootstrap_low, line.bootstrap_high) == pytest.approx(ends, abs=1e-6)


def test_holm_is_over_the_pairs_of_the_primary_metric(five: list[Pair]) -> None:
    for name in CLAIMS:
        values = [getattr(each, f"{name}_p") for each in five[:3]]
        adjusted = [getattr(each, f"{name}_holm") for each in five[:3]]
        assert adjusted == pytest.approx(holm(values), abs=4e-6)
        assert adjusted != values


def test_descriptive_metrics_have_intervals_and_no_p(five: list[Pair]) -> None:
    for line in five[3:]:
        held = [getattr(line, f"{claim}_{name}") for claim in CLAIMS for name in ("p", "holm")]
        assert held == [None] * 4
        assert line.detectable is None
        assert None not in (line.models_low, line.models_high, line.again_low, line.again_high)


def test_what_is_detectable_is_never_below_what_may_hide() -> None:
    # All fusions agree everywhere: what may hide is all there is to say.
    parts = {seed: part_of(LABELS, answers(LABELS, [])) for seed in range(5)}
    fusions = {name: fusion(name, parts) for name in NAMES}
    for line in primary_pairs(all_pairs(fusions, metrics_of(fusions), "balanced_accuracy")):
        assert line.discordant == 0
        assert line.again_holm == 1
        assert line.hidden == pytest.approx(50 * (1 - (0.05 / 3) ** (1 / 20)), abs=1e-6)
        assert (line.detectable or 0) >= line.hidden


# --- Few seeds, few fusions ---


def test_one_seed_makes_no_claim_about_others() -> None:
    for line in _pairs(1):
        assert line.models_low is not None
        for name in (
            "again_low", "again_high", "again_p", "again_holm", "detectable", "bootstrap_low",
            "bootstrap_high", "seed_deviation", "id_deviation", "seed_id_deviation",
        ):  # fmt: skip
            assert getattr(line, name) is None, name
    assert all(each.models_holm is not None for each in primary_pairs(_pairs(1)))


def test_two_seeds_make_both_claims() -> None:
    for line in _pairs(2):
        assert None not in (line.again_low, line.bootstrap_low, line.seed_deviation)


@pytest.mark.parametrize(("seeds", "promised"), [(3, False), (4, False), (5, True)])
def test_power_is_promised_from_five_seeds_on(seeds: int, promised: bool) -> None:
    for line in primary_pairs(_pairs(seeds)):
        assert (line.detectable is not None) is promised
        assert line.again_holm is not None


def test_one_fusion_makes_no_pair() -> None:
    fusions = _fusions(3, ("late",))
    for primary in ("balanced_accuracy", "f1"):
        assert all_pairs(fusions, metrics_of(fusions), primary) == []


def test_stuck_seeds_are_counted_for_each_fusion() -> None:
    right = part_of(LABELS, answers(LABELS, []))
    stuck = part_of(LABELS, answers(LABELS, range(40, 60)))
    fusions = {
        "late": fusion("late", {0: stuck, 1: stuck, 2: right}),
        "add": fusion("add", {0: right, 1: stuck, 2: right}),
    }
    for line in all_pairs(fusions, metrics_of(fusions), "balanced_accuracy"):
        assert (line.first_stuck, line.second_stuck) == (2, 1)


# --- A primary metric that is no mean ---


def test_a_metric_that_is_no_mean_is_bootstrapped() -> None:
    lines = primary_pairs(_pairs(5, "f1"))
    assert len(lines) == 3
    for line in lines:
        assert line.metric == "f1"
        for name in ("models_low", "models_p", "models_holm", "discordant", "seed_deviation"):
            assert getattr(line, name) is None, name
        assert line.again_low is not None
        assert line.bootstrap_low is not None
        assert line.again_low < line.difference < (line.again_high or 0)
        # The deviation of the drawings is the error, with the seeds' degrees of freedom.
        drawn = of_others(_parts(_fusions(5)), "f1", 1)
        deviation = (drawn[line.first] - drawn[line.second]).std(ddof=1)
        expected = line.difference + stats.t(4).ppf(0.975) * deviation
        assert line.again_high == pytest.approx(expected, abs=2e-6)
    assert [each.again_holm for each in lines] == pytest.approx(
        holm([each.again_p or 0 for each in lines]), abs=4e-6
    )


def test_a_metric_that_is_no_mean_needs_two_seeds() -> None:
    for line in primary_pairs(_pairs(1, "f1")):
        assert line.difference == pytest.approx(line.first_mean - line.second_mean, abs=1e-6)
        assert line.again_p is None
        assert line.models_p is None


# --- The file ---


@pytest.mark.parametrize(
    ("seeds", "primary"),
    [(1, "balanced_accuracy"), (3, "nll"), (5, "balanced_accuracy"), (5, "f1")],
)
def test_lines_read_back_as_they_were(seeds: int, primary: str, tmp_path: Path) -> None:
    pairs = _pairs(seeds, primary)
    path = tmp_path / "pairs.csv"
    write_csv(path, Pair.columns(), [each.cells() for each in pairs])
    assert [Pair.parse(line) for line in read_csv(path, Pair.columns())] == pairs
    types = [type(value) for each in pairs for value in each.cells()]
    assert set(types) <= {str, float, int}


@pytest.mark.parametrize(
    ("metric", "difference", "expected"),
    [("accuracy", 1.0, True), ("accuracy", -1.0, False), ("nll", -0.1, True), ("nll", 0.1, False),
     ("f1", 0.0, False), ("nll", 0.0, False)],
)  # fmt: skip
def test_lower_is_better_for_nll_alone(metric: str, difference: float, expected: bool) -> None:
    assert better(metric, difference) is expected
