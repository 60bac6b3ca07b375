"""A recording's own noise without any spike: whatever is found in it was invented."""

from dataclasses import replace

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.special import owens_t
from scipy.stats import median_abs_deviation
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.injection import add_to

_SAMPLE_CHUNKS, _SAMPLE_S = 10, 0.5


def noise_alone(truth: GroundTruth) -> GroundTruth:
    """Take every spike out of a recording.

    Parameters
    ----------
    truth : GroundTruth
        Of a recording whose noise is known and holds no spike: simulated, or a surrogate.

    Returns
    -------
    GroundTruth
        The recording less its spikes, lazy, of the same type and gains; the same units, none of
        which fires; the same noise.

    Raises
    ------
    ValueError
        The noise is not known, or holds spikes of its own, as that of a hybrid does.
    """
    without_own_spikes = truth.facts.get("exhaustive") or truth.facts.get("kind") == "surrogate"
    if truth.sorting is None or not truth.noise or not without_own_spikes:
        raise ValueError(
            "nobody knows what this recording would be without its spikes: noise alone can be had "
            "of simulated and surrogate recordings only"
        )
    segments = truth.recording.get_num_segments()
    silence = si.NumpySorting.from_unit_dict(
        [{unit: np.empty(0, dtype=np.int64) for unit in truth.sorting.unit_ids}] * segments,
        truth.sorting.get_sampling_frequency(),
    )
    return replace(
        truth,
        recording=add_to(truth.recording, scale(truth.spikes(), gain=-1.0, dtype="float32")),
        sorting=silence,
        variation=None,
        displaced=None,
        noise_free=None,
    )


def middle(recording: si.BaseRecording, duration_s: float) -> si.BaseRecording:
    """Cut the middle out of a recording of one segment, all of it where it is no longer."""
    frames = min(recording.get_num_frames(), round(duration_s * recording.sampling_frequency))
    start = (recording.get_num_frames() - frames) // 2
    return recording.frame_slice(start, start + frames)


def count_crossings(
    output: si.BaseRecording, reference: si.BaseRecording, thresholds: list[float], seed: int
) -> pd.DataFrame:
    """Count how often noise alone crosses thresholds.

    A crossing is a frame of a channel beyond the threshold, on either side, whose last frame was
    not. Thresholds are multiples of each channel's robust deviation (median absolute deviation
    over 0.6745) about its median, estimated from random excerpts: that of the output, which says
    what a detector that adapts to the output would find, and that of the reference, which says
    how large it is.

    Parameters
    ----------
    output : BaseRecording
        Noise alone as a condition shows it, µV, one segment. Read in chunks of a second.
    reference : BaseRecording
        The same noise as the reference condition shows it, µV.
    thresholds : list of float
    seed : int
        Chooses the excerpts.

    Returns
    -------
    pandas.DataFrame
        One row per threshold: threshold, crossings_per_channel_s, gaussian_per_channel_s (of
        Gaussian noise with the output's correlation between neighbouring frames),
        reference_crossings_per_channel_s (beyond multiples of the reference's deviation),
        noise_uv (median over channels of the output's deviation), channels, seconds. Channels
        without any deviation do not count.
    """
    centre, own = _centre_and_deviation(output, seed)
    _, fixed = _centre_and_deviation(reference, seed)
    live = (own > 0) & (fixed > 0)
    crossings = np.zeros((2, len(thresholds)))
    squares = np.zeros(len(centre))
    products = np.zeros(len(centre))
    frames, length = output.get_num_frames(), round(output.sampling_frequency)
    for start in range(0, frames - 1, length):
        # One frame more, so that no step from a frame to the next is lost between chunks.
        traces = output.get_traces(0, start, min(start + length + 1, frames), return_in_uV=True)
        traces = traces - centre
        squares += np.einsum("tc,tc->c", traces[1:], traces[1:])
        products += np.einsum("tc,tc->c", traces[1:], traces[:-1])
        for row, deviations in enumerate((own, fixed)):
            scaled = traces[:, live] / deviations[live]
            crossings[row] += [_steps_beyond(scaled, threshold) for threshold in thresholds]
    channels, seconds = int(live.sum()), frames / output.sampling_frequency
    rates = crossings / (channels * seconds) if channels else np.full_like(crossings, np.nan)
    correlations = products[live] / squares[live]
    return pd.DataFrame(
        {
            "threshold": [float(threshold) for threshold in thresholds],
            "crossings_per_channel_s": rates[0],
            "gaussian_per_channel_s": [
                gaussian_crossings(threshold, correlations).mean() * output.sampling_frequency
                if channels
                else np.nan
                for threshold in thresholds
            ],
            "reference_crossings_per_channel_s": rates[1],
            "noise_uv": np.median(own[live]) if channels else np.nan,
            "channels": channels,
            "seconds": seconds,
        }
    )


def gaussian_crossings(threshold: float, correlation: np.ndarray) -> np.ndarray:
    """Crossings per frame, on either side, expected of Gaussian noise.

    The probability that a frame lies beyond a threshold and the one before it does not, from
    Owen's T function (Owen 1956, 10.1214/aoms/1177728074).

    Parameters
    ----------
    threshold : float
        In standard deviations, greater than 0.
    correlation : numpy.ndarray
        Between neighbouring frames.
    """
    correlation = np.clip(correlation, -1.0, 1.0)
    # Both frames beyond: norm.sf(threshold) - 2 T(threshold, slope); on either side alike.
    slope = np.sqrt((1.0 - correlation) / np.maximum(1.0 + correlation, np.finfo(float).tiny))
    return 4.0 * owens_t(threshold, slope)


def _centre_and_deviation(recording: si.BaseRecording, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust deviation of each channel, µV."""
    sample = si.get_random_data_chunks(
        recording,
        return_in_uV=True,
        num_chunks_per_segment=_SAMPLE_CHUNKS,
        chunk_size=min(
            recording.get_num_frames() // 2, round(_SAMPLE_S * recording.sampling_frequency)
        ),
        seed=seed,
    )
    return np.median(sample, axis=0), median_abs_deviation(sample, axis=0, scale="normal")


def _steps_beyond(scaled: np.ndarray, threshold: float) -> int:
    """Count steps (frames, channels) from within a threshold to beyond it, on either side."""
    return sum(
        int(np.count_nonzero(beyond[1:] & ~beyond[:-1]))
        for beyond in (scaled > threshold, scaled < -threshold)
    )
