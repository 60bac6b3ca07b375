"""Noise drawn in blocks: spectrum and covariance as asked, no matter where a block ends."""

import pickle

import numpy as np
import pytest
import spikeinterface as si
from scipy.signal import welch
from scipy.stats import kstest

from ephys_deepinterpolation.ground_truth.stationary import (
    StationaryNoise,
    autoregressive_power,
    band_power,
    block_frequencies,
)
from fixtures import neuropixels, recording_of

FREQUENCY = 2_000.0
CHANNELS = 4
MEMORY_S = 0.2
BAND = (60.0, 400.0)
MIXING = np.array([[3.0, 0.0], [3.0, 4.0], [0.0, 5.0], [0.0, -1.0]])


@pytest.fixture(scope="module")
def canvas():
    """A hundred seconds; blocks last one second and a fifth."""
    silent = np.zeros((200_000, CHANNELS), np.float32)
    return recording_of(silent, neuropixels(CHANNELS), FREQUENCY)


def noise_of(canvas, seed=1):
    power = band_power(block_frequencies(FREQUENCY, MEMORY_S), 1.0, BAND)
    return StationaryNoise(canvas, power, MEMORY_S, MIXING, seed)


@pytest.fixture(scope="module")
def noise(canvas):
    return noise_of(canvas)


@pytest.fixture(scope="module")
def traces(noise):
    return noise.get_traces().astype(float)


def test_channels_have_the_covariance_of_the_mixing(traces):
    # About 2 x 340 Hz x 100 s independent samples.
    limit = 5 * 25.0 / np.sqrt(2 * np.ptp(BAND) * 100)
    np.testing.assert_allclose(np.cov(traces.T), MIXING @ MIXING.T, atol=limit)


def test_the_spectrum_is_as_asked(traces):
    """Of each average of Welch's method by its sampling error, where there is power at all."""
    length = 400
    frequencies, found = welch(traces, FREQUENCY, nperseg=length, axis=0)
    power = band_power(frequencies, 1.0, BAND)
    fine = np.linspace(0, FREQUENCY / 2, 20_001)
    total = np.trapezoid(band_power(fine, 1.0, BAND), fine)
    expected = np.outer(power / total, np.sum(MIXING**2, axis=1))
    inside = (frequencies > BAND[0]) & (frequencies < BAND[1])
    windows = len(traces) / length
    ratio = found[inside] / expected[inside]
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(windows) + 0.05
    assert abs(ratio.mean() - 1) < 0.02


def test_almost_nothing_is_left_an_octave_beyond_the_band(traces):
    frequencies, found = welch(traces[:, 0], FREQUENCY, nperseg=2000)
    inside = found[(frequencies > BAND[0]) & (frequencies < BAND[1])].mean()
    assert found[frequencies < BAND[0] / 2].max() < 0.02 * inside
    assert found[frequencies > 2 * BAND[1]].max() < 0.02 * inside


def test_half_the_power_of_white_noise_is_left_at_the_edges_of_its_band():
    left = band_power(np.array([0.0, *BAND, 155.0]), 0.0, BAND)
    assert left == pytest.approx([0.0, 0.5, 0.5, 1.0], abs=0.01)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_power_falls_to_the_asked_exponent(exponent):
    first, second = band_power(np.array([0.0, 100.0, 200.0]), exponent, (1.0, 1e5))[1:]
    assert first / second == pytest.approx(2**exponent, rel=1e-3)


def test_the_power_of_an_autoregression_is_that_of_its_correlation():
    """Wiener and Khinchin: one is the Fourier transform of the other."""
    frequencies = np.fft.rfftfreq(4096, 1 / FREQUENCY)
    correlation = np.fft.irfft(autoregressive_power(frequencies, FREQUENCY, 5.0))
    expected = np.exp(-np.arange(50) / FREQUENCY / 0.005)
    np.testing.assert_allclose(correlation[:50] / correlation[0], expected, atol=1e-6)


def test_the_variance_is_the_same_where_blocks_overlap_as_elsewhere(canvas):
    """Over many seeds, at each frame around the ends of the first blocks."""
    excerpts = np.stack([noise_of(canvas, seed).get_traces(0, 0, 6000) for seed in range(200)])
    variance = excerpts[..., 2].astype(float).var(axis=0)
    assert variance.mean() == pytest.approx(25.0, rel=0.02)
    for part in np.split(variance, 60):
        assert part.mean() == pytest.approx(25.0, rel=0.15)


def test_noise_is_gaussian(traces):
    # Frames a memory apart are independent.
    apart = traces[:: round(MEMORY_S * FREQUENCY), 2] / 5.0
    assert kstest(apart, "norm").pvalue > 0.001


def test_noise_never_repeats(traces):
    trace = traces[:, 0] / traces[:, 0].std()
    correlations = [
        np.mean(trace[lag:] * trace[:-lag]) for lag in range(round(MEMORY_S * FREQUENCY), 6000)
    ]
    # The deviation of a correlation of 100 s of noise that is 340 Hz wide.
    assert np.abs(correlations).max() < 6 / np.sqrt(2 * np.ptp(BAND) * 97)


def test_any_chunk_and_channels_are_those_of_the_whole(noise, canvas):
    whole = noise.get_traces()
    for start, end in [(0, 1), (1999, 2001), (2380, 2420), (150_000, 199_999), (199_999, 200_000)]:
        fresh = noise_of(canvas)
        np.testing.assert_array_equal(fresh.get_traces(0, start, end), whole[start:end])
        some = fresh.get_traces(0, start, end, channel_ids=fresh.channel_ids[[3, 0]])
        np.testing.assert_array_equal(some, whole[start:end, [3, 0]])


def test_the_seed_decides(canvas, noise):
    first = noise.get_traces(0, 0, 1000)
    np.testing.assert_array_equal(noise_of(canvas).get_traces(0, 0, 1000), first)
    assert (
        abs(np.corrcoef(first[:, 0], noise_of(canvas, 2).get_traces(0, 0, 1000)[:, 0])[0, 1]) < 0.3
    )


def test_another_process_makes_the_same_noise(noise):
    again = si.load(pickle.loads(pickle.dumps(noise.to_dict())))
    np.testing.assert_array_equal(again.get_traces(0, 500, 900), noise.get_traces(0, 500, 900))
