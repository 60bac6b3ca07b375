import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from pandas.testing import assert_frame_equal

from ephys_deepinterpolation.comparisons import measure_quality
from ephys_deepinterpolation.ground_truth import inject_spikes
from fixtures import recording_of

FREQUENCY = 10_000.0
CHANNELS = 8
DURATION_S = 40
NOISE_UV = 5.0
PEAKS = {"large": (2, -100.0), "positive": (5, 60.0)}


def noise(seed=0, level=NOISE_UV):
    random = np.random.default_rng(seed)
    frames = round(DURATION_S * FREQUENCY)
    return level * random.normal(size=(frames, CHANNELS)).astype(np.float32)


def spike_trains(rate_hz=8.0, seed=1):
    """Spikes of each unit at least 5 ms apart, and never within 2 ms of another unit's."""
    slots = np.arange(200, DURATION_S * FREQUENCY - 200, 50, dtype="int64")
    chosen = np.random.default_rng(seed).permutation(slots)
    count = round(rate_hz * DURATION_S)
    return {unit: np.sort(chosen[i * count : (i + 1) * count]) for i, unit in enumerate(PEAKS)}


def recording_with(trains, traces=None, scale=None):
    """Noise, and a spike 0.3 ms wide at each time, peaking on one channel, half on the next."""
    traces = noise() if traces is None else traces
    silent = recording_of(np.zeros_like(traces), frequency=FREQUENCY)
    shape = np.exp(-0.5 * ((np.arange(40) - 20) / 1.5) ** 2)
    templates = np.zeros((len(PEAKS), 40, CHANNELS), np.float32)
    for template, (channel, peak) in zip(templates, PEAKS.values(), strict=True):
        template[:, channel] = peak * shape
        template[:, channel + 1] = 0.5 * peak * shape
    sorting = sorting_of(trains)
    variation = None if scale is None else pd.DataFrame({"amplitude_factor": scale})
    spikes = inject_spikes(sorting, templates, 20, silent, variation)
    return recording_of(traces + spikes.get_traces(), frequency=FREQUENCY)


def sorting_of(trains):
    return si.NumpySorting.from_unit_dict(trains, FREQUENCY)


LEVELS = pd.Series(NOISE_UV, index=[str(channel) for channel in range(CHANNELS)])


def measure(recording, *trains):
    return [
        table.set_index("unit")
        for table in measure_quality(recording, LEVELS, [sorting_of(each) for each in trains])
    ]


@pytest.fixture(scope="module")
def trains():
    return spike_trains()


@pytest.fixture(scope="module")
def recording(trains):
    return recording_with(trains)


def test_peak_noise_and_their_ratio_are_those_of_the_unit_that_was_planted(recording, trains):
    (table,) = measure(recording, trains)
    for unit, (_, peak) in PEAKS.items():
        assert table.loc[unit, "peak_uv"] == pytest.approx(abs(peak), abs=4 * NOISE_UV / 320**0.5)
        assert table.loc[unit, "noise_uv"] == NOISE_UV
        assert table.loc[unit, "snr"] == pytest.approx(table.loc[unit, "peak_uv"] / NOISE_UV)


def test_the_noise_is_that_of_the_channel_where_the_unit_peaks(recording, trains):
    levels = pd.Series(np.arange(1.0, CHANNELS + 1), index=LEVELS.index).sample(frac=1.0)
    (table,) = measure_quality(recording, levels, [sorting_of(trains)])
    assert table.set_index("unit")["noise_uv"].to_dict() == {"large": 3.0, "positive": 6.0}


def test_well_isolated_units_that_miss_nothing_pass(recording, trains):
    (table,) = measure(recording, trains)
    assert (table["spikes"] == 320).all()
    assert (table["firing_rate_hz"] == 8.0).all()
    assert (table["isi_violations_ratio"] == 0.0).all()
    assert (table["presence_ratio"] == 1.0).all()
    assert (table["amplitude_cutoff"] < 0.05).all()
    assert table["passes"].tolist() == [True, True]


