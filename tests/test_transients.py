import numpy as np
import pytest

from ephys_deepinterpolation.transients import find_transients, near, take_out_broken

CHANNELS = 20
NONE_SILENT = np.zeros(CHANNELS, dtype=bool)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(5000, CHANNELS)).astype(np.float32)


def test_noise_and_large_spikes_on_a_few_channels_are_no_transients(noise):
    noise[100:110, 3:9] -= 80
    assert not find_transients(noise, NONE_SILENT).any()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_frame_far_out_on_many_channels_is_a_transient_and_its_neighbours_are_not(noise, sign):
    noise[[0, 700, 701, 4999]] += sign * 100
    np.testing.assert_array_equal(
        np.flatnonzero(find_transients(noise, NONE_SILENT)), [0, 700, 701, 4999]
    )


@pytest.mark.parametrize(("channels", "found"), [(6, False), (7, True), (20, True)])
def test_more_than_three_channels_in_ten_must_be_out(noise, channels, found):
    noise[42, :channels] = 50
    assert find_transients(noise, NONE_SILENT)[42] == found


@pytest.mark.parametrize(("scales", "found"), [(14.9, False), (15.1, True)])
def test_out_is_beyond_fifteen_scales(scales, found):
    normalized = np.full((1, CHANNELS), scales, np.float32)
    assert find_transients(normalized, NONE_SILENT)[0] == found
    assert find_transients(-normalized, NONE_SILENT)[0] == found


def test_silent_channels_do_not_count(noise):
    silent = np.arange(CHANNELS) < 10
    noise[10, silent] = 1e6
    noise[20, 10:13] = 100
    noise[30, 10:14] = 100
    noise[40, 0] = np.nan
    np.testing.assert_array_equal(np.flatnonzero(find_transients(noise, silent)), [30])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_out(noise, value):
    noise[[76, 77], 0] = value
    noise[77, :7] = value
    np.testing.assert_array_equal(np.flatnonzero(find_transients(noise, NONE_SILENT)), [77])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_become_zero_and_are_marked(noise, value):
    given = noise.copy()
    noise[77, 3] = value
    broken = take_out_broken(noise)
    assert broken is not None
    np.testing.assert_array_equal(np.argwhere(broken), [[77, 3]])
    np.testing.assert_array_equal(noise, np.where(broken, 0, given))


def test_where_all_is_finite_nothing_is_marked_or_changed(noise):
    given = noise.copy()
    assert take_out_broken(noise) is None
    np.testing.assert_array_equal(noise, given)


def test_a_verdict_rests_on_its_frame_alone(noise):
    noise[::7] *= 30
    whole = find_transients(noise, NONE_SILENT)
    assert whole.any()
    assert not whole.all()
    single = [find_transients(frame[None], NONE_SILENT)[0] for frame in noise]
    np.testing.assert_array_equal(whole, single)


def test_a_recording_of_silent_channels_has_no_transients(noise):
    assert not find_transients(1e6 * noise, ~NONE_SILENT).any()


def test_no_frames_hold_no_transients():
    assert find_transients(np.empty((0, CHANNELS), np.float32), NONE_SILENT).shape == (0,)


@pytest.mark.parametrize("margin", [0, 1, 5, 200])
@pytest.mark.parametrize("marked", [[], [0], [99], [0, 99], [30, 33, 80], range(100)], ids=str)
def test_near_is_within_the_margin_of_a_marked_frame(margin, marked):
    """Also where the margin is longer than what there is."""
    flags = np.zeros(100, dtype=bool)
    flags[list(marked)] = True
    expected = [any(abs(frame - other) <= margin for other in marked) for frame in range(100)]
    np.testing.assert_array_equal(near(flags, margin), expected)
