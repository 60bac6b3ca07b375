"""The parts of the noise: their levels in µV, and what they share over channels and frames."""

import numpy as np
import pytest
import spikeinterface as si
from scipy.signal import welch

from ephys_deepinterpolation.ground_truth.noise import (
    SumRecording,
    band_limited_noise,
    coloured_noise,
    common_mode_noise,
    correlated_noise,
    independent_noise,
    line_noise,
    noise_parts,
)
from example_ground_truth import FREQUENCY
from fixtures import noise_recording

LAGS = np.arange(1, 20)


def autocorrelation(traces, lag):
    """Over frames, of each channel."""
    centred = traces - traces.mean(axis=0)
    return (centred[lag:] * centred[:-lag]).mean(axis=0) / centred.var(axis=0)


def uncertainty(frames, persistence=0.0):
    """Standard deviation of a correlation over the frames of an autoregression of first order."""
    return np.sqrt((1 + persistence**2) / (1 - persistence**2) / frames)


@pytest.fixture(scope="module")
def white(canvas):
    return independent_noise(canvas, level_uv=8.0, seed=3)


@pytest.fixture(scope="module", params=[(40.0, 0.1), (100.0, 0.4)], ids=["short", "long"])
def scales(request):
    """Spatial decay in µm and time constant in ms."""
    return request.param


@pytest.fixture(scope="module")
def coloured(canvas, scales):
    decay, constant = scales
    noise = correlated_noise(
        canvas, level_uv=6.0, spatial_decay_um=decay, time_constant_ms=constant, seed=4
    )
    return noise.get_traces().astype(float)


@pytest.fixture(scope="module")
def persistence(scales):
    """Expected correlation of one frame and the next."""
    return np.exp(-1000.0 / (scales[1] * FREQUENCY))


def test_independent_noise_has_its_level_on_every_channel(white):
    traces = white.get_traces(return_in_uV=True)
    assert traces.std(axis=0) == pytest.approx(8.0, rel=5 / np.sqrt(2 * len(traces)))
    assert abs(traces.mean()) < 5 * 8.0 / np.sqrt(traces.size)


def test_independent_noise_is_white_in_space(white):
    correlation = np.corrcoef(white.get_traces().T) - np.eye(16)
    assert np.abs(correlation).max() < 5 * uncertainty(white.get_num_frames())


def test_independent_noise_is_white_in_time_and_never_repeats(white):
    traces = white.get_traces()
    # Blocks of 30,000 frames that repeat would look white at every shorter lag.
    for lag in [*LAGS, 30_000, 60_000]:
        limit = 5 * uncertainty(len(traces) - lag)
        assert np.abs(autocorrelation(traces, lag)).max() < limit, lag


def test_independent_noise_is_gaussian(white):
    scaled = white.get_traces().ravel().astype(float) / 8.0
    for deviations, share in [(1.0, 0.6827), (2.0, 0.9545), (3.0, 0.9973)]:
        assert (np.abs(scaled) < deviations).mean() == pytest.approx(share, abs=0.002)


def test_correlated_noise_has_its_level_on_every_channel(coloured, persistence):
    # The variance of a variance depends on the squares of the correlations.
    limit = 5 * uncertainty(len(coloured), persistence) / np.sqrt(2)
    assert coloured.std(axis=0) == pytest.approx(6.0, rel=limit)


def test_the_correlation_of_channels_falls_off_exponentially_with_their_distance(
    coloured, canvas, scales, persistence
):
    positions = canvas.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    error = np.corrcoef(coloured.T) - np.exp(-distances / scales[0])
    assert np.abs(error).max() < 5 * uncertainty(len(coloured), persistence)


def test_the_correlation_of_frames_falls_off_exponentially_with_their_lag(
    coloured, scales, persistence
):
    limit = 5 * uncertainty(len(coloured), persistence)
    for lag in LAGS:
        expected = np.exp(-lag * 1000.0 / (FREQUENCY * scales[1]))
        assert autocorrelation(coloured, lag) == pytest.approx(expected, abs=limit), lag
    assert np.abs(autocorrelation(coloured, 30_000)).max() < limit


def test_space_and_time_do_not_mix_in_correlated_noise(coloured, canvas, scales, persistence):
    """The correlation of one channel now and its neighbour a frame later is the product."""
    one, other = coloured[:-1, 4], coloured[1:, 5]
    distance = np.linalg.norm(np.subtract(*canvas.get_channel_locations()[[4, 5]]))
    expected = np.exp(-distance / scales[0]) * persistence
    found = np.corrcoef(one, other)[0, 1]
    assert found == pytest.approx(expected, abs=5 * uncertainty(len(one), persistence))


