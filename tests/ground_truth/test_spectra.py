"""Noise after that of a recording: the same spectra and covariance, for any length, no spikes."""

import numpy as np
import pytest
import spikeinterface as si
from scipy.ndimage import gaussian_filter1d
from scipy.signal import welch

from ephys_deepinterpolation.ground_truth.spectra import (
    FilteredNoiseRecording,
    NoiseFilters,
    estimate_noise_filters,
    noise_filters,
    spread_excerpts,
    without_spikes,
)
from example_ground_truth import FREQUENCY
from example_tissue import CHANNELS, tissue
from fixtures import neuropixels, recording_of

TAPS = 512


def canvas_of(seconds, channels=CHANNELS):
    """A recording of that many channels whose traces do not matter."""
    silence = np.zeros((round(seconds * FREQUENCY), channels), np.float32)
    return recording_of(silence, neuropixels(channels), FREQUENCY)


def covariance(traces):
    return np.cov(traces, rowvar=False)


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


@pytest.fixture(scope="module")
def original():
    return tissue(seed=1, seconds=5.0)


@pytest.fixture(scope="module")
def filters(original):
    return noise_filters([original])


@pytest.fixture(scope="module")
def noise(filters):
    return FilteredNoiseRecording(filters, canvas_of(10.0), seed=3)


@pytest.fixture(scope="module")
def made(noise):
    return noise.get_traces().astype(float)


def test_every_channel_has_the_spectrum_of_the_original(original, made):
    frequencies, before = welch(original, FREQUENCY, nperseg=TAPS, axis=0)
    _, after = welch(made, FREQUENCY, nperseg=TAPS, axis=0)
    # Slow waves end steeply at 300 Hz, within a few of the frequencies that windows tell apart.
    ratio = np.log(after / before)
    slope = (frequencies > 150) & (frequencies < 450)
    assert np.abs(ratio[slope]).max() < 0.6
    # Some 580 and 1170 windows, overlapping by half: a deviation of 5 % for a frequency.
    assert np.abs(ratio[~slope]).max() < 0.25
    assert abs(ratio[~slope].mean()) < 0.01


def test_the_covariance_is_that_of_the_original(original, made):
    before, after = covariance(original), covariance(made)
    assert np.linalg.norm(after - before) < 0.1 * np.linalg.norm(before)
    np.testing.assert_allclose(np.diag(after), np.diag(before), rtol=0.1)


def test_the_phases_between_channels_are_those_of_the_original():
    """A wave that travels by two frames from channel to channel still does."""
    random = np.random.default_rng(0)
    source = gaussian_filter1d(random.normal(size=150_000), 3.0)
    traces = np.stack([np.roll(source, 2 * channel) for channel in range(CHANNELS)], axis=1)
    traces = 10 * traces / traces.std() + random.normal(size=traces.shape)
    filters = noise_filters([traces.astype(np.float32)])
    made = FilteredNoiseRecording(filters, canvas_of(3.0), seed=1).get_traces()
    for channel in range(1, 5):
        lags = np.arange(-20, 21)
        products = [
            (made[100:-100, 0] * made[100 + lag : len(made) - 100 + lag, channel]).mean()
            for lag in lags
        ]
        assert lags[np.argmax(products)] == 2 * channel


def test_filters_say_which_density_and_covariance_the_noise_has(filters, made):
    density = filters.density()
    # Both ends of the spectrum count once, what is between twice: negative frequencies.
    weights = np.full(len(density), 2.0)
    weights[[0, -1]] = 1.0
    total = np.einsum("f,fij->ij", weights, density) / TAPS
    np.testing.assert_allclose(total, filters.covariance(), atol=1e-2 * np.abs(total).max())
    expected = filters.covariance()
    assert np.linalg.norm(covariance(made) - expected) < 0.05 * np.linalg.norm(expected)


