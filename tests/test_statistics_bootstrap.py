"""Intervals that hold the truth 95 times of 100, p-values that fit them, power that comes true."""

import numpy as np
import pytest
from scipy import stats

from ephys_deepinterpolation.statistics import (
    detectable_effect,
    estimate_mean,
    holm,
    power,
)


def estimate(values, seed=0):
    return estimate_mean(np.asarray(values, float), np.random.default_rng(seed))


def allowed(rate, trials):
    """Four standard errors of a share."""
    return 4 * np.sqrt(rate * (1 - rate) / trials)


@pytest.mark.parametrize("count", [2, 3, 5, 10, 25])
def test_95_percent_of_the_intervals_hold_the_true_mean_even_of_few_values(count):
    """A plain percentile bootstrap holds it in 50, 73, 85 and 91 % for 2, 3, 5 and 10 values."""
    random, trials = np.random.default_rng(count), 1000
    found = [estimate(random.normal(0.3, 1.0, count), seed) for seed in range(trials)]
    held = np.mean([each.low < 0.3 < each.high for each in found])
    assert held == pytest.approx(0.955, abs=0.01 + allowed(0.05, trials))
    above, below = (
        np.mean([each.low > 0.3 for each in found]),
        np.mean([each.high < 0.3 for each in found]),
    )
    assert max(above, below) < 0.04 + allowed(0.04, trials), "misses are as many on either side"


@pytest.mark.parametrize("count", [5, 10, 30])
def test_of_normal_values_interval_and_p_are_close_to_those_of_a_t_test(count):
    random = np.random.default_rng(3)
    ratios, pairs = [], []
    for seed in range(200):
        values = random.normal(0.5, 1.0, count)
        found, expected = estimate(values, seed), stats.ttest_1samp(values, 0.0)
        low, high = expected.confidence_interval()
        ratios.append((found.high - found.low) / (high - low))
        pairs.append((found.p, expected.pvalue))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.06)
    assert np.median(np.abs(np.diff(pairs, axis=1))) < 0.03


def test_p_is_below_5_percent_just_where_the_interval_leaves_out_0():
    random = np.random.default_rng(5)
    found = [estimate(random.normal(1.0, 1.0, 6), seed) for seed in range(300)]
    outside = [each.low > 0 or each.high < 0 for each in found]
    assert outside == [each.p < 0.05 for each in found]
    assert 0.2 < np.mean(outside) < 0.9


@pytest.mark.parametrize("count", [5, 12])
def test_without_an_effect_5_percent_of_p_are_below_5_percent(count):
    random, trials = np.random.default_rng(count), 1500
    p = np.array([estimate(random.normal(0, 1, count), seed).p for seed in range(trials)])
    for rate in (0.05, 0.2, 0.5):
        assert np.mean(p < rate) == pytest.approx(rate, abs=0.012 + allowed(rate, trials))


def test_a_loss_is_the_mirror_image_of_a_gain():
    values = np.random.default_rng(0).exponential(1.0, 12)
    gain, loss = estimate(values), estimate(-values)
    assert (loss.mean, loss.low, loss.high) == pytest.approx((-gain.mean, -gain.high, -gain.low))
    assert loss.p == pytest.approx(gain.p)


def test_the_interval_leans_to_the_side_of_the_far_values():
    found = estimate(np.random.default_rng(0).lognormal(0.0, 1.0, 30))
    assert found.high - found.mean > found.mean - found.low


def test_the_interval_scales_with_the_values():
    values = np.random.default_rng(1).normal(0.2, 1.0, 9)
    one, thousand = estimate(values), estimate(1000 * values)
    assert np.array([thousand.low, thousand.high]) == pytest.approx(
        1000 * np.array([one.low, one.high])
    )
    assert thousand.p == pytest.approx(one.p)


def test_zeros_are_no_difference_at_all():
    found = estimate(np.zeros(4))
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("count", [2, 4, 20])
def test_equal_values_are_as_sure_as_the_sign_flip_test(count):
    """Two recordings that agree by chance, as counts do, prove nothing."""
    found = estimate(np.full(count, 0.1))
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))
    signs = np.array(np.meshgrid(*[[-1, 1]] * min(count, 10))).reshape(min(count, 10), -1)
    exact = np.mean(np.abs(signs.mean(axis=0)) >= 1)
    assert found.p == pytest.approx(exact * 2.0 ** (min(count, 10) - count))


def test_one_value_has_no_interval_and_none_has_no_mean():
    one, none = estimate([0.4]), estimate([])
    assert one.mean == 0.4
    assert np.isnan([one.low, one.high, one.p, none.mean, none.low, none.p]).all()


def test_the_seed_moves_an_interval_a_little():
    values = np.random.default_rng(2).normal(0.5, 1.0, 10)
    one, same, other = estimate(values, 1), estimate(values, 1), estimate(values, 2)
    assert one == same
    assert one.low != other.low
    assert one.low == pytest.approx(other.low, abs=0.1 * (one.high - one.low))


@pytest.mark.parametrize("count", [3, 5, 10])
def test_the_detectable_effect_is_found_four_times_out_of_five(count):
    random, trials = np.random.default_rng(count), 800
    effect = detectable_effect(2.0, count)
    p = [estimate(random.normal(effect, 2.0, count), seed).p for seed in range(trials)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.8, abs=0.03 + allowed(0.8, trials))


@pytest.mark.parametrize(("effect", "count"), [(0.5, 8), (1.0, 8), (0.3, 40)])
def test_power_is_the_share_of_studies_that_find_the_effect(effect, count):
    random, trials = np.random.default_rng(9), 3000
    p = stats.ttest_1samp(random.normal(effect, 1.0, (trials, count)), 0.0, axis=1).pvalue
    assert power(effect, 1.0, count) == pytest.approx(np.mean(p < 0.05), abs=allowed(0.5, trials))


def test_power_without_an_effect_is_the_level_and_of_a_huge_one_certainty():
    for count in (2, 5, 100):
        assert power(0.0, 1.0, count) == pytest.approx(0.05)
        assert power(1000.0, 1.0, count) == pytest.approx(1.0)


def test_more_recordings_detect_smaller_effects_and_one_detects_none():
    found = [detectable_effect(1.0, count) for count in (2, 3, 5, 10, 100)]
    assert found == sorted(found, reverse=True)
    assert np.isnan([detectable_effect(1.0, 1), detectable_effect(0.0, 5)]).all()
    assert detectable_effect(3.0, 5) == pytest.approx(3 * detectable_effect(1.0, 5))


def test_holm_is_bonferroni_for_the_smallest_and_never_reverses_the_order():
    p = np.array([0.04, 0.001, 0.03, 0.5])
    assert holm(p) == pytest.approx([0.09, 0.004, 0.09, 0.5])
    assert holm(np.array([0.2])) == pytest.approx([0.2])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])
    assert len(holm(np.array([]))) == 0


def test_after_holm_any_false_alarm_at_all_is_as_rare_as_5_percent():
    """Twenty tests a study, correlated as bands of one sorting are, of only three recordings.

    Bootstrapped without regard to means further out than any resample, it is 13 %.
    """
    random, studies, tests = np.random.default_rng(4), 400, 20
    alarms = []
    for seed in range(studies):
        shared = random.normal(0, 1, 3)
        p = [
            estimate(0.5 * shared + random.normal(0, 1, 3), tests * seed + test).p
            for test in range(tests)
        ]
        alarms.append((holm(np.array(p)) < 0.05).any())
    assert np.mean(alarms) < 0.05 + allowed(0.05, studies)
