"""A short excerpt of a condition's traces, to draw."""

import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.artifacts.channels import contacts

_EXCERPT_CHANNELS = 96


def excerpt(condition: si.BaseRecording, duration_ms: float = 20.0) -> pd.DataFrame:
    """Cut a short excerpt from the middle of a recording, one row per frame and channel.

    At most 96 neighbouring channels of the first shank, so that the table stays small.

    Returns
    -------
    pandas.DataFrame
        channel, depth_um, x_um, shank, time_ms (from the excerpt's start), trace_uv.
    """
    frequency = condition.get_sampling_frequency()
    frames = min(condition.get_num_frames(0), round(duration_ms * frequency / 1000.0))
    start = (condition.get_num_frames(0) - frames) // 2
    table = contacts(condition)
    along = table[table["shank"] == table["shank"].iloc[0]].sort_values(["depth_um", "x_um"])
    first = max(0, (len(along) - _EXCERPT_CHANNELS) // 2)
    chosen = along.iloc[first : first + _EXCERPT_CHANNELS]
    traces = condition.get_traces(0, start, start + frames, return_in_uV=True)[:, chosen.index]
    repeated = chosen.loc[chosen.index.repeat(frames)].reset_index(drop=True)
    return repeated.assign(
        time_ms=np.tile(np.arange(frames) * 1000.0 / frequency, len(chosen)),
        trace_uv=traces.T.ravel().astype(np.float32),
    )
