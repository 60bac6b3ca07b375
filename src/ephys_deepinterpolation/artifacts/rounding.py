"""What is lost when a condition's output is written in the integers of the recording."""

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.stats import median_abs_deviation

_SAMPLE_CHUNKS, _SAMPLE_S = 10, 0.2


def measure_rounding(
    recording: si.BaseRecording, output: si.BaseRecording, seed: int
) -> pd.DataFrame:
    """Round a condition's output to the integers of the recording, and say how much that changes.

    An error that is small beside the noise, and noise of at least about one bit, do no harm.
    Ten random excerpts of 0.2 s are rounded; what lies beyond the integers is cut off.

    Parameters
    ----------
    recording : BaseRecording
        Whose type, gains and offsets the output would be written in.
    output : BaseRecording
        Of the condition, µV, on the channels of the recording.
    seed : int
        Chooses the excerpts.

    Returns
    -------
    pandas.DataFrame
        One row: gain_uv_per_bit and noise_uv (robust deviation of the output), medians over
        channels; rounding_uv, root mean square of the rounding error of samples that are not cut
        off; clipped_samples, samples that are, and their clipped_share. Of a recording of floats
        all but the noise is empty.
    """
    sample = si.get_random_data_chunks(
        output,
        return_in_uV=True,
        num_chunks_per_segment=_SAMPLE_CHUNKS,
        chunk_size=_chunk_frames(output),
        seed=seed,
    )
    row: dict[str, float] = {
        "gain_uv_per_bit": np.nan,
        "rounding_uv": np.nan,
        "noise_uv": float(np.median(median_abs_deviation(sample, axis=0, scale="normal"))),
        "clipped_samples": np.nan,
        "clipped_share": np.nan,
    }
    if np.issubdtype(recording.get_dtype(), np.integer):
        gains = recording.get_channel_gains()
        exact = (sample.astype(float) - recording.get_channel_offsets()) / gains
        limits = np.iinfo(recording.get_dtype())
        integers = np.round(exact)
        clipped = (integers < limits.min) | (integers > limits.max)
        errors = np.where(clipped, np.nan, (integers - exact) * gains)
        row |= {
            "gain_uv_per_bit": float(np.median(gains)),
            "rounding_uv": float(np.sqrt(np.nanmean(np.square(errors)))),
            "clipped_samples": float(clipped.sum()),
            "clipped_share": float(clipped.mean()),
        }
    return pd.DataFrame([row])


def _chunk_frames(recording: si.BaseRecording) -> int:
    shortest = min(recording.get_num_samples(index) for index in range(len(recording.segments)))
    return max(1, min(shortest // 2, round(_SAMPLE_S * recording.sampling_frequency)))
