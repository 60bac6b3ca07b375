"""Where the channels of a recording lie."""

import numpy as np
import pandas as pd
import spikeinterface as si


def contacts(recording: si.BaseRecording) -> pd.DataFrame:
    """Where each channel lies: channel, depth_um, x_um, shank."""
    positions = recording.get_channel_locations()
    shanks = recording.get_probe().shank_ids
    return pd.DataFrame(
        {
            "channel": recording.channel_ids.astype(str),
            "depth_um": positions[:, 1],
            "x_um": positions[:, 0],
            "shank": "0" if shanks is None else np.asarray(shanks, dtype=str),
        }
    )
