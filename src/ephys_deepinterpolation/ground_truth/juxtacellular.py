"""Spikes of one cell in the trace of an electrode on it or in it, or the reason to refuse it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import spikeinterface as si
from scipy.signal import find_peaks
from scipy.stats import norm
from spikeinterface.preprocessing import bandpass_filter

_BAND_HZ = (300.0, 3000.0)
_DEAD_TIME_MS = 1.0
_REFRACTORY_PERIOD_MS = 2.0
_WAVEFORM_MS = 1.0
_CHUNK_S = 10.0
_TAIL_QUANTILE = 0.95
_FEWEST_SPIKES = 50
_LEAST_LIKENESS = 0.7
_MOST_ERRORS = 0.01
_MOST_VIOLATIONS = 0.01
_LARGEST_DRIFT = 0.5
_LEAST_D_PRIME = 5.0


class DoubtfulCellError(ValueError):
    """A trace in which the spikes of the cell cannot be told from what is none."""


@dataclass(frozen=True)
class DetectionQuality:
    """How well the spikes of a cell stand out of its trace.

    Peaks are the extremes of the filtered trace, each the largest within 1 ms. Those below the
    threshold are noise.

    Attributes
    ----------
    polarity : int
        1 where spikes go up in the filtered trace, -1 where they go down.
    threshold : float
        Over the median peak of the noise.
    spikes : int
    artifacts : int
        Peaks above the threshold without the shape of the cell's spikes, which are left out.
    d_prime : float
        Distance of the mean peaks of spikes and noise, over the root mean square of the standard
        deviations of the two.
    false_positive_rate : float
        Expected share of noise among the spikes, from the exponential tail of the noise's peaks.
    missed_rate : float
        Expected share of spikes below the threshold, from a normal distribution of their peaks.
    refractory_violation_rate : float
        Share of the intervals below 2 ms.
    amplitude_drift : float
        Change of the median peak from the first fifth of the spikes to the last, over the median.
    """

    polarity: int
    threshold: float
    spikes: int
    artifacts: int
    d_prime: float
    false_positive_rate: float
    missed_rate: float
    refractory_violation_rate: float
    amplitude_drift: float

    def doubts(self) -> list[str]:
        """Say what speaks against these spikes, with numbers; nothing where they are good."""
        said = []
        if self.spikes < _FEWEST_SPIKES:
            said.append(f"{self.spikes} spikes, fewer than {_FEWEST_SPIKES}")
        if self.d_prime < _LEAST_D_PRIME:
            said.append(f"a d' of {self.d_prime:.1f}, below {_LEAST_D_PRIME:g}")
        for rate, most, what in (
            (self.false_positive_rate, _MOST_ERRORS, "are expected to be noise"),
            (self.missed_rate, _MOST_ERRORS, "are expected to be missed"),
            (self.refractory_violation_rate, _MOST_VIOLATIONS, "follow within 2 ms"),
        ):
            if rate > most:
                said.append(f"{rate:.1%} of the spikes {what}, more than {most:.0%}")
        if abs(self.amplitude_drift) > _LARGEST_DRIFT:
            said.append(
                f"peaks that change by {self.amplitude_drift:+.0%} over the recording, more than "
                f"{_LARGEST_DRIFT:.0%}"
            )
        return said


def detect_spikes(trace: si.BaseRecording) -> tuple[np.ndarray, DetectionQuality]:
    """Detect the spikes of the cell that a trace was recorded from.

    The trace is filtered from 300 to 3000 Hz. Its peaks fall into many of noise and some of the
    cell; the threshold lies where fewest errors are expected. Peaks without the shape of the median
    spike are left out. Both polarities are tried, and the less doubtful one is taken, or else the
    one with the larger d'.

    Parameters
    ----------
    trace : spikeinterface.BaseRecording
        One channel, one segment, in whatever unit.

    Returns
    -------
    frames : int array (spikes,)
        Of the trace, ascending.
    quality : DetectionQuality

    Raises
    ------
    DoubtfulCellError
        The spikes cannot be told from noise, or are not those of one cell throughout; the message
        has the numbers.
    """
    found = [_detect(trace, polarity) for polarity in (-1, 1)]
    candidates = [candidate for candidate in found if candidate is not None]
    if not candidates:
        raise DoubtfulCellError(
            f"the trace of the cell has no {_FEWEST_SPIKES} peaks that stand out of its noise"
        )
    frames, quality = min(
        candidates, key=lambda candidate: (len(candidate[1].doubts()), -candidate[1].d_prime)
    )
    doubts = quality.doubts()
    if doubts:
        raise DoubtfulCellError(
            f"the spikes in the trace of the cell are doubtful: {', '.join(doubts)}"
        )
    return frames, quality


def _detect(trace: si.BaseRecording, polarity: int) -> tuple[np.ndarray, DetectionQuality] | None:
    """Spikes of one polarity, None where no peaks stand out."""
    filtered = bandpass_filter(trace, *_BAND_HZ, dtype="float32")
    frames, peaks = _find_peaks(filtered, polarity)
    typical = np.median(peaks) if len(peaks) else 0.0
    if typical <= 0:
        return None
    peaks = peaks / typical
    start = _widest_gap(peaks)
    if start is None:
        return None
    threshold = _best_threshold(peaks, start)
    above = peaks >= threshold
    if above.sum() < _FEWEST_SPIKES:
        return None
    like = _likeness(filtered, frames[above], polarity) >= _LEAST_LIKENESS
    spikes, of_spikes, noise = frames[above][like], peaks[above][like], peaks[~above]
    if len(spikes) < 2:
        return None
    false_positives, missed = _expected_errors(threshold, of_spikes, _tail(noise))
    spread = np.sqrt((of_spikes.var() + noise.var()) / 2)
    intervals_ms = np.diff(spikes) * 1000.0 / trace.get_sampling_frequency()
    fifth = max(1, len(spikes) // 5)
    drift = np.median(of_spikes[-fifth:]) - np.median(of_spikes[:fifth])
    return spikes, DetectionQuality(
        polarity=polarity,
        threshold=float(threshold),
        spikes=len(spikes),
        artifacts=int((~like).sum()),
        d_prime=float((of_spikes.mean() - noise.mean()) / spread),
        false_positive_rate=float(false_positives / len(spikes)),
        missed_rate=float(missed / len(spikes)),
        refractory_violation_rate=float(np.mean(intervals_ms < _REFRACTORY_PERIOD_MS)),
        amplitude_drift=float(drift / np.median(of_spikes)),
    )


def _chunks(trace: si.BaseRecording) -> Iterator[tuple[int, int]]:
    length = round(_CHUNK_S * trace.get_sampling_frequency())
    for start in range(0, trace.get_num_samples(0), length):
        yield start, min(start + length, trace.get_num_samples(0))


def _find_peaks(trace: si.BaseRecording, polarity: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the local maxima, each the largest within the dead time: their frames and sizes."""
    distance = max(1, round(_DEAD_TIME_MS * trace.get_sampling_frequency() / 1000.0))
    frames, peaks = [], []
    for start, end in _chunks(trace):
        first = max(0, start - 5 * distance)
        last = min(end + 5 * distance, trace.get_num_samples(0))
        values = polarity * trace.get_traces(0, first, last)[:, 0]
        found = find_peaks(values, distance=distance)[0]
        found = found[(found + first >= start) & (found + first < end)]
        frames.append(found + first)
        peaks.append(values[found])
    return np.concatenate(frames), np.concatenate(peaks)


