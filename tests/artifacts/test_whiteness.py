"""Tests of whiteness reject white noise as often as they say, and see what is not white."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2, norm

from ephys_deepinterpolation.artifacts.whiteness import measure_whiteness


def white(seed, frames=2000):
    return np.random.default_rng(seed).normal(size=frames) * 7.0 + 3.0


def test_white_noise_is_rejected_by_chance_alone():
    found = [measure_whiteness([white(seed), white(seed + 1000)]) for seed in range(300)]
    ljung_box = np.array([each.ljung_box for each in found])
    share = np.mean([each.ljung_box_p < 0.05 for each in found])
    assert 0.02 <= share <= 0.08
    assert ljung_box.mean() == pytest.approx(20.0, abs=1.5)
    # With the mean and deviation of the samples themselves the test rejects less.
    assert np.mean([each.ks_p < 0.05 for each in found]) <= 0.05


def test_ljung_box_is_the_sum_its_formula_says():
    trace = lfilter([1.0], [1.0, -0.1], white(5, 500))
    centred = trace - trace.mean()
    total = 0.0
    for lag in range(1, 8):
        r = sum(centred[i] * centred[i - lag] for i in range(lag, 500)) / sum(centred**2)
        total += r**2 / (500 - lag)
    found = measure_whiteness([trace], lags=7)
    assert found.ljung_box == pytest.approx(500 * 502 * total)
    assert found.ljung_box_p == pytest.approx(chi2(7).sf(500 * 502 * total))


def test_the_largest_autocorrelation_is_that_of_the_process():
    trace = lfilter([1.0], [1.0, 0.5], white(1, 100_000))
    found = measure_whiteness([trace])
    assert found.largest_autocorrelation == pytest.approx(0.5, abs=0.02)
    assert found.ljung_box_p < 1e-6


def test_a_distribution_that_is_not_normal_is_as_far_off_as_it_is():
    flat = np.random.default_rng(2).uniform(-5.0, 9.0, size=100_000)
    grid = np.linspace(-4, 4, 10_001)
    expected = np.abs(norm.cdf(grid) - np.clip((grid / np.sqrt(3) + 1) / 2, 0, 1)).max()
    found = measure_whiteness([flat])
    assert found.ks_statistic == pytest.approx(expected, abs=0.005)
    assert found.ks_p < 1e-6


def test_the_scale_of_a_trace_and_the_order_of_its_pieces_do_not_matter():
    pieces = [white(1), white(2), white(3)]
    one = measure_whiteness(pieces)
    other = measure_whiteness([-20.0 * piece + 100.0 for piece in pieces[::-1]])
    assert one.ljung_box == pytest.approx(other.ljung_box)
    assert one.ks_statistic == pytest.approx(other.ks_statistic, abs=0.02)
