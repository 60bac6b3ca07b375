"""What recordings that are made after another one have in common."""

import numpy as np
from spikeinterface.core import BaseRecording, BaseRecordingSegment


class RecordingLike(BaseRecording):
    """Traces in µV on the probe and the channels, at the sampling rate of another recording."""

    def __init__(self, like: BaseRecording):
        super().__init__(like.get_sampling_frequency(), like.channel_ids, np.dtype("float32"))
        like.copy_metadata(self)
        self.set_channel_gains(1.0)
        self.set_channel_offsets(0.0)


class SegmentLike(BaseRecordingSegment):
    """As long as a segment of another recording, at the same times."""

    def __init__(self, like: BaseRecordingSegment):
        super().__init__(**like.get_times_kwargs())
        self._like = like

    def get_num_samples(self) -> int:
        """Return the number of frames of the other segment."""
        return self._like.get_num_samples()
