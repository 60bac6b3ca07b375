"""Noise of any length with the cross-spectral density of a real recording.

The density is estimated from what is left of the recording without its spikes. At each frequency
its Cholesky root says how white noise of independent sources reaches the channels; over all
frequencies the roots are filters, and white noise sent through them is a stationary Gaussian
process of that density.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import hann
from spikeinterface.core import BaseRecording, BaseRecordingSegment, NumpyRecording
from spikeinterface.sortingcomponents.peak_detection import detect_peaks
from threadpoolctl import threadpool_limits

from ephys_deepinterpolation.ground_truth.alike import RecordingLike, SegmentLike
from ephys_deepinterpolation.seeds import derive_seed

# 17 ms at 30 kHz: lower frequencies than 60 Hz run together.
_TAPS = 512
_EXCERPTS, _EXCERPT_S = 10, 0.5
_MOST_NEIGHBOURS = 8
# Neighbouring frequencies of a Hann window have 4/9 of their power in common, the next ones 1/36.
_SHARED_BY_NEIGHBOURS = 1 + 2 * (4 / 9 + 1 / 36)

_HIGHPASS_HZ = 300.0
_DETECTION_THRESHOLD = 5.0
_SPIKE_RADIUS_UM = 100.0
_SPIKE_BEFORE_MS, _SPIKE_AFTER_MS, _FADE_MS = 1.0, 2.0, 0.5


@dataclass(frozen=True)
class NoiseFilters:
    """Filters that turn white noise of unit variance into noise of a cross-spectral density.

    Attributes
    ----------
    values : numpy.ndarray (sources, taps, channels), float32
        Each source of white noise reaches all channels through its filters; µV.
    """

    values: np.ndarray

    def covariance(self) -> np.ndarray:
        """Covariance of the channels in one and the same frame (channels, channels), µV²."""
        rows = self.values.reshape(-1, self.values.shape[2])
        return np.asarray(rows.T @ rows)

    def density(self) -> np.ndarray:
        """Cross-spectral density (taps // 2 + 1, channels, channels), complex, µV².

        At the frequencies of `scipy.fft.rfft`; over all frequencies, negative ones included, it
        averages to the covariance.
        """
        responses = scipy.fft.rfft(self.values, axis=1).transpose(1, 2, 0)
        return np.asarray(responses @ responses.conj().transpose(0, 2, 1))


def estimate_noise_filters(recording: BaseRecording, seed: int) -> NoiseFilters:
    """Estimate the cross-spectral density of what is left of a recording without its spikes.

    Parameters
    ----------
    recording : BaseRecording
        With probe and gains to µV; not filtered, or as the noise is to be. At most ten excerpts of
        half a second, spread over it, are read.
    seed : int
        Decides what takes the place of a spike.

    Raises
    ------
    ValueError
        The recording is too short.
    """
    return noise_filters(
        [
            without_spikes(excerpt, derive_seed(seed, index))[0]
            for index, excerpt in enumerate(spread_excerpts(recording))
        ]
    )


def noise_filters(excerpts: list[np.ndarray]) -> NoiseFilters:
    """Turn excerpts of noise into filters that make more of it.

    The power of each channel is estimated by Welch's method, with Hann windows of 512 frames that
    overlap by half. What channels share, their coherency, is averaged over neighbouring
    frequencies as well, up to a quarter of the frequency and 500 Hz to each side, because half a
    second has 57 windows and a probe 384 channels. Then it is shrunk towards none (Böhm and von
    Sachs 2009, 10.1016/j.jmva.2008.09.009) by the intensity of Schäfer and Strimmer 2005
    (10.2202/1544-6115.1175): the variance of the estimates over their squares, summed over all
    pairs of channels. The spectrum of each channel stays as it is.

    Parameters
    ----------
    excerpts : list of numpy.ndarray (frames, channels)
        Noise in µV.

    Returns
    -------
    NoiseFilters
        As many sources as channels. The density is positive definite but for silent channels.
    """
    spectra = _window_spectra(excerpts)
    windows = spectra.shape[2]
    power = np.square(np.abs(spectra)).mean(axis=2)
    scaled = spectra / np.sqrt(np.where(power > 0, power, 1))[:, :, None]
    coherency = scaled @ scaled.conj().transpose(0, 2, 1) / windows
    squares = np.square(np.abs(scaled))
    products = (squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1)).mean(axis=1)
    roots = np.empty_like(coherency)
    for index in range(len(roots)):
        reach = min(index // 4, _MOST_NEIGHBOURS)
        near = slice(index - reach, index + reach + 1)
        common = coherency[near].mean(axis=0)
        if index == len(roots) - 1:
            # Half the sampling rate has no phase.
            common = common.real
        strength = np.square(np.abs(common)).sum() - np.square(np.diag(common).real).sum()
        independent = windows * (1 + 2 * reach) / (_SHARED_BY_NEIGHBOURS if reach else 1)
        variance = (products[near].mean() - strength) / independent
        intensity = np.clip(variance / strength, 0, 1) if strength > 0 else 1.0
        roots[index] = _root(common, power[index], intensity)
        # Zero phase goes to the middle of the filter, so that its ends do not meet.
        roots[index] *= (-1) ** index
    filters = scipy.fft.irfft(roots.transpose(2, 0, 1), n=_TAPS, axis=1)
    return NoiseFilters(filters.astype(np.float32, copy=False))


def _window_spectra(excerpts: list[np.ndarray]) -> np.ndarray:
    """Spectra (frequencies, channels, windows), complex64, whose mean square is the density."""
    window = hann(_TAPS, sym=False)
    window = (window / np.sqrt(np.sum(window**2))).astype(np.float32)
    spectra = [
        scipy.fft.rfft(sliding_window_view(excerpt, _TAPS, axis=0)[:: _TAPS // 2] * window)
        for excerpt in excerpts
    ]
    return np.concatenate(spectra).transpose(2, 1, 0)


def _root(coherency: np.ndarray, power: np.ndarray, intensity: float) -> np.ndarray:
    """Cholesky root of the density that shrunk coherency and power of the channels make."""
    shrunk = (1 - intensity) * coherency.astype(complex)
    # Two channels that are alike would leave nothing to the second, and rounding less than that.
    np.fill_diagonal(shrunk, 1 + 1e-6)
    return np.asarray(np.sqrt(power)[:, None] * np.linalg.cholesky(shrunk))


def spread_excerpts(recording: BaseRecording) -> list[BaseRecording]:
    """Cut at most ten excerpts of half a second, spread over the first segment of a recording."""
    frames = recording.get_num_frames(0)
    length = min(frames, round(_EXCERPT_S * recording.get_sampling_frequency()))
    if length < 2 * _TAPS:
        raise ValueError(
            f"a recording of {frames} frames says too little of its noise: "
            f"give one of at least {2 * _TAPS}"
        )
    number = min(_EXCERPTS, frames // length)
    starts = np.linspace(0, frames - length, number).astype(int)
    first = recording.select_segments(0)
    return [first.frame_slice(start, start + length) for start in starts]


def highpassed(traces: np.ndarray, frequency: float) -> np.ndarray:
    """Return traces (frames, channels) without what is below 300 Hz, and without any delay."""
    sections = butter(3, _HIGHPASS_HZ, "highpass", fs=frequency, output="sos")
    return np.asarray(sosfiltfilt(sections, traces, axis=0))


def without_spikes(recording: BaseRecording, seed: int) -> tuple[np.ndarray, float]:
    """Read a short recording with its spikes replaced by noise from nearby in time.

    With hundreds of channels there is hardly a window in which no channel sees a spike, so windows
    cannot be chosen: each spike is cut out of the channels around it. In its place, above 300 Hz
    and beyond what all channels share (their median), comes what the same channels saw at a random
    time without spikes, faded in and out so that the variance stays.

    Parameters
    ----------
    recording : BaseRecording
        Short enough for memory, one segment.
    seed : int

    Returns
    -------
    traces : numpy.ndarray (frames, channels), float32
        µV, without the mean of each channel.
    replaced : float
        The share of the samples that were replaced.
    """
    random = np.random.default_rng(seed)
    frequency = recording.get_sampling_frequency()
    traces = recording.get_traces(return_in_uV=True).astype(np.float32)
    traces -= traces.mean(axis=0)
    silent = ~traces.any(axis=0)
    high = highpassed(traces, frequency).astype(np.float32)
    local = high - np.median(high, axis=1, keepdims=True)
    local[:, silent] = 0

    before, after, fade = (
        round(ms * frequency / 1000.0) for ms in (_SPIKE_BEFORE_MS, _SPIKE_AFTER_MS, _FADE_MS)
    )
    spikes = [
        (max(0, frame - before), min(len(local), frame + after), near)
        for frame, near in _find_spikes(local, recording)
    ]
    taken = np.zeros(local.shape, bool)
    for start, stop, near in spikes:
        taken[start:stop, near] = True
    clean = local.copy()
    for start, stop, near in spikes:
        length = stop - start
        counts = np.concatenate([[0], np.cumsum(taken[:, near].any(axis=1))])
        disturbed = counts[length:] - counts[:-length]
        source = random.choice(np.flatnonzero(disturbed == disturbed.min()))
        ramp = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) / (fade + 1)
        angle = (np.clip(ramp, 0, 1) * np.pi / 2).astype(np.float32)[:, None]
        clean[start:stop, near] = (
            np.cos(angle) * clean[start:stop, near]
            + np.sin(angle) * local[source : source + length, near]
        )
    return traces + (clean - local), float(taken.mean())


def _find_spikes(local: np.ndarray, recording: BaseRecording) -> list[tuple[int, np.ndarray]]:
    """Frame of each peak and the channels near it."""
    detectable = NumpyRecording([local], recording.get_sampling_frequency())
    detectable.set_probegroup(recording.get_probegroup())
    peaks = detect_peaks(
        detectable,
        method="locally_exclusive",
        method_kwargs={
            "peak_sign": "both",
            "detect_threshold": _DETECTION_THRESHOLD,
            "noise_levels": np.maximum(
                np.median(np.abs(local), axis=0) / 0.6745, np.finfo(np.float32).tiny
            ),
        },
        job_kwargs={"n_jobs": 1, "progress_bar": False},
    )
    positions = recording.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return [
        (int(frame), np.flatnonzero(distances[channel] <= _SPIKE_RADIUS_UM))
        for frame, channel in zip(peaks["sample_index"], peaks["channel_index"], strict=True)
    ]


class FilteredNoiseRecording(RecordingLike):
    """White Gaussian noise sent through `NoiseFilters`, made when it is read, in µV.

    What a frame holds does not depend on which others are read with it, but for the rounding of
    32-bit numbers.

    Parameters
    ----------
    filters : NoiseFilters
    like : BaseRecording
        Whose channels, probe, sampling rate and durations the noise takes.
    seed : int

    Raises
    ------
    ValueError
        The filters are of another number of channels.
    """

    def __init__(self, filters: NoiseFilters, like: BaseRecording, seed: int):
        super().__init__(like)
        if filters.values.shape[2] != like.get_num_channels():
            raise ValueError(
                f"the filters are of {filters.values.shape[2]} channels, the recording has "
                f"{like.get_num_channels()}"
            )
        for index, segment in enumerate(like.segments):
            self.add_recording_segment(_FilteredNoiseSegment(filters, segment, (seed, index)))
        self._serializability["json"] = False
        self._kwargs = {"filters": filters, "like": like, "seed": seed}


class _FilteredNoiseSegment(SegmentLike):
    def __init__(self, filters: NoiseFilters, like: BaseRecordingSegment, seed: tuple[int, int]):
        super().__init__(like)
        self._filters = filters
        self._seed = seed

    @cached_property
    def _responses(self) -> np.ndarray:
        """Of the filters, padded to twice their length (frequencies, sources, channels)."""
        taps = self._filters.values.shape[1]
        responses = scipy.fft.rfft(self._filters.values, n=2 * taps, axis=1)
        return np.ascontiguousarray(responses.transpose(1, 0, 2))

    def get_traces(self, start_frame, end_frame, channel_indices):
        taps = self._filters.values.shape[1]
        chosen = slice(None) if channel_indices is None else channel_indices
        # White noise comes in blocks, each from a seed of its own; a frame is reached by its own
        # block and the one before.
        blocks = range(start_frame // taps, (end_frame - 1) // taps + 2)
        white = np.stack([self._white(block) for block in blocks])
        spectra = scipy.fft.rfft(white, n=2 * taps).transpose(2, 0, 1)
        # Many small products: threads would wait for each other.
        with threadpool_limits(1, "blas"):
            coloured = np.ascontiguousarray(spectra) @ self._responses[:, :, chosen]
        pieces = scipy.fft.irfft(coloured, n=2 * taps, axis=0)
        traces = pieces[:taps, 1:] + pieces[taps:, :-1]
        traces = traces.transpose(1, 0, 2).reshape(-1, traces.shape[2])
        first = start_frame - blocks[0] * taps
        return traces[first : first + end_frame - start_frame]

    def _white(self, block: int) -> np.ndarray:
        random = np.random.default_rng((*self._seed, block))
        sources, taps, _ = self._filters.values.shape
        return random.standard_normal((sources, taps), dtype=np.float32)
