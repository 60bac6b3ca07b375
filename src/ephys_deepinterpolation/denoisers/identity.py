"""No denoising at all: whatever a study measures of it is an error of the study."""

from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)


class IdentityRecording(BasePreprocessor):
    """A recording as it is given.

    Parameters
    ----------
    recording : BaseRecording
    """

    def __init__(self, recording: BaseRecording):
        super().__init__(recording)
        for segment in recording.segments:
            self.add_recording_segment(_IdentitySegment(segment))
        self._kwargs = {"recording": recording}


class _IdentitySegment(BasePreprocessorSegment):
    def get_traces(self, start_frame, end_frame, channel_indices):
        return self.parent_recording_segment.get_traces(start_frame, end_frame, channel_indices)


def identity(recording: BaseRecording) -> IdentityRecording:
    """Change nothing."""
    return IdentityRecording(recording)
