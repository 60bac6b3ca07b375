"""Gaussian noise of any spectrum, drawn block by block, so that its length does not matter."""

from functools import lru_cache

import numpy as np
import scipy.fft
from spikeinterface.core import BaseRecording, BaseRecordingSegment

from ephys_deepinterpolation.ground_truth.alike import RecordingLike, SegmentLike

_ORDER = 4


def band_power(
    frequencies_hz: np.ndarray, exponent: float, band_hz: tuple[float, float]
) -> np.ndarray:
    """Power that falls as 1/f to an exponent between two edges, and steeply beyond them.

    The edges are those of Butterworth filters of fourth order, at which half the power is left.
    Power that ended at once would let noise be predicted from its past.
    """
    low, high = band_hz
    power = np.zeros(len(frequencies_hz))
    above = frequencies_hz[1:]
    passed = 1 / (1 + (low / above) ** (2 * _ORDER)) / (1 + (above / high) ** (2 * _ORDER))
    power[1:] = passed * (above / low) ** -exponent
    return power


def autoregressive_power(
    frequencies_hz: np.ndarray, sampling_frequency_hz: float, time_constant_ms: float
) -> np.ndarray:
    """Power of an autoregression of first order, whose correlation falls to 1/e in a time."""
    persistence = np.exp(-1000.0 / (time_constant_ms * sampling_frequency_hz))
    phases = 2 * np.pi * frequencies_hz / sampling_frequency_hz
    return 1 / (1 - 2 * persistence * np.cos(phases) + persistence**2)


def block_frequencies(sampling_frequency_hz: float, memory_s: float) -> np.ndarray:
    """Frequencies at which the power of `StationaryNoise` is to be given, Hz.

    Parameters
    ----------
    sampling_frequency_hz : float
    memory_s : float
        How long the noise remembers itself; blocks are made several times as long.
    """
    fade = _fade(sampling_frequency_hz, memory_s)
    half = -(-(max(fade, round(sampling_frequency_hz)) + fade) // 2)
    return scipy.fft.rfftfreq(2 * scipy.fft.next_fast_len(half), 1 / sampling_frequency_hz)


def _fade(sampling_frequency_hz: float, memory_s: float) -> int:
    return max(16, round(memory_s * sampling_frequency_hz))


class StationaryNoise(RecordingLike):
    """Gaussian noise with a power spectrum and a covariance of channels, the same at all times.

    Blocks of a second or more, each with a seed of its own, are drawn in the frequency domain and
    faded into each other so that their variances add up to a constant.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and durations the noise takes.
    power : array (frequencies,)
        Relative, at `block_frequencies(sampling_frequency_hz, memory_s)`.
    memory_s : float
        Blocks fade into each other over this time; longer than the noise's autocorrelation.
    mixing : array (channels, sources)
        Weights of independent sources of unit variance, µV; its product with its transpose is the
        covariance of the channels.
    seed : int
    """

    def __init__(
        self,
        like: BaseRecording,
        power: np.ndarray,
        memory_s: float,
        mixing: np.ndarray,
        seed: int,
    ):
        super().__init__(like)
        fade = _fade(like.get_sampling_frequency(), memory_s)
        for index, segment in enumerate(like.segments):
            self.add_recording_segment(
                _StationarySegment(segment, power, fade, mixing, (seed, index))
            )
        self._serializability["json"] = False
        self._kwargs = {
            "like": like,
            "power": power,
            "memory_s": memory_s,
            "mixing": mixing,
            "seed": seed,
        }


class _StationarySegment(SegmentLike):
    def __init__(
        self,
        like: BaseRecordingSegment,
        power: np.ndarray,
        fade: int,
        mixing: np.ndarray,
        seeds: tuple[int, int],
    ):
        super().__init__(like)
        self._frames = 2 * (len(power) - 1)
        self._hop = self._frames - fade
        self._mixing = mixing.T.astype(np.float32)
        self._seeds = seeds
        # Of the first and last frequency only the real part counts; they carry next to nothing.
        inner = np.asarray(power, float).copy()
        inner[[0, -1]] = 0.0
        self._scale = np.sqrt(inner / inner.sum()) * self._frames / 2
        self._reached = slice(*(np.flatnonzero(self._scale > 1e-6 * self._scale.max())[[0, -1]]))
        rise = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
        self._window = np.ones(self._frames)
        self._window[:fade], self._window[-fade:] = rise, rise[::-1]
        # Of two blocks that overlap, both serve the next chunk as well.
        self._block = lru_cache(maxsize=2)(self._draw_block)

    def get_traces(self, start_frame, end_frame, channel_indices):
        total = np.zeros((end_frame - start_frame, self._mixing.shape[1]), np.float32)
        for block in range(start_frame // self._hop, (end_frame - 1) // self._hop + 2):
            start = (block - 1) * self._hop - start_frame
            first, last = max(0, start), min(len(total), start + self._frames)
            if first < last:
                total[first:last] += self._block(block)[first - start : last - start]
        return total if channel_indices is None else total[:, channel_indices]

    def _draw_block(self, block: int) -> np.ndarray:
        """Draw a block by its number: (frames, channels), faded in and out."""
        random = np.random.default_rng((*self._seeds, block))
        scale = self._scale[self._reached].astype(np.float32)
        sources = len(self._mixing)
        drawn = random.standard_normal((sources, len(scale), 2), np.float32) * scale[:, None]
        spectra = np.zeros((sources, len(self._scale)), np.complex64)
        spectra[:, self._reached] = drawn.view(np.complex64)[..., 0]
        traces = scipy.fft.irfft(spectra, self._frames, overwrite_x=True)
        traces *= self._window.astype(np.float32)
        return traces.T @ self._mixing
