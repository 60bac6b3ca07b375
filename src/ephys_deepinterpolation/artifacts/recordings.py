"""What recording it is that a condition is measured on."""

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.preprocessing import highpass_filter, scale_to_uV

from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.excerpts import quiet_samples, spread_ranges

_HIGHPASS_HZ = 300.0
_NEIGHBOURS_UM = 30.0


def describe_recording(recording: si.BaseRecording, seed: int) -> pd.DataFrame:
    """Describe a recording and its noise in one row.

    The noise is what is above 300 Hz and away from spikes, see `quiet_samples`, in excerpts of a
    quarter of a second.

    Parameters
    ----------
    recording : BaseRecording
        With probe and gains to µV.
    seed : int
        Draws the excerpts.

    Returns
    -------
    pandas.DataFrame
        channels; duration_s; sampling_frequency_hz; pitch_um, the smallest distance between two
        rows of contacts; noise_uv, median over channels of the standard deviation;
        neighbour_correlation, median over pairs of contacts of a shank at most 30 µm apart;
        lag1_autocorrelation, median over channels of the correlation of one frame with the next.
    """
    frequency = recording.get_sampling_frequency()
    filtered = highpass_filter(scale_to_uV(recording), freq_min=_HIGHPASS_HZ, dtype="float32")
    noise = []
    for start, end in spread_ranges(filtered, seed):
        traces = filtered.get_traces(0, start, end)
        noise.append(np.where(quiet_samples(traces, frequency), traces, np.nan))
    # A frame without values between two excerpts, so that none follows the other.
    apart = np.full((1, recording.get_num_channels()), np.nan)
    samples = pd.DataFrame(np.concatenate([each for one in noise for each in (one, apart)]))
    places = contacts(recording)
    depths = np.unique(places["depth_um"].round(1))
    pairs = [samples[one].corr(samples[other]) for one, other in _neighbours(places)]
    return pd.DataFrame(
        [
            {
                "channels": recording.get_num_channels(),
                "duration_s": recording.get_total_duration(),
                "sampling_frequency_hz": frequency,
                "pitch_um": np.diff(depths).min() if len(depths) > 1 else np.nan,
                "noise_uv": samples.std().median(),
                "neighbour_correlation": pd.Series(pairs, dtype=float).median(),
                "lag1_autocorrelation": samples.apply(pd.Series.autocorr).median(),
            }
        ]
    )


def _neighbours(places: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of indices of contacts of one shank that are near each other."""
    positions = places[["x_um", "depth_um"]].to_numpy()
    shanks = places["shank"].to_numpy()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    near = (distances <= _NEIGHBOURS_UM) & (shanks[:, None] == shanks[None])
    return [(int(one), int(other)) for one, other in np.argwhere(np.triu(near, 1))]
