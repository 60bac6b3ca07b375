"""How much noise a condition leaves on each channel."""

import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.artifacts.channels import contacts

_SAMPLE_CHUNKS = 10


def noise_levels(condition: si.BaseRecording, seed: int) -> pd.DataFrame:
    """Noise of each channel: median absolute deviation over 0.6745, in µV, from random excerpts."""
    segments = range(condition.get_num_segments())
    shortest = min(condition.get_num_frames(segment) for segment in segments)
    frames = min(shortest // 2, int(condition.get_sampling_frequency()))
    levels = si.get_noise_levels(
        condition,
        return_in_uV=True,
        method="mad",
        force_recompute=True,
        random_slices_kwargs={
            "num_chunks_per_segment": _SAMPLE_CHUNKS,
            "chunk_size": frames,
            "seed": seed,
        },
    )
    return contacts(condition).assign(noise_uv=levels)
