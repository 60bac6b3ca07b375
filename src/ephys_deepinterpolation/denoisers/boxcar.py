"""Smoothing in time by a moving average."""

import numpy as np
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)


class BoxcarRecording(BasePreprocessor):
    """A recording whose every frame is the mean of the frames around it.

    At the ends of a segment it is the mean of those there are. Traces are 32-bit floats, and a
    frame's value does not depend on how it was asked for, to the last bit.

    Parameters
    ----------
    recording : BaseRecording
    width_ms : float
        Of the window, rounded to the nearest odd number of frames, so that it has a middle.

    Raises
    ------
    ValueError
        The width is not greater than 0.
    """

    def __init__(self, recording: BaseRecording, width_ms: float):
        if width_ms <= 0:
            raise ValueError(f"width_ms is {width_ms:g}: a window is wider than 0")
        super().__init__(recording, dtype="float32")
        reach = round((width_ms / 1000.0 * recording.get_sampling_frequency() - 1) / 2)
        for segment in recording.segments:
            self.add_recording_segment(_BoxcarSegment(segment, max(0, reach)))
        self._kwargs = {"recording": recording, "width_ms": width_ms}


class _BoxcarSegment(BasePreprocessorSegment):
    def __init__(self, parent, reach: int):
        super().__init__(parent)
        self._reach = reach

    def get_traces(self, start_frame, end_frame, channel_indices):
        frames = np.arange(start_frame, end_frame)
        left = max(0, start_frame - self._reach)
        right = min(self.get_num_samples(), end_frame + self._reach)
        traces = self.parent_recording_segment.get_traces(left, right, channel_indices)
        missing = (left - start_frame + self._reach, end_frame + self._reach - right)
        padded = np.pad(traces.astype(np.float32, copy=False), (missing, (0, 0)))
        # Added up in the same order for every frame: a running sum would round by its start.
        total = np.zeros((len(frames), traces.shape[1]), np.float32)
        for shift in range(2 * self._reach + 1):
            total += padded[shift : shift + len(frames)]
        count = np.minimum(frames + self._reach, self.get_num_samples() - 1)
        count -= np.maximum(frames - self._reach, 0) - 1
        return total / count[:, None].astype(np.float32)


def boxcar(recording: BaseRecording, width_ms: float) -> BoxcarRecording:
    """Average over a window in time, see `BoxcarRecording`."""
    return BoxcarRecording(recording, width_ms)
