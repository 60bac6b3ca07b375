"""The clock of one device in terms of another's: from sync pulses on both, or from two lengths."""

from dataclasses import dataclass

import numpy as np
import spikeinterface as si

LARGEST_RESIDUAL_MS = 0.1
_LARGEST_DRIFT = 1e-3
_CHUNK_S = 10.0
_ANCHORS = 15
_FIRST_REACH = 4
_FEWEST_PULSES = 10
_AMBIGUOUS = 0.5


class AlignmentError(ValueError):
    """Two clocks that cannot be related with certainty."""


@dataclass(frozen=True)
class Alignment:
    """Time on the clock of a recording as a line of the time on another clock.

    Attributes
    ----------
    offset_s : float
        Time on the recording's clock when the other clock starts, s.
    rate : float
        Seconds on the recording's clock per second on the other.
    residual_ms : float or None
        Root mean square distance of the matched pulses from the line; None without pulses.
    pulses : int or None
        How many pulses were matched.
    """

    offset_s: float = 0.0
    rate: float = 1.0
    residual_ms: float | None = None
    pulses: int | None = None

    def to_recording(self, times_s: np.ndarray) -> np.ndarray:
        """Translate times on the other clock, s, into times on the recording's, s."""
        return self.offset_s + self.rate * np.asarray(times_s)


def align_lengths(recording_s: float, other_s: float) -> Alignment:
    """Align two files that start and end at the same moments.

    Parameters
    ----------
    recording_s, other_s : float
        Number of frames over the nominal sampling frequency of each.

    Raises
    ------
    AlignmentError
        The lengths differ by more than a thousandth, more than clocks do.
    """
    rate = recording_s / other_s
    if abs(rate - 1) > _LARGEST_DRIFT:
        raise AlignmentError(
            f"the recording lasts {recording_s:.3f} s and the trace of the cell {other_s:.3f} s: "
            "they differ by more than a thousandth, so that they do not start and end together, or "
            "a sampling frequency is wrong"
        )
    return Alignment(rate=rate)


def find_pulses(channel: si.BaseRecording) -> np.ndarray:
    """Find when a channel of two levels rises from the lower to the higher one.

    Parameters
    ----------
    channel : spikeinterface.BaseRecording
        One channel, one segment.

    Returns
    -------
    float array (pulses,)
        s from the start of the channel, half a frame before the first frame on the higher level.

    Raises
    ------
    AlignmentError
        The channel is constant.
    """
    frames = channel.get_num_samples(0)
    length = round(_CHUNK_S * channel.get_sampling_frequency())
    starts = range(0, frames, length)
    extremes = [
        (values.min(), values.max())
        for values in (
            channel.get_traces(0, start, min(start + length, frames)) for start in starts
        )
    ]
    lowest = float(min(low for low, _ in extremes))
    highest = float(max(high for _, high in extremes))
    if lowest == highest:
        raise AlignmentError("the channel of the sync pulses is constant")
    # Noise on a slope would cross one level several times, but not two.
    down, up = lowest + np.array([0.3, 0.7]) * (highest - lowest)
    rises = []
    level = 1
    for start in starts:
        values = channel.get_traces(0, start, min(start + length, frames))[:, 0]
        states = np.concatenate([[level], np.where(values > up, 1, np.where(values < down, 0, -1))])
        known = np.maximum.accumulate(np.where(states >= 0, np.arange(len(states)), 0))
        states = states[known]
        rises.append(start + np.flatnonzero(np.diff(states) == 1))
        level = states[-1]
    return (np.concatenate(rises) - 0.5) / channel.get_sampling_frequency()