def _widest_gap(peaks: np.ndarray) -> float | None:
    """Find the middle of the widest gap, on a log scale, that enough peaks lie above."""
    large = np.sort(peaks[peaks > np.quantile(peaks, _TAIL_QUANTILE / 2)])
    if len(large) <= _FEWEST_SPIKES:
        return None
    steps = np.diff(np.log(large))[: 1 - _FEWEST_SPIKES]
    widest = int(steps.argmax())
    return float(np.sqrt(large[widest] * large[widest + 1]))


def _best_threshold(peaks: np.ndarray, start: float) -> float:
    """Find where fewest errors are expected of two groups that are parted at `start`."""
    spikes, tail = peaks[peaks >= start], _tail(peaks[peaks < start])
    middle = float(np.median(spikes))
    thresholds = np.geomspace(min(tail[0], middle), middle, 200)
    errors = [sum(_expected_errors(threshold, spikes, tail)) for threshold in thresholds]
    return float(thresholds[int(np.argmin(errors))])


def _tail(noise: np.ndarray) -> tuple[float, float, float]:
    """Describe the upper tail of the noise's peaks: its start, mean excess, and number."""
    start = float(np.quantile(noise, _TAIL_QUANTILE))
    excess = noise[noise > start] - start
    return start, max(float(excess.mean()) if len(excess) else 0.0, 1e-9), float(len(excess))


def _expected_errors(
    threshold: float, spikes: np.ndarray, tail: tuple[float, float, float]
) -> tuple[float, float]:
    """Expect so much noise above a threshold, and so many spikes below it."""
    start, excess, number = tail
    noise = number * np.exp(-max(0.0, threshold - start) / excess)
    missed = len(spikes) * norm.cdf(threshold, spikes.mean(), max(spikes.std(), 1e-9))
    return float(noise), float(missed)


def _likeness(trace: si.BaseRecording, frames: np.ndarray, polarity: int) -> np.ndarray:
    """Give the cosine of each waveform with the median of them all; 0 where the trace cuts one."""
    margin = round(_WAVEFORM_MS * trace.get_sampling_frequency() / 1000.0)
    waveforms = np.zeros((len(frames), 2 * margin + 1), np.float32)
    number = trace.get_num_samples(0)
    whole = (frames >= margin) & (frames < number - margin)
    for start, end in _chunks(trace):
        here = np.flatnonzero(whole & (frames >= start) & (frames < end))
        if len(here):
            first = max(0, start - margin)
            values = trace.get_traces(0, first, min(end + margin, number))[:, 0]
            cut = frames[here, None] - first + np.arange(-margin, margin + 1)
            waveforms[here] = polarity * values[cut]
    typical = np.median(waveforms, axis=0)
    norms = np.linalg.norm(waveforms, axis=1) * np.linalg.norm(typical)
    return np.asarray(waveforms @ typical / np.maximum(norms, np.finfo(np.float32).tiny))
