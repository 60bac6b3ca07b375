"""Spikes invented: crossings of noise alone, against Gaussian noise and against planted ones."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from ephys_deepinterpolation.artifacts import count_crossings, middle, noise_alone
from ephys_deepinterpolation.artifacts.noise_alone import gaussian_crossings
from ephys_deepinterpolation.ground_truth import GroundTruth
from example_ground_truth import GAIN, synthetic
from fixtures import FREQUENCY, noise_recording, recording_of

THRESHOLDS = [2.0, 3.0]


@pytest.fixture(scope="module")
def truth():
    return synthetic(sub_frame_jitter=True)


def white(frames, level_uv=5.0, seed=0, channels=16):
    traces = np.random.default_rng(seed).normal(size=(frames, channels))
    return (level_uv * traces).astype(np.float32)


def test_noise_alone_is_the_sum_of_the_parts_of_the_noise_in_the_recordings_integers(truth):
    alone = noise_alone(truth).recording
    assert alone.get_dtype() == truth.recording.get_dtype()
    noise = sum(part.get_traces() for part in truth.noise.values())
    # Rounded as the recording is, and once more where there was a spike.
    assert np.abs(alone.get_traces(return_in_uV=True) - noise).max() <= GAIN * 1.001


def test_where_no_unit_fires_noise_alone_is_the_recording_itself(truth):
    spikes = truth.spikes().get_traces()
    silent = (spikes == 0).all(axis=1)
    assert 0.1 < silent.mean() < 1.0
    traces = noise_alone(truth).recording.get_traces()
    np.testing.assert_array_equal(traces[silent], truth.recording.get_traces()[silent])
    assert (traces != truth.recording.get_traces()).any()


def test_the_truth_of_noise_alone_has_the_same_units_and_no_spike(truth):
    alone = noise_alone(truth)
    assert alone.sorting.unit_ids.tolist() == truth.sorting.unit_ids.tolist()
    assert alone.sorting.count_total_num_spikes() == 0
    parts = alone.parts()
    assert set(parts) == set(truth.parts())
    assert not parts["units"].get_traces().any()
    assert not parts["background"].get_traces().any()


@pytest.mark.parametrize(
    "changes",
    [{"noise": {}}, {"facts": {"kind": "hybrid", "exhaustive": False}}],
    ids=["unknown noise", "noise that holds spikes"],
)
def test_a_recording_whose_noise_may_hold_spikes_is_refused(truth, changes):
    with pytest.raises(ValueError, match="simulated and surrogate recordings only"):
        noise_alone(dataclasses.replace(truth, **changes))


def test_a_recording_without_truth_is_refused():
    with pytest.raises(ValueError, match="simulated and surrogate recordings only"):
        noise_alone(GroundTruth(recording=noise_recording(1000, seed=0)))


def test_the_middle_is_as_far_from_the_start_as_from_the_end():
    recording = noise_recording(5000, seed=0)
    cut = middle(recording, duration_s=0.2)
    np.testing.assert_array_equal(cut.get_traces(), recording.get_traces()[1500:3500])
    assert middle(recording, duration_s=10.0).get_num_frames() == 5000


@pytest.mark.parametrize("threshold", [0.5, 2.0, 4.0])
def test_independent_frames_cross_when_one_is_beyond_and_the_last_was_not(threshold):
    beyond = norm.sf(threshold)
    expected = 2 * beyond * (1 - beyond)
    assert gaussian_crossings(threshold, np.zeros(1))[0] == pytest.approx(expected, rel=1e-9)


def test_frames_that_are_all_alike_never_cross():
    assert gaussian_crossings(2.0, np.ones(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("smooth_frames", [0.0, 1.0, 3.0])
def test_gaussian_noise_crosses_as_often_as_is_expected_of_it(smooth_frames):
    """White or coloured: within 4 % at 2 and 8 % at 3 deviations, as 800 000 frames allow."""
    traces = np.random.default_rng(1).normal(size=(50_000, 16))
    if smooth_frames:
        traces = gaussian_filter1d(traces, smooth_frames, axis=0)
    recording = recording_of((7.0 * traces / traces.std() + 50.0).astype(np.float32))
    table = count_crossings(recording, recording, THRESHOLDS, seed=1)
    counted, expected = table["crossings_per_channel_s"], table["gaussian_per_channel_s"]
    assert counted[0] == pytest.approx(expected[0], rel=0.04)
    assert counted[1] == pytest.approx(expected[1], rel=0.08)
    np.testing.assert_allclose(table["reference_crossings_per_channel_s"], counted)
    np.testing.assert_allclose(table["noise_uv"], 7.0, rtol=0.03)


def test_every_planted_event_is_counted_once():
    """A denoiser that draws templates into noise at random, 5 a second on each channel."""
    random, frames = np.random.default_rng(2), 60_000
    traces = white(frames)
    starts = np.concatenate([np.arange(100, frames - 100, 2000) + random.integers(0, 900)])
    template = -60.0 * np.hanning(9)[:, None]
    for start in starts:
        traces[start : start + 9] += template
    table = count_crossings(recording_of(traces), recording_of(traces), [6.0], seed=1)
    rate = len(starts) / (frames / FREQUENCY)
    assert table["gaussian_per_channel_s"][0] < 1e-3
    assert table["crossings_per_channel_s"][0] == pytest.approx(rate, rel=0.01)


def test_an_event_at_the_end_of_a_chunk_is_counted_once():
    traces = white(30_000)
    for frame in (int(FREQUENCY) - 1, int(FREQUENCY), 2 * int(FREQUENCY) - 1):
        traces[frame] = 200.0
    table = count_crossings(recording_of(traces), recording_of(traces), [10.0], seed=1)
    # The first two frames are one event.
    assert table["crossings_per_channel_s"][0] * table["seconds"][0] == pytest.approx(2.0)


def test_both_signs_count():
    traces = white(20_000)
    traces[5000], traces[10_000] = 200.0, -200.0
    table = count_crossings(recording_of(traces), recording_of(traces), [10.0], seed=1)
    assert table["crossings_per_channel_s"][0] * table["seconds"][0] == pytest.approx(2.0)


def test_quieter_noise_crosses_its_own_thresholds_as_often_but_the_references_less():
    traces = white(40_000)
    loud, quiet = recording_of(traces), recording_of(traces / 2)
    table = count_crossings(quiet, loud, THRESHOLDS, seed=1)
    same = count_crossings(loud, loud, THRESHOLDS, seed=1)
    columns = ["crossings_per_channel_s", "gaussian_per_channel_s"]
    np.testing.assert_allclose(table[columns], same[columns], rtol=1e-3)
    np.testing.assert_allclose(table["noise_uv"], same["noise_uv"] / 2, rtol=1e-5)
    # Half as loud, twice the threshold.
    expected = gaussian_crossings(4.0, np.zeros(1))[0] * FREQUENCY
    assert table["reference_crossings_per_channel_s"][0] == pytest.approx(expected, rel=0.3)


def test_dead_channels_do_not_count():
    traces = white(20_000)
    alive = count_crossings(*[recording_of(traces[:, :8])] * 2, THRESHOLDS, seed=1)
    traces[:, 8:] = 3.0
    table = count_crossings(*[recording_of(traces)] * 2, THRESHOLDS, seed=1)
    assert table["channels"].tolist() == [8, 8]
    np.testing.assert_allclose(
        table["crossings_per_channel_s"], alive["crossings_per_channel_s"], rtol=0.05
    )


def test_an_output_of_nothing_at_all_crosses_nothing_that_could_be_told():
    silence = recording_of(np.zeros((20_000, 16), np.float32))
    table = count_crossings(silence, silence, THRESHOLDS, seed=1)
    assert table["channels"].tolist() == [0, 0]
    assert table["crossings_per_channel_s"].isna().all()
