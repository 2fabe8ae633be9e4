import pytest

from benchmarks.figures import gigaflops, ratios, share, spread


def test_spread_holds_the_middle_the_ends_and_all_values_in_their_order() -> None:
    assert spread([3.0, 1.0, 2.00004, 10.0]) == {
        "median": 2.5, "min": 1.0, "max": 10.0, "repeats": 4, "values": [3.0, 1.0, 2.0, 10.0],
    }  # fmt: skip


def test_spread_is_rounded_as_asked() -> None:
    assert spread([1.26, 1.24], digits=1) == {
        "median": 1.2, "min": 1.2, "max": 1.3, "repeats": 2, "values": [1.3, 1.2],
    }  # fmt: skip


def test_ratios_are_made_within_a_round() -> None:
    # Twice as slow in either round; the median of one side by that of the other is not 2.
    assert ratios([2.0, 20.0, 6.0], [1.0, 10.0, 3.0]) == [2.0, 2.0, 2.0]
    assert ratios([1.0, 4.0], [2.0, 1.0]) == [0.5, 4.0]


def test_ratios_of_unequal_numbers_of_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        ratios([1.0], [1.0, 2.0])


def test_rate_and_its_share_of_a_peak() -> None:
    assert gigaflops(300e9, 1.5) == 200.0
    assert share(200.0, 400.0) == 50.0