def align_pulses(
    recording_s: np.ndarray, other_s: np.ndarray, largest_offset_s: float | None = None
) -> Alignment:
    """Align two clocks by pulses that both devices recorded.

    Which pulse is which follows from the intervals between them: from pairs of pulses on either
    clock, matches grow outwards along a line, whose slope may differ from 1 by a thousandth. Either
    device may miss pulses, or record more.

    Parameters
    ----------
    recording_s, other_s : float array (pulses,)
        When either device recorded a pulse, by its own clock, s, ascending.
    largest_offset_s : float, optional
        How far apart the two clocks may have started. Pulses at regular intervals, which fit at
        many offsets, need it to be less than half an interval.

    Raises
    ------
    AlignmentError
        There are fewer than ten pulses; fewer than half of them match; they match at several
        offsets; or they lie off the line by more than 0.1 ms (root mean square).
    """
    recording_s, other_s = np.asarray(recording_s, float), np.asarray(other_s, float)
    fewest = min(len(recording_s), len(other_s))
    if fewest < _FEWEST_PULSES:
        raise AlignmentError(
            f"the recording has {len(recording_s)} sync pulses and the trace of the cell "
            f"{len(other_s)}: fewer than {_FEWEST_PULSES} are not enough to align them"
        )
    largest = np.inf if largest_offset_s is None else largest_offset_s
    anchors = np.linspace(0, len(other_s) - 1, _ANCHORS).round().astype(int)
    found = []
    for anchor in anchors:
        # The slope may move an offset by as much as the two clocks drift apart until the anchor.
        reach = largest + _LARGEST_DRIFT * np.abs(other_s[anchor]) + _tolerance(recording_s)
        for pulse in np.flatnonzero(np.abs(recording_s - other_s[anchor]) <= reach):
            grown = _grow(recording_s, other_s, int(pulse), int(anchor))
            if grown is not None and abs(grown.offset_s) <= largest:
                found.append(grown)
    best = max(found, key=lambda fitted: fitted.pulses or 0, default=None)
    if best is None or best.pulses is None or best.pulses < fewest / 2:
        bound = "" if largest_offset_s is None else f" up to {largest_offset_s:g} s"
        raise AlignmentError(
            f"at no offset{bound} do half of the {fewest} sync pulses of the recording and of the "
            "trace of the cell match"
        )
    for other in found:
        if (
            abs(other.offset_s - best.offset_s) > _tolerance(recording_s)
            and (other.pulses or 0) > _AMBIGUOUS * best.pulses
        ):
            raise AlignmentError(
                f"the sync pulses match at an offset of {best.offset_s:.3f} s and of "
                f"{other.offset_s:.3f} s, as regular pulses do: say how far apart the two may have "
                "started (largest_offset_s), or align them by their lengths"
            )
    if best.residual_ms is None or best.residual_ms > LARGEST_RESIDUAL_MS:
        raise AlignmentError(
            f"the sync pulses lie {best.residual_ms:.3f} ms off the line that relates the two "
            f"clocks, more than {LARGEST_RESIDUAL_MS} ms: pulses are missing or out of place"
        )
    return best


def _tolerance(pulses_s: np.ndarray) -> float:
    """Say how far off a prediction a pulse may lie: a quarter of a short interval, 2 ms at most."""
    return float(min(2e-3, np.quantile(np.diff(pulses_s), 0.1) / 4))


def _grow(
    recording_s: np.ndarray, other_s: np.ndarray, pulse: int, anchor: int
) -> Alignment | None:
    """Match pulses outwards from two that are taken for the same; None when they do not match."""
    tolerance = _tolerance(recording_s)
    slope, intercept, reach = 1.0, recording_s[pulse] - other_s[anchor], _FIRST_REACH
    while True:
        near = np.arange(max(0, anchor - reach), min(len(other_s), anchor + reach + 1))
        predicted = intercept + slope * other_s[near]
        nearest = _nearest(recording_s, predicted)
        errors = np.abs(recording_s[nearest] - predicted)
        within = errors <= tolerance
        if within.sum() <= max(2, 0.4 * len(near)):
            return None
        matched = other_s[near[within]], recording_s[nearest[within]]
        slope, intercept = np.polyfit(matched[0] - other_s[anchor], matched[1], 1)
        intercept -= slope * other_s[anchor]
        if abs(slope - 1) > _LARGEST_DRIFT:
            return None
        if len(near) == len(other_s):
            residuals = matched[1] - (intercept + slope * matched[0])
            return Alignment(
                offset_s=float(intercept),
                rate=float(slope),
                residual_ms=float(1000.0 * np.sqrt(np.mean(residuals**2))),
                pulses=int(within.sum()),
            )
        reach *= 2


def _nearest(sorted_values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Find the positions of the values nearest to those wanted."""
    after = np.clip(np.searchsorted(sorted_values, wanted), 1, len(sorted_values) - 1)
    before_is_nearer = wanted - sorted_values[after - 1] < sorted_values[after] - wanted
    return after - before_is_nearer
