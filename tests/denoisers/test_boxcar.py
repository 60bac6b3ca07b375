import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import boxcar
from fixtures import FREQUENCY, noise_recording, recording_of

MS = 1000.0 / FREQUENCY


def test_every_frame_is_the_mean_of_those_there_are_around_it():
    recording = noise_recording(300, seed=1)
    traces = recording.get_traces().astype(float)
    expected = [traces[max(0, frame - 3) : frame + 4].mean(axis=0) for frame in range(300)]
    np.testing.assert_allclose(boxcar(recording, 7 * MS).get_traces(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "window"), [(0.3, 1), (1, 1), (1.9, 1), (2.1, 3), (3, 3), (3.9, 3), (9, 9)]
)
def test_a_window_is_the_nearest_odd_number_of_frames(frames, window):
    impulse = np.zeros((101, 16), np.float32)
    impulse[50] = 1.0
    smoothed = boxcar(recording_of(impulse), frames * MS).get_traces()[:, 0]
    assert np.count_nonzero(smoothed) == window
    np.testing.assert_allclose(smoothed[50 - window // 2 : 51 + window // 2], 1 / window)


def test_a_constant_stays_up_to_both_ends_even_under_a_window_that_is_longer():
    recording = recording_of(np.full((20, 16), 7.0, np.float32))
    for frames in (5, 19, 61):
        np.testing.assert_allclose(boxcar(recording, frames * MS).get_traces(), 7.0, rtol=1e-6)


def test_white_noise_loses_the_square_root_of_the_window():
    noise = np.random.default_rng(0).normal(size=(50_000, 16)).astype(np.float32)
    assert boxcar(recording_of(noise), 9 * MS).get_traces().std() == pytest.approx(1 / 3, rel=0.01)


@pytest.mark.parametrize("width_ms", [0.0, -1.0])
def test_a_window_without_width_is_refused(width_ms):
    with pytest.raises(ValueError, match="wider than 0"):
        boxcar(noise_recording(100, seed=1), width_ms)
