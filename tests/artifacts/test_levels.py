"""The noise level of each channel, in microvolts."""

import numpy as np

from ephys_deepinterpolation.artifacts import noise_levels
from fixtures import recording_of


def white(frames, levels, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(frames, len(levels))) * np.asarray(levels)


def test_noise_levels_are_the_standard_deviation_of_white_noise_in_microvolts():
    levels = np.linspace(2.0, 17.0, 16)
    recording = recording_of(white(40_000, levels / 0.5))
    recording.set_channel_gains(0.5)
    table = noise_levels(recording, seed=1)
    np.testing.assert_allclose(table["noise_uv"], levels, rtol=0.05)
    assert table["channel"].tolist() == recording.channel_ids.astype(str).tolist()


def test_rare_large_events_hardly_raise_the_noise_level():
    traces = white(40_000, np.full(16, 5.0))
    traces[np.random.default_rng(1).random(traces.shape) < 0.01] = 1000.0
    assert traces.std() > 90.0
    table = noise_levels(recording_of(traces), seed=1)
    np.testing.assert_allclose(table["noise_uv"], 5.0, rtol=0.07)


def test_an_offset_is_no_noise():
    table = noise_levels(recording_of(white(40_000, np.full(16, 5.0)) + 300.0), seed=1)
    np.testing.assert_allclose(table["noise_uv"], 5.0, rtol=0.07)


def test_noise_levels_of_a_recording_of_a_tenth_of_a_second_are_there():
    table = noise_levels(recording_of(white(1000, np.full(16, 5.0))), seed=1)
    np.testing.assert_allclose(table["noise_uv"], 5.0, rtol=0.3)


def test_the_seed_decides_which_excerpts_the_noise_is_measured_in():
    recording = recording_of(white(60_000, np.full(16, 5.0)))
    one, same, other = (noise_levels(recording, seed)["noise_uv"].to_numpy() for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
