"""Segments of a recording that hold something."""

from spikeinterface.core import BaseRecording


def without_empty_segments(recording: BaseRecording) -> BaseRecording:
    """Leave out the segments without a frame, of which nothing can be estimated.

    Raises
    ------
    ValueError
        None is left.
    """
    segments = range(recording.get_num_segments())
    filled = [segment for segment in segments if recording.get_num_samples(segment)]
    if not filled:
        raise ValueError("the recording holds no frames: there is nothing to denoise or to learn")
    return recording if len(filled) == len(segments) else recording.select_segments(filled)
