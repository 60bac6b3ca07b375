"""Spikes of a cell in its own trace: found where they stand out, refused where they do not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.ground_truth.juxtacellular import DoubtfulCellError, detect_spikes

FREQUENCY = 20_000.0
DURATION_S = 40.0


def spike_frames(rate_hz, seed, duration_s=DURATION_S, refractory_ms=3.0):
    random = np.random.default_rng(seed)
    intervals = refractory_ms / 1000 + random.exponential(
        1 / rate_hz - refractory_ms / 1000, size=int(2 * rate_hz * duration_s)
    )
    times = 0.1 + np.cumsum(intervals)
    return np.round(times[times < duration_s - 0.1] * FREQUENCY).astype(int)


def add_spikes(trace, frames, amplitudes):
    """Sharp spikes with a slow wave after them, which peak at their frames."""
    time_ms = np.arange(-40, 60) * 1000 / FREQUENCY
    shape = np.exp(-((time_ms / 0.2) ** 2)) - 0.3 * np.exp(-(((time_ms - 0.8) / 0.4) ** 2))
    for frame, amplitude in zip(frames, amplitudes, strict=True):
        trace[frame - 40 : frame + 60] += amplitude * shape
    return trace


def noise(seed, duration_s=DURATION_S):
    """White and slow noise; in the band of spikes its standard deviation is 1."""
    random = np.random.default_rng(seed)
    frames = round(duration_s * FREQUENCY)
    white = random.normal(size=frames) * np.sqrt(FREQUENCY / 2 / 2700.0)
    slow = gaussian_filter1d(random.normal(size=frames), FREQUENCY / 30)
    return white + 20 * slow / slow.std()


def recording_of(trace):
    return NumpyRecording([np.asarray(trace, np.float32)[:, None]], FREQUENCY)


def cell(snr, seed, rate_hz=8.0, variation=0.1):
    frames = spike_frames(rate_hz, seed)
    amplitudes = snr * np.random.default_rng(seed + 100).normal(1, variation, size=len(frames))
    return recording_of(add_spikes(noise(seed + 200), frames, amplitudes)), frames


def precision_and_recall(found, true, tolerance_ms=0.2):
    nearest = np.abs(found[:, None] - true[None, :]).min
    tolerance = tolerance_ms * FREQUENCY / 1000
    return np.mean(nearest(axis=1) <= tolerance), np.mean(nearest(axis=0) <= tolerance)


@pytest.mark.parametrize("rate_hz", [2.0, 30.0])
@pytest.mark.parametrize("snr", [12.0, 60.0])
def test_spikes_that_stand_out_are_found(snr, rate_hz):
    trace, true = cell(snr, seed=1, rate_hz=rate_hz)
    found, quality = detect_spikes(trace)
    precision, recall = precision_and_recall(found, true)
    assert precision > 0.99
    assert recall > 0.99
    assert quality.spikes == len(found)
    assert quality.doubts() == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("snr", [5.0, 6.0, 7.0, 8.0])
def test_what_is_not_refused_is_right(snr, seed):
    trace, true = cell(snr, seed)
    try:
        found, _ = detect_spikes(trace)
    except DoubtfulCellError:
        return
    assert min(precision_and_recall(found, true)) > 0.98


@pytest.mark.parametrize("snr", [0.0, 3.0])
def test_spikes_within_the_noise_are_refused(snr):
    with pytest.raises(DoubtfulCellError):
        detect_spikes(cell(snr, seed=3)[0])


def test_the_estimated_errors_are_of_the_size_of_the_true_ones():
    """Spikes that vary are missed where they come near the noise, until the cell is refused."""
    steady, true = cell(14.0, seed=5, rate_hz=30.0, variation=0.05)
    found, quality = detect_spikes(steady)
    assert quality.missed_rate < 1e-3
    assert precision_and_recall(found, true)[1] > 0.999
    varied, true = cell(14.0, seed=5, rate_hz=30.0, variation=0.22)
    found, quality = detect_spikes(varied)
    missed = 1 - precision_and_recall(found, true)[1]
    assert missed > 0
    assert missed / 3 < quality.missed_rate < 3 * missed
    with pytest.raises(DoubtfulCellError, match="expected to be missed"):
        detect_spikes(cell(14.0, seed=5, rate_hz=30.0, variation=0.35)[0])


@pytest.mark.parametrize("gain", [1e-6, 3.0])
def test_neither_polarity_nor_unit_matters(gain):
    trace, _ = cell(20.0, seed=7)
    up, quality = detect_spikes(trace)
    down, inverted = detect_spikes(recording_of(-gain * trace.get_traces()[:, 0] + 5 * gain))
    assert quality.polarity == -inverted.polarity
    assert np.abs(up - down).max() <= 1
    assert inverted.d_prime == pytest.approx(quality.d_prime, rel=0.01)


def test_the_detection_does_not_depend_on_where_chunks_end(monkeypatch):
    trace, _ = cell(20.0, seed=8)
    whole, _ = detect_spikes(trace)
    monkeypatch.setattr("ephys_deepinterpolation.ground_truth.juxtacellular._CHUNK_S", 0.37)
    in_pieces, _ = detect_spikes(trace)
    np.testing.assert_array_equal(whole, in_pieces)


def test_artifacts_of_another_shape_are_left_out():
    frames = spike_frames(8.0, seed=9)
    random = np.random.default_rng(9)
    times = random.permutation(np.arange(2000, round(DURATION_S * FREQUENCY) - 2000, 4000))
    clicks = np.array([time for time in times if np.abs(frames - time).min() > 200])[:60]
    trace = add_spikes(noise(10), frames, np.full(len(frames), 20.0))
    for click in clicks:
        trace[click : click + 40] += 40.0 * np.sin(np.arange(40) * 2 * np.pi / 20)
    found, quality = detect_spikes(recording_of(trace))
    assert quality.artifacts >= len(clicks)
    assert min(precision_and_recall(found, frames)) > 0.99


def test_spikes_of_two_cells_of_one_size_are_refused():
    trace = noise(11)
    for seed in (12, 13):
        frames = spike_frames(20.0, seed)
        add_spikes(trace, frames, np.full(len(frames), 20.0))
    with pytest.raises(DoubtfulCellError, match="of the spikes follow within 2 ms"):
        detect_spikes(recording_of(trace))


def test_a_cell_that_fades_is_refused():
    frames = spike_frames(8.0, seed=14)
    amplitudes = 60 * np.linspace(1.0, 0.4, len(frames))
    with pytest.raises(DoubtfulCellError, match=r"peaks that change by -\d+%"):
        detect_spikes(recording_of(add_spikes(noise(15), frames, amplitudes)))


def test_some_drift_is_reported_with_its_sign():
    frames = spike_frames(8.0, seed=16)
    amplitudes = 40 * np.linspace(1.0, 1.25, len(frames))
    _, quality = detect_spikes(recording_of(add_spikes(noise(17), frames, amplitudes)))
    assert quality.amplitude_drift == pytest.approx(0.2 / 1.125, abs=0.03)


def test_a_handful_of_spikes_is_refused():
    frames = spike_frames(8.0, seed=18)[:20]
    with pytest.raises(DoubtfulCellError):
        detect_spikes(recording_of(add_spikes(noise(19), frames, np.full(20, 30.0))))


def test_a_silent_trace_is_refused():
    with pytest.raises(DoubtfulCellError, match="no 50 peaks"):
        detect_spikes(recording_of(np.zeros(20_000)))