@pytest.mark.parametrize("missing", [0.03, 0.3])
def test_the_share_of_small_spikes_that_are_missing_is_found(missing):
    trains = spike_trains(rate_hz=60.0)
    scale = np.random.default_rng(3).normal(1.0, 0.15, 2 * len(trains["large"]))
    recording = recording_with(trains, scale=scale)
    traces = np.abs(recording.get_traces())
    found = {}
    for unit, (channel, _) in PEAKS.items():
        size = traces[trains[unit], channel]
        found[unit] = trains[unit][size > np.quantile(size, missing)]
    (table,) = measure(recording, found)
    assert table["amplitude_cutoff"].tolist() == pytest.approx(
        [missing] * 2, abs=0.06 + 0.5 * missing
    )
    assert table["passes"].tolist() == [missing < 0.1] * 2


def test_spikes_of_another_unit_show_as_refractory_violations(recording, trains):
    spikes = trains["large"]
    mixed = np.sort(np.r_[spikes, spikes[::4] + 10])
    (table,) = measure(recording, {"large": mixed})
    rate = len(mixed) / DURATION_S
    expected = (len(spikes[::4]) / (2 * len(mixed) * 0.0015)) / rate
    assert table.loc["large", "isi_violations_ratio"] == pytest.approx(expected)
    assert not table.loc["large", "passes"]


def test_a_unit_that_falls_silent_halfway_is_half_present(recording, trains):
    half = trains["large"][trains["large"] < DURATION_S * FREQUENCY / 2]
    (table,) = measure(recording, {"large": half})
    assert table.loc["large", "presence_ratio"] == pytest.approx(0.5)
    assert not table.loc["large", "passes"]


def test_with_too_few_spikes_nobody_can_say_whether_a_unit_passes(recording, trains):
    (table,) = measure(recording, {"large": trains["large"][::4]})
    assert table["amplitude_cutoff"].isna().all()
    assert table["passes"].isna().all()
    assert table["snr"].notna().all()


def test_the_same_spikes_on_the_same_traces_give_the_same_numbers_beside_any_others(
    recording, trains
):
    (alone,) = measure(recording, trains)
    others = {7: trains["positive"][::2], 3: trains["large"] + 1}
    first, _, again, empty = measure(recording, trains, others, trains, {})
    assert_frame_equal(first, alone)
    assert_frame_equal(again, alone)
    assert len(empty) == 0


def test_what_does_not_depend_on_traces_is_the_same_on_both_recordings(recording, trains):
    quieter = recording_of(0.5 * recording.get_traces(), frequency=FREQUENCY)
    (before,), (after,) = measure(recording, trains), measure(quieter, trains)
    unchanged = ["spikes", "firing_rate_hz", "isi_violations_ratio", "presence_ratio"]
    assert_frame_equal(before[unchanged], after[unchanged])
    np.testing.assert_allclose(after["peak_uv"], 0.5 * before["peak_uv"], rtol=1e-5)
    np.testing.assert_allclose(after["amplitude_cutoff"], before["amplitude_cutoff"], atol=1e-3)


def test_spikes_beyond_the_end_and_units_without_spikes_do_no_harm(recording, trains):
    end = recording.get_num_frames()
    odd = trains | {
        "large": np.r_[trains["large"], end + 5],
        "edge": np.array([0, 3, end - 1]),
        "none": np.array([], "int64"),
    }
    (plain,), (table,) = measure(recording, trains), measure(recording, odd)
    assert_frame_equal(table.loc[list(trains)], plain, check_dtype=False)
    assert table.index.tolist() == ["large", "positive", "edge"]
    assert table.loc["edge", "spikes"] == 3


def test_without_any_unit_there_is_no_row_but_every_column(recording, trains):
    (filled,), (table,) = measure(recording, trains), measure(recording, {})
    assert len(table) == 0
    assert table.columns.tolist() == filled.columns.tolist()
