import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, lfilter, sosfiltfilt

from ephys_deepinterpolation.predictability import (
    COPIES_NOISE,
    measure_predictability,
    smallest_useful_omission,
)
from fixtures import CHANNELS, FREQUENCY, recording_of, white_noise

FRAMES = 60_000


def r2(traces, **options):
    """Share of variance predicted, by omission."""
    recording = recording_of(np.asarray(traces, dtype=np.float32))
    measured = measure_predictability(recording, **options)
    return dict(zip(measured["omission"], measured["r2"], strict=True))


def band_limited(low, high, seed=0):
    sos = butter(4, [low, high], btype="band", fs=FREQUENCY, output="sos")
    traces = sosfiltfilt(sos, white_noise(seed, FRAMES), axis=0)
    return 10 * traces / traces.std()


def test_nothing_predicts_white_noise():
    measured = r2(white_noise(0, FRAMES), freq_min=None)
    assert list(measured) == [0, 1, 2, 4, 8]
    np.testing.assert_allclose(list(measured.values()), 0, atol=0.005)


def test_autoregressive_noise_is_predicted_as_theory_says():
    """Between two frames k away, each of correlation r = 0.95**k, a share r² is explained twice."""
    traces = lfilter([1.0], [1.0, -0.95], white_noise(1, FRAMES), axis=0)
    for omission, found in r2(traces, omissions=(0, 1, 3), freq_min=None).items():
        shared = 0.95 ** (2 * (omission + 1))
        assert found == pytest.approx(2 * shared / (1 + shared), abs=0.01)


def test_band_limited_noise_is_predicted_until_the_omission_is_as_long_as_its_memory():
    measured = r2(band_limited(500, 2500))
    assert measured[0] > 0.99
    assert measured[1] > 0.99
    assert measured[8] < 0.5
    assert (np.diff(list(measured.values())) < 1e-3).all()


def test_a_narrower_band_is_predicted_across_a_longer_omission():
    narrow, wide = r2(band_limited(300, 1500)), r2(band_limited(300, 3000))
    assert narrow[4] > 0.9 > 0.5 > wide[4]


def test_slow_waves_do_not_hide_what_the_noise_is():
    noise = white_noise(2, FRAMES)
    waves = sosfiltfilt(butter(2, 20, fs=FREQUENCY, output="sos"), white_noise(3, FRAMES), axis=0)
    both = noise + 300 * waves / waves.std()
    assert r2(both, freq_min=None)[1] > 0.99
    measured, alone = r2(both), r2(noise)
    for omission, value in measured.items():
        assert value == pytest.approx(alone[omission], abs=0.005)
    assert max(measured.values()) < 0.5


def test_the_measure_is_a_share_whatever_the_units_and_repeats():
    traces = band_limited(500, 2500)
    first = r2(traces)
    assert r2(traces) == first
    scaled = r2(1e-3 * traces)
    assert list(scaled.values()) == pytest.approx(list(first.values()), abs=1e-4)


def test_constant_channels_do_not_count():
    traces = band_limited(500, 2500)
    traces[:, [0, 5]] = [0.0, 7.0]
    assert r2(traces)[1] > 0.99


def test_a_recording_of_one_channel_and_of_little_length_is_measured_too():
    assert r2(white_noise(0, 3000)[:, :1], omissions=(1,))[1] < 0.5


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.2, 0.1, 0.0], 0),
        ([0.99, 0.91, 0.89], 4),
        ([0.99, 0.8, 0.95], 1),
        ([0.99, 0.95, 0.91], None),
    ],
)
def test_the_smallest_useful_omission_is_the_first_that_does_not_copy_noise(shares, expected):
    measured = pd.DataFrame({"omission": [0, 1, 4], "r2": shares})
    assert smallest_useful_omission(measured) == expected
    assert smallest_useful_omission(measured.iloc[::-1]) == expected


def test_the_measured_omission_is_the_one_the_band_asks_for():
    recording = recording_of(band_limited(500, 2500).astype(np.float32))
    measured = measure_predictability(recording, omissions=range(1, 9))
    smallest = smallest_useful_omission(measured)
    shares = measured.set_index("omission")["r2"]
    assert 1 < smallest < 8
    assert shares[smallest] < COPIES_NOISE <= shares[smallest - 1]
    assert recording.get_num_channels() == CHANNELS
