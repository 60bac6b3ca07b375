"""How well a fixed template tells a unit's spikes from everything else, apart from any sorter."""

from dataclasses import replace

import numpy as np
import pandas as pd
import spikeinterface as si
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import mannwhitneyu

from ephys_deepinterpolation.artifacts.excerpts import Excerpt, read_excerpts
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.averages import choose_spikes

_ELSEWHERE = 1000
_BEFORE_MS, _AFTER_MS = 1.0, 2.0
_SETTLING_MS = 20.0
_FOOTPRINT = 0.1
_SMALLEST_EIGENVALUE = 1e-3
_CHUNK_S = 1.0
_FEWEST = 10


def measure_detectability(
    truth: GroundTruth,
    condition: si.BaseRecording,
    pipeline: list[dict],
    seed: int,
) -> pd.DataFrame:
    """Score a matched filter for each true unit at its spikes against elsewhere.

    The filter is the unit's true template as the reference condition shows it, from 1 ms before to
    2 ms after the spike, on the channels where it exceeds a tenth of its peak; it is the same in
    every condition. It is applied at the true times, not moved to where it fits best: at most 500
    spikes, and 1000 random times further than its length from every spike of the unit. Spikes of
    other units are elsewhere as they are.

    d' is the difference of the mean scores over the root of the mean of both variances (Green and
    Swets, Signal Detection Theory and Psychophysics, 1966), which in white noise is the template's
    norm over the noise's standard deviation. The whitened d' is that of the filter which is best
    for the condition's own noise, as channels share it in one frame: the template times the inverse
    of the noise's covariance, from samples without a spike.

    Parameters
    ----------
    truth : GroundTruth
    condition : BaseRecording
        The condition's output, µV.
    pipeline : list of dict
        Of the reference condition; linear.
    seed : int
        Draws spikes, times and excerpts, the same ones in every condition.

    Returns
    -------
    pandas.DataFrame
        One row per true unit: unit, background, peak_uv, width_ms where the truth says it,
        firing_rate_hz, depth_um, d_prime, d_prime_whitened, and auc, the share of pairs of a
        spike and another time in which the spike has the larger score; empty for a unit of
        fewer than ten spikes. No rows without known spikes.
    """
    if truth.sorting is None or truth.templates is None or truth.units is None:
        return pd.DataFrame()
    frequency = condition.get_sampling_frequency()
    before, after = (round(ms * frequency / 1000.0) for ms in (_BEFORE_MS, _AFTER_MS))
    templates = _through_pipeline(truth.templates, condition, pipeline, before, after)
    excerpts = read_excerpts(replace(truth, noise={}), condition, pipeline, seed)
    covariance = noise_covariance(excerpts)
    footprints, filters = [], []
    for template in templates:
        largest = np.abs(template).max(axis=0)
        footprint = np.flatnonzero(largest >= _FOOTPRINT * largest.max())
        plain = template[:, footprint]
        whitened = plain @ _inverse(covariance[np.ix_(footprint, footprint)])
        footprints.append(footprint)
        filters.append(np.stack([plain, whitened], axis=-1))
    events = _draw_events(truth.sorting, condition, before, after, seed)
    scores = _score(condition, events, footprints, filters, before)
    rows = []
    for unit in range(len(templates)):
        own, spiking = events["unit"] == unit, events["spiking"]
        rows.append(_separate(scores[own & spiking], scores[own & ~spiking]))
    known = ["unit", "background", "peak_uv", "width_ms", "firing_rate_hz", "depth_um"]
    kept = [name for name in known if name in truth.units]
    return truth.units[kept].reset_index(drop=True).assign(**pd.DataFrame(rows))


def noise_covariance(excerpts: list[Excerpt]) -> np.ndarray:
    """Covariance of the output's channels in one frame: (channels, channels), µV².

    Each pair of channels from the frames in which no spike is near either of them.
    """
    channels = excerpts[0].output.shape[1]
    products, counts = np.zeros((channels, channels)), np.zeros((channels, channels))
    for excerpt in excerpts:
        quiet = excerpt.quiet.astype(float)
        sums = np.where(excerpt.quiet, excerpt.output, 0.0)
        means = sums.sum(axis=0) / np.maximum(quiet.sum(axis=0), 1)
        centred = np.where(excerpt.quiet, excerpt.output - means, 0.0)
        products += centred.T @ centred
        counts += quiet.T @ quiet
    return np.asarray(products / np.maximum(counts, 1))


def _inverse(covariance: np.ndarray) -> np.ndarray:
    """Invert a covariance, whose smallest eigenvalues are raised."""
    values, vectors = np.linalg.eigh(covariance)
    least = _SMALLEST_EIGENVALUE * values.mean()
    values = np.maximum(values, least) if least > 0 else np.ones_like(values)
    return np.asarray((vectors / values) @ vectors.T)