def test_the_density_is_positive_definite_though_windows_are_fewer_than_channels():
    channels = 48
    random = np.random.default_rng(2)
    short = random.normal(size=(20 * TAPS // 2, channels)).astype(np.float32)
    density = noise_filters([short]).density()
    smallest = np.linalg.eigvalsh(density)[:, 0]
    assert (smallest > 0.05 * density[:, 0, 0].real).all()


def test_what_is_not_shared_is_not_made_to_be_shared():
    """Of independent channels and few windows, chance alone would correlate some by 0.2."""
    random = np.random.default_rng(3)
    independent = random.normal(size=(15_000, CHANNELS)).astype(np.float32)
    density = noise_filters([independent]).density()
    power = np.sqrt(np.einsum("fii->fi", density).real)
    coherency = np.abs(density) / power[:, :, None] / power[:, None, :]
    assert np.mean([off_diagonal(each).mean() for each in coherency[2:]]) < 0.05


def test_what_is_strongly_shared_stays_shared(original, filters):
    before = off_diagonal(np.corrcoef(original, rowvar=False))
    shared = filters.covariance()
    scale = np.sqrt(np.diag(shared))
    after = off_diagonal(shared / np.outer(scale, scale))
    assert np.abs(after - before).max() < 0.03


def test_the_noise_is_gaussian_and_stationary(made):
    scaled = made / made.std(axis=0)
    assert (np.abs(scaled) < 1).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(scaled) < 3).mean() == pytest.approx(0.9973, abs=0.001)
    # Blocks are as long as the filters: no place within one may differ from another.
    blocks = scaled[: len(scaled) // TAPS * TAPS].reshape(-1, TAPS, CHANNELS)
    high = np.diff(blocks, axis=1)
    variance = np.square(high).mean(axis=(0, 2))
    # About 590 blocks of 16 channels.
    assert np.abs(variance / variance.mean() - 1).max() < 0.1


def test_no_block_of_noise_comes_back(made):
    blocks = made[: len(made) // TAPS * TAPS].reshape(-1, TAPS * CHANNELS)
    high = np.diff(blocks, axis=1)
    correlation = off_diagonal(np.corrcoef(high))
    assert np.abs(correlation).max() < 0.2


def test_a_frame_does_not_depend_on_how_it_is_asked_for(noise, made):
    random = np.random.default_rng(4)
    starts = random.integers(noise.get_num_frames() - 1, size=6)
    chunks = [(0, 1), (511, 513), (512, 1024), (noise.get_num_frames() - 1, noise.get_num_frames())]
    chunks += [(start, min(start + 777, noise.get_num_frames())) for start in starts]
    for start, end in chunks:
        np.testing.assert_allclose(noise.get_traces(0, start, end), made[start:end], atol=2e-3)
        some = noise.get_traces(0, start, end, channel_ids=noise.channel_ids[[7, 2]])
        np.testing.assert_allclose(some, made[start:end, [7, 2]], atol=2e-3)


def test_only_the_seed_decides(filters, noise):
    like = canvas_of(10.0)
    same = FilteredNoiseRecording(filters, like, seed=3).get_traces(0, 0, 5000)
    other = FilteredNoiseRecording(filters, like, seed=4).get_traces(0, 0, 5000)
    np.testing.assert_array_equal(same, noise.get_traces(0, 0, 5000))
    assert abs(np.corrcoef(np.diff(same[:, 0]), np.diff(other[:, 0]))[0, 1]) < 0.1


def test_filters_of_other_channels_are_refused(filters):
    with pytest.raises(ValueError, match="of 16 channels, the recording has 8"):
        FilteredNoiseRecording(filters, canvas_of(1.0, channels=8), seed=0)


@pytest.fixture(scope="module")
def spiky(original):
    """The original with a large spike somewhere every ten milliseconds."""
    random = np.random.default_rng(5)
    traces = original[: round(0.5 * FREQUENCY)].copy()
    waveform = -300 * np.exp(-np.square(np.arange(-15, 15) / 3))
    for frame in range(50, len(traces) - 50, 300):
        channel = random.integers(CHANNELS)
        share = np.exp(-np.abs(np.arange(CHANNELS) - channel) / 2)
        traces[frame : frame + 30] += waveform[:, None] * share
    return recording_of(traces, neuropixels(CHANNELS), FREQUENCY)


def high(traces):
    return np.diff(traces, axis=0)


def test_spikes_leave_and_the_noise_stays(original, spiky):
    plain = high(original[: spiky.get_num_frames()])
    left, replaced = without_spikes(spiky, seed=0)
    assert np.abs(high(spiky.get_traces())).max() > 2 * np.abs(plain).max()
    assert high(left).std() == pytest.approx(plain.std(), rel=0.05)
    assert np.abs(high(left)).max() < 1.3 * np.abs(plain).max()
    assert 0 < replaced < 1


def test_where_there_is_no_spike_nothing_is_replaced():
    """Of 48,000 samples of white Gaussian noise hardly one exceeds five deviations."""
    plain = np.random.default_rng(6).normal(size=(3000, CHANNELS)).astype(np.float32)
    plain -= plain.mean(axis=0)
    left, replaced = without_spikes(recording_of(plain, neuropixels(CHANNELS), FREQUENCY), seed=0)
    assert replaced == 0
    np.testing.assert_allclose(left, plain, atol=1e-5)


def test_a_silent_channel_stays_silent(original):
    traces = original[: round(0.3 * FREQUENCY)].copy()
    traces[:, 5] = 7.0
    recording = recording_of(traces, neuropixels(CHANNELS), FREQUENCY)
    made = FilteredNoiseRecording(
        estimate_noise_filters(recording, seed=0), canvas_of(1.0), seed=0
    ).get_traces()
    assert np.isfinite(made).all()
    assert np.abs(made[:, 5]).max() < 1e-3
    assert made[:, 6].std() > 1.0


def test_a_long_recording_is_represented_by_excerpts_from_all_of_it():
    excerpts = spread_excerpts(si.generate_recording(num_channels=4, durations=[60.0], seed=0))
    assert sum(excerpt.get_total_duration() for excerpt in excerpts) == pytest.approx(5.0)


def test_a_recording_too_short_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="of 900 frames says too little of its noise"):
        estimate_noise_filters(canvas_of(0.03), seed=0)


def test_filters_are_small_numbers(filters):
    assert isinstance(filters, NoiseFilters)
    assert filters.values.shape == (CHANNELS, TAPS, CHANNELS)
    assert filters.values.dtype == np.float32
