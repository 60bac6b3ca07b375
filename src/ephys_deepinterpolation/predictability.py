"""How well a recording's noise is predicted by its neighbours in time.

A network can only remove what it cannot predict. Where the frames around a frame predict its
noise, as after a low-pass, any interpolation copies the noise, and denoising does nothing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from spikeinterface.core import BaseRecording, get_random_data_chunks
from spikeinterface.preprocessing import highpass_filter

from ephys_deepinterpolation.segments import without_empty_segments
from ephys_deepinterpolation.windows import Context, Windows

# Where the share of variance predicted lies above this, interpolation reproduces the noise.
COPIES_NOISE = 0.9

_SPIKE_BAND_HZ = 300.0
_CHANNELS = 10
_CHUNKS = 10
_CHUNK_FRAMES = 6000
_REGULARIZATION = 1e-6


def measure_predictability(
    recording: BaseRecording,
    context_ms: float = 1.0,
    omissions: Sequence[int] = (0, 1, 2, 4, 8),
    freq_min: float | None = _SPIKE_BAND_HZ,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how much of a frame linear interpolation of its own channel predicts.

    Ridge regression of a frame on its context, for ten channels spread over the probe, fitted on
    half of some random chunks and tested on the other half.

    Parameters
    ----------
    recording : BaseRecording
        As the network would see it.
    context_ms : float, default: 1.0
        Context on each side, ms.
    omissions : sequence of int
        Frames left out on each side between the frame and its context.
    freq_min : float or None, default: 300.0
        High-pass before measuring, Hz, so that slow waves, which are predicted whatever the
        omission, do not hide what happens where spikes are.
    seed : int
        Of the chunks.

    Returns
    -------
    pandas.DataFrame
        omission (frames), r2: median over channels of the share of variance predicted.
    """
    chosen = np.unique(np.linspace(0, recording.get_num_channels() - 1, _CHANNELS).astype(int))
    few = without_empty_segments(recording).select_channels(recording.channel_ids[chosen])
    if freq_min is not None:
        few = highpass_filter(few, freq_min=freq_min, dtype="float32")
    length = min(_CHUNK_FRAMES, few.get_num_frames(0) // 2)
    chunks = get_random_data_chunks(
        few,
        num_chunks_per_segment=_CHUNKS,
        chunk_size=length,
        concatenated=False,
        seed=seed,
    )
    frequency = recording.get_sampling_frequency()
    rows = []
    for omission in omissions:
        frames = Context.from_ms(context_ms, None, frequency).frames
        context = Context(frames, omission)
        scores = [
            _explained([chunk[:, channel] for chunk in chunks], context)
            for channel in range(len(chosen))
        ]
        # Of dead channels it is not known.
        known = [score for score in scores if np.isfinite(score)]
        rows.append({"omission": omission, "r2": float(np.median(known)) if known else np.nan})
    return pd.DataFrame(rows)


def smallest_useful_omission(measured: pd.DataFrame) -> int | None:
    """Find the smallest omission at which the noise is no longer copied, None if there is none."""
    useful = measured.loc[measured["r2"] < COPIES_NOISE, "omission"]
    return None if useful.empty else int(useful.min())


def _explained(chunks: list[np.ndarray], context: Context) -> float:
    """Share of variance explained on the second half of the chunks by a fit on the first."""
    half = len(chunks) // 2
    inputs, targets = _regression(chunks[:half], context)
    gram = inputs.T @ inputs
    if not gram.any():
        return np.nan
    gram += _REGULARIZATION * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, inputs.T @ targets)
    inputs, targets = _regression(chunks[half:], context)
    variance = np.mean(np.square(targets))
    if variance == 0:
        return np.nan
    return float(1 - np.mean(np.square(targets - inputs @ weights)) / variance)


def _regression(chunks: list[np.ndarray], context: Context) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = [], []
    for chunk in chunks:
        image = (chunk - chunk.mean()).astype(float)[:, None, None, None]
        frames = np.arange(context.margin, len(chunk) - context.margin)
        windows = Windows(image, context)
        inputs.append(windows.at(frames)[:, 0, 0])
        targets.append(windows.targets(frames)[:, 0, 0, 0])
    return np.concatenate(inputs), np.concatenate(targets)