def _through_pipeline(
    templates: si.Templates, like: si.BaseRecording, pipeline: list[dict], before: int, after: int
) -> np.ndarray:
    """Show templates as a pipeline does: (units, before + after, channels), µV."""
    settling = round(_SETTLING_MS * like.get_sampling_frequency() / 1000.0)
    length = templates.templates_array.shape[1]
    # A filter needs room for the template, the window that is cut, and its own settling.
    ahead = settling + before
    padded = np.zeros((ahead + length + after + settling, like.get_num_channels()), np.float32)
    segments = []
    for template in templates.templates_array:
        segment = padded.copy()
        segment[ahead : ahead + length] = template
        segments.append(segment)
    alone = si.NumpyRecording(segments, like.get_sampling_frequency(), channel_ids=like.channel_ids)
    like.copy_metadata(alone)
    alone.set_channel_gains(1.0)
    alone.set_channel_offsets(0.0)
    filtered = apply_condition(alone, pipeline)
    peak = ahead + templates.nbefore
    return np.stack(
        [
            filtered.get_traces(segment, peak - before, peak + after)
            for segment in range(len(segments))
        ]
    )


def _draw_events(
    sorting: si.BaseSorting, condition: si.BaseRecording, before: int, after: int, seed: int
) -> pd.DataFrame:
    """Draw spikes of each unit and times away from them: segment, frame, unit, spiking, by time."""
    frames = np.array(
        [condition.get_num_samples(each) for each in range(condition.get_num_segments())]
    )
    spikes = choose_spikes(sorting, seed, frames.tolist(), before + after)
    every = sorting.to_spike_vector()
    random = np.random.default_rng(seed)
    tables = [_table(spikes["segment_index"], spikes["sample_index"], spikes["unit_index"], True)]
    for unit in range(len(sorting.unit_ids)):
        own = every[every["unit_index"] == unit]
        # Some are lost for being near a spike.
        segments = random.choice(len(frames), size=2 * _ELSEWHERE, p=frames / frames.sum())
        drawn = random.integers(before, np.maximum(frames[segments] - after, before + 1))
        place = drawn + segments * frames.max()
        spiking = own["sample_index"] + own["segment_index"] * frames.max()
        distance = np.full(len(place), before + after)
        if len(spiking):
            following = np.searchsorted(spiking, place)
            neighbours = spiking[np.clip([following - 1, following], 0, len(spiking) - 1)]
            distance = np.abs(neighbours - place).min(axis=0)
        free = np.flatnonzero(distance >= before + after)[:_ELSEWHERE]
        tables.append(_table(segments[free], drawn[free], unit, False))
    events = pd.concat(tables, ignore_index=True)
    return events.sort_values(["segment", "frame"], kind="stable", ignore_index=True)


def _table(
    segment: np.ndarray, frame: np.ndarray, unit: np.ndarray | int, spiking: bool
) -> pd.DataFrame:
    return pd.DataFrame({"segment": segment, "frame": frame, "unit": unit, "spiking": spiking})


def _score(
    recording: si.BaseRecording,
    events: pd.DataFrame,
    footprints: list[np.ndarray],
    filters: list[np.ndarray],
    before: int,
) -> np.ndarray:
    """Apply to each event the filters of its unit: (events, filters per unit).

    Parameters
    ----------
    recording : BaseRecording
    events : DataFrame
        See `_draw_events`.
    footprints : list of numpy.ndarray (channels of the unit,)
    filters : list of numpy.ndarray (frames, channels of the unit, filters)
    before : int
        Frames of a filter before its event.
    """
    length, _, number = filters[0].shape
    scores = np.empty((len(events), number))
    chunk = round(_CHUNK_S * recording.get_sampling_frequency())
    for (segment, _), rows in events.groupby(["segment", events["frame"] // chunk]):
        first = int(rows["frame"].min()) - before
        traces = recording.get_traces(segment, first, int(rows["frame"].max()) - before + length)
        for unit in rows["unit"].unique():
            group = rows[rows["unit"] == unit]
            starts = group["frame"].to_numpy() - before - first
            # (events, channels, frames)
            cut = sliding_window_view(traces, length, axis=0)[starts[:, None], footprints[unit]]
            scores[group.index] = np.tensordot(cut, filters[unit], axes=([2, 1], [0, 1]))
    return scores


def _separate(spiking: np.ndarray, elsewhere: np.ndarray) -> dict[str, float]:
    """Separate two sets of scores (events, filters): d' by each filter, AUC by the first."""
    if min(len(spiking), len(elsewhere)) < _FEWEST:
        return {"d_prime": np.nan, "d_prime_whitened": np.nan, "auc": np.nan}
    spread = np.sqrt((spiking.var(axis=0, ddof=1) + elsewhere.var(axis=0, ddof=1)) / 2)
    distance = spiking.mean(axis=0) - elsewhere.mean(axis=0)
    plain, whitened = np.divide(
        distance, spread, out=np.full(len(distance), np.nan), where=spread > 0
    )
    wins = mannwhitneyu(spiking[:, 0], elsewhere[:, 0]).statistic
    return {
        "d_prime": float(plain),
        "d_prime_whitened": float(whitened),
        "auc": float(wins / (len(spiking) * len(elsewhere))),
    }
