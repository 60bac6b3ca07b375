"""The same frames of every condition, and where in them no spike is near."""

import numpy as np
import pytest

from ephys_deepinterpolation.artifacts import read_excerpts
from ephys_deepinterpolation.artifacts.excerpts import quiet_samples, spread_ranges
from ephys_deepinterpolation.conditions import apply_condition
from example_ground_truth import FREQUENCY
from fixtures import noise_recording


@pytest.mark.parametrize("frames", [100, 2500, 7400, 30_000, 100_000])
def test_ranges_lie_within_the_recording_and_share_no_frame(frames):
    ranges = spread_ranges(noise_recording(frames, seed=0), seed=3)
    read = np.concatenate([np.arange(start, end) for start, end in ranges])
    assert len(set(read)) == len(read)
    assert read.min() >= 0
    assert read.max() < frames
    assert len(read) >= min(frames / 2, 30_000)


def test_ranges_are_at_most_three_seconds_spread_over_the_recording():
    ranges = spread_ranges(noise_recording(240_000, seed=0), seed=3)
    assert [start // 20_000 for start, _ in ranges] == list(range(12))
    assert sum(end - start for start, end in ranges) == 30_000
    assert ranges != spread_ranges(noise_recording(240_000, seed=0), seed=4)


def test_the_reference_is_the_sum_of_its_noise_and_its_spikes(truth):
    reference = apply_condition(truth.recording, [])
    spikes = truth.spikes()
    ranges = spread_ranges(reference, seed=2)
    for each, (start, end) in zip(read_excerpts(truth, reference, [], seed=2), ranges, strict=True):
        whole = sum(each.parts.values()) + spikes.get_traces(0, start, end)
        np.testing.assert_allclose(each.reference, whole, atol=0.4)
        np.testing.assert_array_equal(each.output, each.reference)
        assert not each.removed.any()


def test_a_millisecond_on_both_sides_of_a_spike_is_not_quiet_on_its_channel_alone():
    traces = np.random.default_rng(0).normal(size=(6000, 4))
    traces[3000, 2] = -20.0
    quiet = quiet_samples(np.clip(traces, -20.0, 3.0), FREQUENCY)
    expected = np.ones((6000, 4), bool)
    expected[3000 - 30 : 3000 + 31, 2] = False
    assert (quiet <= expected).all()
    assert not quiet[~expected].any()
    assert quiet.mean() > 0.95


def test_most_of_gaussian_noise_is_quiet_whatever_its_level_and_offset():
    noise = np.random.default_rng(1).normal(size=(30_000, 4)) * [0.1, 1.0, 10.0, 100.0] + 7.0
    assert (quiet_samples(noise, FREQUENCY).mean(axis=0) > 0.97).all()
