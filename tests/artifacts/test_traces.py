"""A short excerpt of the traces, to draw."""

import numpy as np
import pandas as pd
import pytest
from probeinterface.neuropixels_tools import build_neuropixels_probe

from ephys_deepinterpolation.artifacts import contacts, excerpt
from ephys_deepinterpolation.conditions import apply_condition
from fixtures import FREQUENCY, noise_recording, recording_of

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}


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
