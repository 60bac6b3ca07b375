"""How far transients spread, held against filters and networks of known reach."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import uniform_filter1d

from ephys_deepinterpolation.artifacts import (
    add_transients,
    make_transients,
    place_transients,
    transient_spread,
    try_transients,
)
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.transients import find_transients
from ephys_deepinterpolation.windows import Context
from fixtures import (
    FREQUENCY,
    integer_recording,
    neuropixels,
    noise_recording,
    recording_of,
    untrained_model,
)

RAIL_UV = 3000.0
NOISE_UV = 1.0
CHANNELS = 40
NAMES = ["saturation", "partial_saturation", "stimulation"]


class Trial:
    """A recording with and without transients, and what a filter makes of both."""

    def __init__(self, recording):
        self.recording = recording
        self.transients = make_transients(recording, RAIL_UV)
        self.starts = place_transients(recording, self.transients)
        self.disturbed = add_transients(recording, self.transients, self.starts, RAIL_UV)

    def spread(self, condition):
        return transient_spread(
            condition(self.disturbed),
            condition(self.recording),
            self.transients,
            self.starts,
            NOISE_UV,
        )

    def reach(self, condition):
        return self.spread(condition).groupby(["transient", "axis"])["reach"].first()


def smoothed(width, axis):
    """A condition that averages over so many frames (axis 0) or channels (axis 1)."""

    def condition(recording):
        traces = recording.get_traces(return_in_uV=True).astype(float)
        # Narrow probes number their channels by depth, two a row.
        size = (width, 1) if axis == 0 else (1, width)
        means = uniform_filter1d(traces, size[axis], axis=axis, mode="nearest")
        return recording_of(means, probe=recording.get_probe())

    return condition


def unchanged(recording):
    return recording


@pytest.fixture(scope="module")
def trial():
    return Trial(noise_recording(12_000, seed=1, channels=CHANNELS))


def test_each_transient_happens_in_turn_and_apart_from_the_others(trial):
    assert [transient.name for transient in trial.transients] == NAMES
    assert trial.starts.shape == (3, 5)
    order = np.argsort(trial.starts.ravel())
    names = np.repeat(NAMES, 5)[order]
    assert names.tolist() == NAMES * 5
    lengths = np.array([len(each.waveform_uv) for each in trial.transients])
    ends = trial.starts + lengths[:, None]
    pauses = np.sort(trial.starts.ravel())[1:] - np.sort(ends.ravel())[:-1]
    assert pauses.min() >= 2 * 0.025 * FREQUENCY
    assert trial.starts.min() >= 0.025 * FREQUENCY
    assert ends.max() <= trial.recording.get_num_frames() - 0.025 * FREQUENCY


def test_short_recordings_get_fewer_transients_and_shorter_ones_none():
    counts = []
    for frames in (12_000, 5000, 900):
        recording = noise_recording(frames, seed=1)
        counts.append(place_transients(recording, make_transients(recording, RAIL_UV)).shape)
    assert counts == [(3, 5), (3, 2), (3, 0)]


def test_a_saturation_is_flat_at_the_end_of_the_range(trial):
    traces = trial.disturbed.get_traces()
    frames = round(0.005 * FREQUENCY)
    for start in trial.starts[0]:
        assert (traces[start : start + frames] == RAIL_UV).all()


def test_a_quarter_of_neighbouring_channels_saturates_in_part(trial):
    transient = trial.transients[1]
    struck = transient.distance_um == 0
    assert struck.sum() == CHANNELS // 4
    traces = trial.disturbed.get_traces()
    start = trial.starts[1, 0]
    assert (traces[start, struck] == RAIL_UV).all()
    np.testing.assert_array_equal(
        traces[start, ~struck], trial.recording.get_traces()[start, ~struck]
    )
    depths = trial.recording.get_channel_locations()[:, 1]
    assert np.ptp(depths[struck]) < 1.5 * np.ptp(depths) / 4
    # Too few for the package to know it as a transient: the harder case for a network.
    assert not find_transients(traces[start][None] / 10.0, np.zeros(CHANNELS, bool))[0]


def test_a_stimulation_is_balanced_at_first_and_weaker_with_distance(trial):
    transient = trial.transients[2]
    site = np.flatnonzero(transient.distance_um == 0)
    assert len(site) == 1
    pulse = transient.waveform_uv[:, site[0]]
    assert pulse.max() == RAIL_UV
    assert pulse.min() == -RAIL_UV
    peaks = np.abs(transient.waveform_uv).max(axis=0)
    assert (np.diff(peaks[np.argsort(transient.distance_um, kind="stable")]) <= 0).all()
    assert np.abs(transient.waveform_uv[-1]).max() < NOISE_UV


def test_outside_the_transients_the_recording_is_the_same(trial):
    changed = (trial.disturbed.get_traces() != trial.recording.get_traces()).any(axis=1)
    inside = np.zeros(len(changed), bool)
    for transient, starts in zip(trial.transients, trial.starts, strict=True):
        for start in starts:
            inside[start : start + len(transient.waveform_uv)] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9


def test_transients_are_added_in_the_integers_of_the_recording_and_to_its_first_segment():
    recording = integer_recording([12_000, 4000], seed=1)
    disturbed = Trial(recording).disturbed
    assert disturbed.get_dtype() == np.dtype("int16")
    starts = place_transients(recording, make_transients(recording, RAIL_UV))
    half_a_bit = recording.get_channel_gains() / 2 * 1.001
    reached = disturbed.get_traces(0, return_in_uV=True)[starts[0, 0]]
    assert (np.abs(reached - RAIL_UV) <= half_a_bit).all()
    np.testing.assert_array_equal(disturbed.get_traces(1), recording.get_traces(1))


def test_what_does_nothing_spreads_nothing(trial):
    reach = trial.reach(unchanged)
    assert reach.xs("time_ms", level="axis").tolist() == [0.0, 0.0, 0.0]
    assert reach["partial_saturation", "distance_um"] == 0.0
    table = trial.spread(unchanged)
    outside = table[(table["axis"] == "time_ms") & (table["offset"] != 0)]
    assert outside["difference_uv"].max() == 0.0
    assert set(table["events"]) == {5}


@pytest.mark.parametrize("half", [1, 3, 20])
def test_a_filter_in_time_spreads_as_far_as_its_kernel_and_no_further(trial, half):
    table = trial.spread(smoothed(2 * half + 1, axis=0))
    milliseconds = half * 1000.0 / FREQUENCY
    reach = table.groupby(["transient", "axis"])["reach"].first()
    assert reach["saturation", "time_ms"] == pytest.approx(milliseconds)
    assert reach["partial_saturation", "time_ms"] == pytest.approx(milliseconds)
    assert reach["partial_saturation", "distance_um"] == 0.0
    seen = table[(table["axis"] == "time_ms") & (table["transient"] == "saturation")]
    spread = seen.loc[seen["difference_uv"] > NOISE_UV, "offset"]
    # As far before the transient as after it.
    assert spread.min() == pytest.approx(-milliseconds, abs=1e-6)
    assert spread.max() == pytest.approx(milliseconds, abs=1e-6)


@pytest.mark.parametrize("half", [1, 4])
def test_a_filter_over_channels_spreads_as_far_as_its_kernel(trial, half):
    depths = trial.recording.get_channel_locations()[:, 1]
    assert (np.diff(depths) >= 0).all()
    struck = np.flatnonzero(trial.transients[1].distance_um == 0)
    reached = np.r_[struck.min() - half : struck.max() + half + 1]
    distance = trial.transients[1].distance_um[reached].max()
    reach = trial.reach(smoothed(2 * half + 1, axis=1))
    assert reach["partial_saturation", "distance_um"] == pytest.approx(distance)
    assert reach["partial_saturation", "time_ms"] == 0.0


def test_a_difference_below_the_noise_does_not_reach(trial):
    def weak(recording):
        traces = recording.get_traces(return_in_uV=True)
        late = np.roll(traces, 30, axis=0)
        return recording_of(traces + 0.9 * NOISE_UV / (2 * RAIL_UV) * late)

    table = trial.spread(weak)
    in_time = table[(table["axis"] == "time_ms") & (table["transient"] == "saturation")]
    late = in_time[np.isclose(in_time["offset"], 3.0)]
    assert (late["difference_uv"] > 0.2 * NOISE_UV).all()
    assert (in_time["reach"] == 0).all()


def test_a_network_is_shown_no_saturation_of_the_whole_probe_but_one_in_part():
    """Whole: context frames are silence instead of noise. In part: the network sees the rail."""
    recording = noise_recording(12_000, seed=2)
    model = untrained_model(recording, Context(frames=3, omission=1))
    table = Trial(recording).spread(lambda each: deepinterpolate(each, model))
    outside = table[(table["axis"] == "time_ms") & (table["offset"] != 0)]
    largest = outside.groupby("transient")["difference_uv"].max()
    assert largest["saturation"] < RAIL_UV / 30
    assert largest["partial_saturation"] > 5 * largest["saturation"]
    # Not further than the context reaches: 3 frames beyond the one omitted.
    assert (outside["reach"] <= 4 * 1000.0 / FREQUENCY + 1e-9).all()


def test_a_recording_too_short_for_a_transient_gives_no_rows():
    table = Trial(noise_recording(900, seed=1)).spread(unchanged)
    assert table.empty
    columns = ["transient", "axis", "offset", "difference_uv", "reach", "noise_uv", "events"]
    assert sorted(table.columns) == sorted(columns)


def test_differences_are_averaged_over_events_and_are_the_largest_of_their_bin():
    """Of three frames in a bin of 0.1 ms, at 30 kHz, one differs, in every other event."""
    random = np.random.default_rng(3)
    traces = random.normal(size=(30_000, 16)).astype(np.float32)
    recording = recording_of(traces, probe=neuropixels(), frequency=30_000.0)
    transients = make_transients(recording, RAIL_UV)
    starts = place_transients(recording, transients)[:, :4]
    other = traces.copy()
    for start in starts[0, ::2]:
        other[start - 2] += 10.0
    table = transient_spread(
        recording_of(other, frequency=30_000.0), recording, transients, starts, NOISE_UV
    )
    chosen = table[(table["transient"] == "saturation") & (table["offset"] == -0.1)]
    assert chosen["difference_uv"].tolist() == pytest.approx([5.0], rel=1e-4)
    assert chosen["reach"].tolist() == pytest.approx([2 / 30.0])


def test_a_condition_is_tried_with_the_transients_of_its_recording(trial):
    def filtered(recording):
        return apply_condition(recording, pipeline)

    pipeline = [{"name": "gaussian_filter", "params": {"freq_min": None, "freq_max": 3000.0}}]
    found = try_transients(
        GroundTruth(recording=trial.recording),
        filtered(trial.recording),
        pipeline,
        model=None,
        saturation_uv=RAIL_UV,
        noise_uv=NOISE_UV,
    )
    pd.testing.assert_frame_equal(found, trial.spread(filtered), check_exact=True)
    assert found["difference_uv"].max() > NOISE_UV
