"""A recording is described by numbers that are known of it."""

import numpy as np
import pytest
from scipy.signal import lfilter

from ephys_deepinterpolation.artifacts import describe_recording
from fixtures import recording_of

FREQUENCY = 30_000.0


def described(traces, **options):
    recording = recording_of(traces.astype(np.float32), frequency=FREQUENCY, **options)
    return describe_recording(recording, seed=1).iloc[0]


def noise(shared=0.0, frames=120_000, level=10.0):
    """White noise, part of its power shared by all channels."""
    random = np.random.default_rng(0)
    common, own = random.normal(size=(frames, 1)), random.normal(size=(frames, 8))
    return level * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)


def test_size_duration_and_pitch_are_those_of_the_recording():
    row = described(noise(frames=15_000))
    assert (row["channels"], row["duration_s"], row["pitch_um"]) == (8, 0.5, 15.0)
    assert row["sampling_frequency_hz"] == FREQUENCY


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.8])
def test_level_and_correlation_of_white_noise_are_found(shared):
    row = described(noise(shared))
    # The high-pass takes away 2 % of white noise.
    assert row["noise_uv"] == pytest.approx(10.0, rel=0.03)
    assert row["neighbour_correlation"] == pytest.approx(shared, abs=0.03)
    assert row["lag1_autocorrelation"] == pytest.approx(0.0, abs=0.05)


def test_coloured_noise_predicts_its_next_frame():
    row = described(lfilter([1.0], [1.0, -0.6], noise(), axis=0))
    assert row["lag1_autocorrelation"] == pytest.approx(0.58, abs=0.04)


def test_spikes_and_slow_waves_are_no_noise():
    quiet = noise()
    loud = quiet.copy()
    loud[::600] -= 400.0
    loud += 300.0 * np.sin(2 * np.pi * 3.0 / FREQUENCY * np.arange(len(loud)))[:, None]
    for column in ("noise_uv", "neighbour_correlation", "lag1_autocorrelation"):
        assert described(loud)[column] == pytest.approx(described(quiet)[column], abs=0.1), column


def test_half_a_second_is_enough():
    assert described(noise(0.5, frames=15_000))["neighbour_correlation"] == pytest.approx(
        0.5, abs=0.05
    )
