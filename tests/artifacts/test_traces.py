"""What a condition did to the traces, on traces whose every part is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from probeinterface.neuropixels_tools import build_neuropixels_probe
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.artifacts import contacts, excerpt, noise_levels, parts_passed
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.noise import SumRecording
from example_ground_truth import INDEPENDENT, NONE, synthetic
from fixtures import noise_recording, recording_of

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
PIPELINES = pytest.mark.parametrize("pipeline", [[], [BANDPASS]], ids=["raw", "filtered"])
FREQUENCY = 10_000.0


def white(frames, levels, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(frames, len(levels))) * np.asarray(levels)


@pytest.fixture(scope="module")
def truth():
    return synthetic()


@pytest.fixture(scope="module")
def many_shanks():
    """120 channels of one shank and 30 of another, in no order, with a gain and an offset."""
    probe = build_neuropixels_probe("NP2014")
    first, second = (np.flatnonzero(probe.shank_ids == shank) for shank in ("1", "3"))
    chosen = np.random.default_rng(4).permutation(np.r_[first[:120], second[:30]])
    wired = probe.get_slice(chosen)
    wired.set_device_channel_indices(np.random.default_rng(5).permutation(150))
    traces = np.random.default_rng(6).integers(-500, 500, size=(1000, 150)).astype(np.int16)
    recording = recording_of(traces, probe=wired)
    recording.set_channel_gains(2.0)
    recording.set_channel_offsets(3.0)
    return recording


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


def test_contacts_are_where_the_probe_has_them(many_shanks):
    table = contacts(many_shanks)
    assert table["channel"].tolist() == many_shanks.channel_ids.astype(str).tolist()
    probe = build_neuropixels_probe("NP2014")
    shank_at = {
        tuple(position): shank
        for position, shank in zip(probe.contact_positions, probe.shank_ids, strict=True)
    }
    positions = many_shanks.get_channel_locations()
    assert table[["x_um", "depth_um"]].to_numpy().tolist() == positions.tolist()
    assert table["shank"].tolist() == [shank_at[tuple(position)] for position in positions]
    assert table["shank"].value_counts().to_dict() == {"1": 120, "3": 30}


def test_contacts_of_a_probe_without_shanks_share_one():
    assert len(set(contacts(noise_recording(10, seed=0))["shank"])) == 1


@PIPELINES
def test_a_condition_that_is_the_reference_passes_every_part_whole(truth, pipeline):
    condition = apply_condition(truth.recording, pipeline)
    table = parts_passed(truth, condition, pipeline, seed=1)
    assert set(table["part"]) == {"units", "background", "correlated", "independent"}
    np.testing.assert_allclose(table["passed"], 1.0, atol=0.01)


@PIPELINES
def test_a_known_mixture_of_the_parts_is_recovered(truth, pipeline):
    parts = truth.parts()
    mixture = SumRecording([parts["units"], scale(parts["independent"], gain=0.3, dtype="float32")])
    table = parts_passed(truth, apply_condition(mixture, pipeline), pipeline, seed=1)
    expected = {"units": 1.0, "background": 0.0, "correlated": 0.0, "independent": 0.3}
    assert table.set_index("part")["passed"].to_dict() == pytest.approx(expected, abs=0.002)


def test_what_is_in_no_part_is_attributed_to_none(truth):
    """A denoiser that invents something unrelated has passed nothing."""
    invented = white(truth.recording.get_num_frames(), np.full(16, 10.0), seed=9)
    condition = recording_of(
        invented.astype(np.float32), probe=truth.recording.get_probe(), frequency=30_000.0
    )
    table = parts_passed(truth, condition, [], seed=1)
    # The smaller a part, the more of it chance can find in something as large as this.
    assert (table["passed"].abs() * table["level_uv"] < 0.1).all()


@PIPELINES
def test_the_level_of_a_part_is_its_standard_deviation_in_the_reference_condition(truth, pipeline):
    table = parts_passed(truth, truth.recording, pipeline, seed=1).set_index("part")
    for name in ("correlated", "independent"):
        traces = apply_condition(truth.parts()[name], pipeline).get_traces()
        assert table.loc[name, "level_uv"] == pytest.approx(traces.std(), rel=0.02), name
    if not pipeline:
        assert table.loc["independent", "level_uv"] == pytest.approx(8.0, rel=0.02)


def test_a_part_of_level_zero_has_no_share_and_disturbs_no_other():
    silent = {"level_uv": 0.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1}
    truth = synthetic(noise={"independent": INDEPENDENT, "correlated": silent}, background=NONE)
    condition = apply_condition(truth.recording, [])
    table = parts_passed(truth, condition, [], seed=1).set_index("part")
    assert table.loc["correlated", "level_uv"] == 0.0
    assert np.isnan(table.loc["correlated", "passed"])
    assert table["passed"].drop("correlated").tolist() == pytest.approx([1.0, 1.0], abs=0.01)


def test_parts_of_a_recording_shorter_than_a_second_are_measured_too():
    truth = synthetic(duration_s=0.4)
    table = parts_passed(truth, apply_condition(truth.recording, []), [], seed=1)
    np.testing.assert_allclose(table["passed"], 1.0, atol=0.02)


def test_where_the_parts_are_not_known_the_table_is_empty_with_its_columns():
    recording = noise_recording(1000, seed=0)
    table = parts_passed(GroundTruth(recording=recording), recording, [], seed=1)
    assert table.empty
    assert table.columns.tolist() == ["part", "level_uv", "passed"]


def test_a_truth_with_spikes_but_without_noise_knows_its_spikes_as_parts(truth):
    known = dataclasses.replace(truth, noise={})
    table = parts_passed(known, apply_condition(truth.recording, []), [], seed=1)
    assert table["part"].tolist() == ["units", "background"]


def test_an_excerpt_holds_the_traces_of_its_channels_in_microvolts(many_shanks):
    table = excerpt(many_shanks, duration_ms=20.0)
    frames = 200
    start = (1000 - frames) // 2
    traces = 2.0 * many_shanks.get_traces(0, start, start + frames) + 3.0
    columns = {str(channel): index for index, channel in enumerate(many_shanks.channel_ids)}
    frame = np.rint(table["time_ms"] * FREQUENCY / 1000.0).astype(int)
    expected = traces[frame, table["channel"].map(columns)]
    np.testing.assert_array_equal(table["trace_uv"], expected)


def test_an_excerpt_holds_each_frame_of_each_channel_once_and_in_order(many_shanks):
    table = excerpt(many_shanks, duration_ms=20.0)
    assert len(table) == 200 * table["channel"].nunique()
    for _, times in table.groupby("channel")["time_ms"]:
        np.testing.assert_allclose(times, np.arange(200) * 0.1)


def test_an_excerpt_holds_at_most_96_neighbours_of_the_shank_of_the_first_channel(many_shanks):
    everywhere = contacts(many_shanks)
    shank = everywhere["shank"].iloc[0]
    table = excerpt(many_shanks).drop_duplicates("channel")
    assert set(table["shank"]) == {shank}
    along = everywhere[everywhere["shank"] == shank].sort_values(["depth_um", "x_um"])
    assert len(table) == min(96, len(along))
    ranks = along.reset_index(drop=True).reset_index().set_index("channel")["index"]
    chosen = ranks[table["channel"]].to_numpy()
    assert chosen.tolist() == list(range(chosen[0], chosen[0] + len(chosen)))


def test_an_excerpt_of_a_long_shank_is_96_channels_around_its_middle():
    probe = build_neuropixels_probe("NP2003").get_slice(np.arange(200))
    probe.set_device_channel_indices(np.arange(200))
    recording = recording_of(np.zeros((300, 200), np.float32), probe=probe)
    depths = excerpt(recording).drop_duplicates("channel")["depth_um"]
    middle = recording.get_channel_locations()[:, 1].mean()
    assert len(depths) == 96
    assert depths.mean() == pytest.approx(middle, abs=15.0)


@pytest.mark.parametrize("frames", [1, 7, 199])
def test_an_excerpt_of_a_recording_shorter_than_it_is_all_of_the_recording(frames):
    recording = noise_recording(frames, seed=1)
    table = excerpt(recording, duration_ms=20.0)
    wide = table.pivot_table(index="time_ms", columns="channel", values="trace_uv")
    found = wide[recording.channel_ids.astype(str)].to_numpy()
    np.testing.assert_allclose(found, recording.get_traces(), rtol=1e-6)


def test_conditions_of_one_recording_show_the_same_frames_and_channels(truth):
    """Excerpts are laid over each other in one figure."""
    columns = ["channel", "depth_um", "x_um", "shank", "time_ms"]
    raw, filtered = (
        excerpt(apply_condition(truth.recording, pipeline)) for pipeline in ([], [BANDPASS])
    )
    pd.testing.assert_frame_equal(raw[columns], filtered[columns])
    assert (raw["trace_uv"] != filtered["trace_uv"]).any()
