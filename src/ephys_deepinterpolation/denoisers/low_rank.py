"""What few components explain of all channels, chunk by chunk."""

import numpy as np
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)


class LowRankRecording(BasePreprocessor):
    """A recording of which the first components of a singular value decomposition are kept.

    Each segment is cut into chunks at the same frames, whatever is asked for; what remains at the
    end belongs to the last chunk. The channels of each group, as a shank is one, are decomposed by
    themselves: components are patterns over channels, of which those with the most power over the
    chunk are kept (the closest matrix of that rank, Eckart & Young 1936, 10.1007/BF02288367).
    Means are not taken away: filter before. A channel that is not finite throughout a chunk stays
    as it is in it. Traces are 32-bit floats.

    Parameters
    ----------
    recording : BaseRecording
    rank : int
        Components kept of each group; a group of no more channels stays as it is.
    chunk_ms : float, default: 1000.0
        Length of a chunk.

    Raises
    ------
    ValueError
        Rank or chunk are less than one component, or one frame.
    """

    def __init__(self, recording: BaseRecording, rank: int, chunk_ms: float = 1000.0):
        frames = round(chunk_ms / 1000.0 * recording.get_sampling_frequency())
        if rank < 1 or frames < 1:
            raise ValueError(
                f"rank is {rank} and chunk_ms {chunk_ms:g}: at least 1 component of 1 frame is kept"
            )
        super().__init__(recording, dtype="float32")
        groups = recording.get_channel_groups()
        channels = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        for segment in recording.segments:
            self.add_recording_segment(_LowRankSegment(segment, channels, rank, frames))
        self._kwargs = {"recording": recording, "rank": rank, "chunk_ms": chunk_ms}


class _LowRankSegment(BasePreprocessorSegment):
    def __init__(self, parent, groups: list[np.ndarray], rank: int, frames: int):
        super().__init__(parent)
        self._groups, self._rank, self._frames = groups, rank, frames

    def get_traces(self, start_frame, end_frame, channel_indices):
        last = max(0, self.get_num_samples() // self._frames - 1)
        first = min(start_frame // self._frames, last)
        pieces = [np.empty((0, sum(map(len, self._groups))), np.float32)]
        for chunk in range(first, min((end_frame - 1) // self._frames, last) + 1):
            begin = chunk * self._frames
            wanted = slice(max(start_frame - begin, 0), end_frame - begin)
            pieces.append(self._approximate(chunk, last)[wanted])
        traces = np.concatenate(pieces)
        return traces if channel_indices is None else traces[:, channel_indices]

    def _approximate(self, chunk: int, last: int) -> np.ndarray:
        """Approximate a chunk, of all channels, by its first components."""
        begin = chunk * self._frames
        end = self.get_num_samples() if chunk == last else begin + self._frames
        traces = self.parent_recording_segment.get_traces(begin, end, slice(None))
        approximated = traces.astype(np.float32)
        finite = np.isfinite(traces).all(axis=0)
        for group in self._groups:
            channels = group[finite[group]]
            if len(channels) > self._rank:
                chosen = traces[:, channels].astype(np.float64)
                patterns = np.linalg.eigh(chosen.T @ chosen)[1][:, -self._rank :]
                approximated[:, channels] = chosen @ patterns @ patterns.T
        return approximated


def low_rank(recording: BaseRecording, rank: int, chunk_ms: float = 1000.0) -> LowRankRecording:
    """Keep the first components of every chunk, see `LowRankRecording`."""
    return LowRankRecording(recording, rank, chunk_ms)
