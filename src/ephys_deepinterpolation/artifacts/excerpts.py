"""The same excerpts of what a condition was given, of what it returned, and of the known parts."""

import itertools
from dataclasses import dataclass

import numpy as np
import spikeinterface as si
from scipy.ndimage import maximum_filter1d

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth

_EXCERPTS, _EXCERPT_S = 12, 0.25
_LOUD_DEVIATIONS = 4.0
_AROUND_LOUD_MS = 1.0


@dataclass(frozen=True)
class Excerpt:
    """A piece of a recording, as two conditions show it: float32, µV, (frames, channels) each.

    Attributes
    ----------
    reference, output : numpy.ndarray
        In the reference condition, and in the condition that is measured.
    parts : dict of str to numpy.ndarray
        Each known part of the recording's noise, as the reference condition shows it.
    quiet : numpy.ndarray of bool
        Where no spike is near in the reference condition, see `quiet_samples`.
    """

    reference: np.ndarray
    output: np.ndarray
    parts: dict[str, np.ndarray]
    quiet: np.ndarray

    @property
    def removed(self) -> np.ndarray:
        """What the condition took away."""
        return self.reference - self.output


def read_excerpts(
    truth: GroundTruth, condition: si.BaseRecording, pipeline: list[dict], seed: int
) -> list[Excerpt]:
    """Read at most twelve excerpts of a quarter of a second, one at random in each twelfth.

    Memory does not depend on the recording's duration. Of several segments the first is read.

    Parameters
    ----------
    truth : GroundTruth
        Of the recording the condition was applied to.
    condition : BaseRecording
        Its output, µV.
    pipeline : list of dict
        Of the reference condition; linear, for the parts to be what they are within it.
    seed : int

    Returns
    -------
    list of Excerpt
        The same frames for every condition.
    """
    reference = apply_condition(truth.recording, pipeline)
    parts = {name: apply_condition(part, pipeline) for name, part in truth.noise.items()}
    frequency = condition.get_sampling_frequency()
    excerpts = []
    for start, end in spread_ranges(condition, seed):
        traces = _read(reference, start, end)
        excerpts.append(
            Excerpt(
                traces,
                _read(condition, start, end),
                {name: _read(part, start, end) for name, part in parts.items()},
                quiet_samples(traces, frequency),
            )
        )
    return excerpts


def spread_ranges(recording: si.BaseRecording, seed: int) -> list[tuple[int, int]]:
    """Draw at most twelve ranges of frames of a quarter of a second, one in each twelfth."""
    frames = recording.get_num_frames(0)
    length = min(frames, round(_EXCERPT_S * recording.get_sampling_frequency()))
    number = min(_EXCERPTS, frames // length)
    slots = np.linspace(0, frames, number + 1).astype(int)
    random = np.random.default_rng(seed)
    starts = [
        int(random.integers(low, high - length + 1)) for low, high in itertools.pairwise(slots)
    ]
    return [(start, start + length) for start in starts]


def quiet_samples(traces: np.ndarray, sampling_frequency: float) -> np.ndarray:
    """Find the samples with no spike near.

    Parameters
    ----------
    traces : numpy.ndarray (frames, channels)
    sampling_frequency : float
        Hz.

    Returns
    -------
    numpy.ndarray of bool (frames, channels)
        False within 1 ms of a sample of the same channel that is more than four robust standard
        deviations (median absolute deviation over 0.6745) off the channel's median.
    """
    deviations = np.abs(traces - np.median(traces, axis=0))
    loud = deviations > _LOUD_DEVIATIONS / 0.6745 * np.median(deviations, axis=0)
    reach = round(_AROUND_LOUD_MS * sampling_frequency / 1000.0)
    return maximum_filter1d(loud.view(np.uint8), 2 * reach + 1, axis=0) == 0


def _read(recording: si.BaseRecording, start: int, end: int) -> np.ndarray:
    return recording.get_traces(0, start, end).astype(np.float32, copy=False)
