import numpy as np
import pytest

from ephys_deepinterpolation.normalization import (
    Normalization,
    estimate_normalization,
    silent_channels,
)

LOCATION = np.array([0.0, -300.0, 12.0, 5.0, 80.0])
SCALE = np.array([10.0, 3.0, 45.0, 9.0, 12.0])


@pytest.fixture
def traces():
    noise = np.random.default_rng(0).normal(size=(20_000, len(SCALE)))
    return (noise * SCALE + LOCATION).astype(np.float32)


def test_known_location_and_scale_are_recovered(traces):
    normalization = estimate_normalization(traces)
    np.testing.assert_allclose(normalization.location, LOCATION, atol=0.05 * SCALE.max())
    np.testing.assert_allclose(normalization.scale, SCALE, rtol=0.03)
    assert not normalization.silent.any()


def test_rare_large_spikes_hardly_move_the_scale(traces):
    spiking = traces.copy()
    spiking[::100] -= 500.0
    calm, moved = estimate_normalization(traces), estimate_normalization(spiking)
    np.testing.assert_allclose(moved.scale, calm.scale, rtol=0.03)
    np.testing.assert_allclose(moved.location, calm.location, atol=0.03 * SCALE.max())


def test_invert_undoes_apply(traces):
    normalization = estimate_normalization(traces)
    back = normalization.invert(normalization.apply(traces))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, traces, rtol=1e-5, atol=1e-4)


def test_apply_gives_unit_scale_in_float32_and_leaves_its_input_alone(traces):
    before = traces.copy()
    normalized = estimate_normalization(traces).apply(traces)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, atol=0.03)
    np.testing.assert_array_equal(traces, before)


@pytest.mark.parametrize("quiet", [0.0, 0.01])
def test_a_silent_channel_is_shown_as_zero_and_comes_back_as_its_location(traces, quiet):
    traces[:, 2] = 17.0 + quiet * traces[:, 0] / SCALE[0]
    normalization = estimate_normalization(traces)
    np.testing.assert_array_equal(normalization.silent, [False, False, True, False, False])
    normalized = normalization.apply(traces)
    assert (normalized[:, 2] == 0).all()
    np.testing.assert_allclose(normalization.invert(normalized)[:, 2], 17.0, atol=0.01)
    assert np.isfinite(normalized).all()


def test_a_merely_quiet_channel_is_not_silent(traces):
    traces[:, 1] /= 2
    assert not estimate_normalization(traces).silent.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_do_not_count(traces, value):
    whole, shorter = estimate_normalization(traces), estimate_normalization(traces[:15_000])
    traces[15_000:, 3] = value
    normalization = estimate_normalization(traces)
    others = np.arange(len(SCALE)) != 3
    for name, values in vars(normalization).items():
        np.testing.assert_array_equal(values[others], getattr(whole, name)[others])
        assert values[3] == getattr(shorter, name)[3]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_channel_that_is_hardly_ever_finite_is_silent(traces, value):
    traces[9_000:, 3] = value
    normalization = estimate_normalization(traces)
    np.testing.assert_array_equal(np.flatnonzero(normalization.silent), [3])
    assert all(np.isfinite(values).all() for values in vars(normalization).values())


def test_silent_channels_are_named_ten_at_most():
    names = [f"AP{number}" for number in range(14)]
    silent = np.arange(14) != 1

    def named(mask):
        return silent_channels(Normalization(np.zeros(14), np.ones(14), mask), names)

    assert named(np.zeros(14, bool)) == ""
    assert named(np.arange(14) == 7) == "AP7"
    assert named(silent).startswith("AP0, AP2, AP3")
    assert named(silent).endswith("AP10 and 3 others")


@pytest.mark.parametrize("value", [4.0, np.nan])
def test_a_recording_of_dead_channels_is_refused(traces, value):
    with pytest.raises(ValueError, match="every channel of the recording is constant"):
        estimate_normalization(np.full_like(traces, value))
