"""Undo a whitening, so that a denoiser can work on whitened traces and µV come back."""

import numpy as np
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)
from spikeinterface.preprocessing.whiten import WhitenRecording


class UnwhitenedRecording(BasePreprocessor):
    """A recording to which the inverse of an earlier whitening is applied.

    The whitening is the last of SpikeInterface's `whiten` among the steps before that is not undone
    yet. Traces are 32-bit floats.

    Parameters
    ----------
    recording : BaseRecording
        With the channels that were whitened.

    Raises
    ------
    ValueError
        There is no whitening to undo, or other channels came out of it.
    """

    def __init__(self, recording: BaseRecording):
        whitened = _whitening_of(recording)
        if not np.array_equal(whitened.channel_ids, recording.channel_ids):
            raise ValueError(
                f"{whitened.get_num_channels()} channels were whitened and "
                f"{recording.get_num_channels()} are left: undo the whitening before channels are "
                "taken away or reordered"
            )
        super().__init__(recording, dtype="float32")
        whitening = whitened.segments[0]
        scale = 1.0 if whitening.int_scale is None else whitening.int_scale
        inverse = np.linalg.inv(np.asarray(whitening.W, dtype=np.float64)) / scale
        mean = 0.0 if whitening.M is None else np.asarray(whitening.M, dtype=np.float64)
        for segment in recording.segments:
            self.add_recording_segment(_UnwhitenedSegment(segment, inverse, mean))
        self._kwargs = {"recording": recording}


class _UnwhitenedSegment(BasePreprocessorSegment):
    def __init__(self, parent, inverse: np.ndarray, mean: np.ndarray | float):
        super().__init__(parent)
        self._inverse, self._mean = inverse, mean

    def get_traces(self, start_frame, end_frame, channel_indices):
        traces = self.parent_recording_segment.get_traces(start_frame, end_frame, slice(None))
        unwhitened = traces.astype(np.float64) @ self._inverse + self._mean
        unwhitened = unwhitened.astype(np.float32)
        return unwhitened if channel_indices is None else unwhitened[:, channel_indices]


def _whitening_of(recording: BaseRecording) -> WhitenRecording:
    """Find the last whitening that is not undone among the steps that led to a recording."""
    undone, step = 0, recording
    while step is not None:
        if isinstance(step, UnwhitenedRecording):
            undone += 1
        elif isinstance(step, WhitenRecording):
            if undone == 0:
                return step
            undone -= 1
        step = step.get_parent()
    raise ValueError("there is no whitening to undo: put a step whiten before unwhiten")


def unwhiten(recording: BaseRecording) -> UnwhitenedRecording:
    """Undo the last whitening, see `UnwhitenedRecording`."""
    return UnwhitenedRecording(recording)