def spectrum(traces):
    """Power per hertz, the mean over channels, every 20 Hz."""
    frequencies, power = welch(traces, FREQUENCY, nperseg=1500, axis=0)
    return frequencies, power.mean(axis=1)


def test_coloured_noise_has_its_level_and_exponent(canvas):
    noise = coloured_noise(canvas, level_uv=20.0, exponent=1.5, band_hz=(50.0, 6000.0), seed=5)
    traces = noise.get_traces().astype(float)
    assert traces.std() == pytest.approx(20.0, rel=0.02)
    frequencies, power = spectrum(traces)
    inside = (frequencies >= 100.0) & (frequencies <= 3000.0)
    slope = np.polyfit(np.log(frequencies[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-1.5, abs=0.05)
    correlation = np.corrcoef(traces.T) - np.eye(16)
    assert np.abs(correlation).max() < 0.1


def test_band_limited_noise_is_flat_within_its_band_and_gone_beyond(canvas):
    noise = band_limited_noise(canvas, level_uv=7.0, band_hz=(300.0, 6000.0), seed=5)
    traces = noise.get_traces().astype(float)
    assert traces.std(axis=0) == pytest.approx(7.0, rel=0.02)
    frequencies, power = spectrum(traces)
    inside = power[(frequencies >= 500.0) & (frequencies <= 4500.0)]
    assert inside.std() / inside.mean() < 0.05
    assert power[frequencies > 9000.0].max() < 0.05 * inside.mean()


def test_coloured_noise_may_be_shared_by_neighbours(canvas):
    noise = coloured_noise(
        canvas, level_uv=6.0, exponent=0.0, band_hz=(300.0, 9000.0), seed=5, spatial_decay_um=40.0
    )
    positions = canvas.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    found = np.corrcoef(noise.get_traces().T)
    np.testing.assert_allclose(found, np.exp(-distances / 40.0), atol=0.03)


def test_common_mode_noise_is_the_same_on_all_channels(canvas):
    noise = common_mode_noise(canvas, level_uv=4.0, exponent=1.0, band_hz=(50.0, 5000.0), seed=5)
    traces = noise.get_traces()
    np.testing.assert_array_equal(traces, np.repeat(traces[:, :1], 16, axis=1))
    assert traces[:, 0].std() == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_line_noise_has_its_level_at_the_mains_and_its_multiples(canvas, mains):
    traces = line_noise(canvas, 5.0, mains, seed=5, harmonics=3).get_traces().astype(float)
    np.testing.assert_array_equal(traces, np.repeat(traces[:, :1], 16, axis=1))
    # Ten seconds hold whole periods, so that each sine has a frequency of the transform.
    amplitudes = 2 * np.abs(np.fft.rfft(traces[:, 0])) / len(traces)
    frequencies = np.fft.rfftfreq(len(traces), 1 / FREQUENCY)
    hum = np.isclose(frequencies[:, None], mains * np.array([1, 2, 3])).any(axis=1)
    assert amplitudes[~hum].max() < 1e-4
    np.testing.assert_allclose(amplitudes[hum] / amplitudes[hum][0], [1, 1 / 2, 1 / 3], rtol=1e-4)
    assert traces[:, 0].std() == pytest.approx(5.0, rel=1e-4)


EVERY_PART = {
    "independent": {"level_uv": 1.0},
    "correlated": {"level_uv": 1.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1},
    "coloured": {"level_uv": 1.0, "exponent": 1.0, "band_hz": [2.0, 300.0]},
    "band_limited": {"level_uv": 1.0, "band_hz": [300.0, 9000.0], "spatial_decay_um": 60.0},
    "common_mode": {"level_uv": 1.0, "exponent": 1.0, "band_hz": [10.0, 300.0]},
    "line": {"level_uv": 1.0, "frequency_hz": 50.0, "harmonics": 2},
}


def test_noise_takes_channels_probe_and_length_of_the_recording_and_is_in_microvolts(canvas):
    parts = noise_parts(canvas, EVERY_PART, 1)
    assert list(parts) == list(EVERY_PART)
    for part in parts.values():
        assert part.channel_ids.tolist() == canvas.channel_ids.tolist()
        assert part.get_num_frames() == canvas.get_num_frames()
        assert part.get_sampling_frequency() == canvas.get_sampling_frequency()
        np.testing.assert_array_equal(part.get_channel_locations(), canvas.get_channel_locations())
        np.testing.assert_array_equal(part.get_channel_gains(), 1.0)
        np.testing.assert_array_equal(part.get_channel_offsets(), 0.0)


@pytest.mark.parametrize("frames", [29_999, 33_000, 122_999, 33_001])
@pytest.mark.parametrize("frequency", [30_000.0, 29_999.7, 24_414.0625])
def test_noise_has_as_many_frames_as_the_recording_whatever_its_duration(frames, frequency):
    like = si.NumpyRecording([np.zeros((frames, 2), np.int16)], frequency)
    like.set_probe(noise_recording(10, seed=0).get_probe().get_slice(np.arange(2)))
    like.set_channel_gains(1.0)
    like.set_channel_offsets(0.0)
    assert independent_noise(like, 1.0, seed=0).get_num_frames() == frames
    assert correlated_noise(like, 1.0, 40.0, 0.1, seed=0).get_num_frames() == frames


@pytest.mark.parametrize("name", EVERY_PART)
def test_noise_of_level_zero_is_silence(canvas, name):
    part = noise_parts(canvas, {name: EVERY_PART[name] | {"level_uv": 0.0}}, 1)[name]
    assert not part.get_traces(0, 0, 1000).any()


def test_parts_of_the_noise_have_nothing_to_do_with_each_other(canvas):
    broad = {name: dict(values) for name, values in EVERY_PART.items() if name != "line"}
    broad["coloured"]["band_hz"] = broad["common_mode"]["band_hz"] = [200.0, 300.0]
    traces = [part.get_traces()[:, 3] for part in noise_parts(canvas, broad, 1).values()]
    correlation = np.corrcoef(traces) - np.eye(len(traces))
    # Of noise 100 Hz wide, ten seconds hold two thousand independent samples.
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)


def test_a_part_of_the_noise_does_not_depend_on_which_other_parts_there_are(canvas):
    independent = {"independent": {"level_uv": 3.0}}
    correlated = {
        "correlated": {"level_uv": 6.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1}
    }
    alone = noise_parts(canvas, independent, 1)["independent"]
    together = noise_parts(canvas, correlated | independent, 1)["independent"]
    np.testing.assert_array_equal(alone.get_traces(0, 0, 500), together.get_traces(0, 0, 500))


@pytest.mark.parametrize("name", EVERY_PART)
def test_the_seed_decides_each_part_of_the_noise(canvas, name):
    def first(seed):
        return noise_parts(canvas, {name: EVERY_PART[name]}, seed)[name].get_traces(0, 100, 200)

    np.testing.assert_array_equal(first(1), first(1))
    assert (first(1) != first(2)).mean() > 0.99


def test_noise_doubles_with_its_level(canvas):
    one, two = (independent_noise(canvas, level, 9).get_traces(0, 0, 500) for level in (2.0, 4.0))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    one, two = (
        correlated_noise(canvas, level, 40.0, 0.1, 9).get_traces(0, 0, 500) for level in (2.0, 4.0)
    )
    np.testing.assert_allclose(two, 2 * one, rtol=1e-5)


@pytest.fixture(scope="module")
def summands():
    return [noise_recording([5000, 3000], seed=seed) for seed in (1, 2, 3)]


def test_a_sum_of_recordings_is_the_sum_of_their_traces_in_every_segment(summands):
    total = SumRecording(summands)
    assert total.get_num_segments() == 2
    for segment in range(2):
        expected = sum(each.get_traces(segment) for each in summands)
        np.testing.assert_allclose(total.get_traces(segment), expected, rtol=1e-6)


def test_a_chunk_of_a_sum_is_the_sum_of_the_chunks(summands):
    total = SumRecording(summands)
    channels = total.channel_ids[[9, 0, 3]]
    expected = sum(each.get_traces(1, 500, 777, channel_ids=channels) for each in summands)
    found = total.get_traces(1, 500, 777, channel_ids=channels)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_summing_leaves_the_summands_as_they_were(summands):
    before = [each.get_traces(0).copy() for each in summands]
    SumRecording(summands).get_traces(0)
    for each, traces in zip(summands, before, strict=True):
        np.testing.assert_array_equal(each.get_traces(0), traces)


def test_a_sum_keeps_the_probe_and_gains_of_its_summands(summands):
    total = SumRecording(summands)
    np.testing.assert_array_equal(
        total.get_channel_locations(), summands[0].get_channel_locations()
    )
    np.testing.assert_array_equal(total.get_channel_gains(), summands[0].get_channel_gains())


def test_a_sum_survives_being_written_as_json(canvas, tmp_path):
    parts = [independent_noise(canvas, 2.0, seed) for seed in (1, 2)]
    total = SumRecording(parts)
    total.dump_to_json(tmp_path / "sum.json")
    again = si.load(tmp_path / "sum.json")
    np.testing.assert_array_equal(again.get_traces(0, 10, 90), total.get_traces(0, 10, 90))
