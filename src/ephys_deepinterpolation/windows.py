"""Temporal context: the frames around a target frame, gathered for many targets at once."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


@dataclass(frozen=True)
class Context:
    """Which frames around a target the network sees.

    Attributes
    ----------
    frames : int
        Frames on each side of the target.
    omission : int
        Frames left out on each side between the target and its context; the target itself is
        always left out.
    """

    frames: int
    omission: int

    @classmethod
    def from_ms(
        cls, context_ms: float, omission_ms: float | None, sampling_frequency: float
    ) -> "Context":
        """Convert milliseconds on each side to frames at a sampling frequency in Hz.

        An omission of None is one frame; a context is never shorter than one frame.
        """
        frames = max(1, round(context_ms * sampling_frequency / 1000.0))
        omission = 1 if omission_ms is None else round(omission_ms * sampling_frequency / 1000.0)
        return cls(frames=frames, omission=omission)

    @property
    def offsets(self) -> np.ndarray:
        """Frames of the context relative to the target, ascending: int, shape (2 x frames,)."""
        after = np.arange(self.omission + 1, self.margin + 1)
        return np.concatenate([-after[::-1], after])

    @property
    def margin(self) -> int:
        """Distance in frames of the furthest context frame."""
        return self.frames + self.omission


def context_index(
    context: Context,
    targets: np.ndarray,
    first_frame: int,
    stretch_frames: int,
    segment_frames: int,
) -> np.ndarray:
    """Say where in a stretch of frames the contexts of targets lie.

    Where a recording begins or ends, a missing frame is replaced by its mirror image about the
    target (frame t - k for t + k), which never is the target itself.

    Parameters
    ----------
    context : Context
    targets : numpy.ndarray of int, shape (targets,)
        Frames of the segment.
    first_frame, stretch_frames : int
        Where in the segment the stretch begins, and its length.
    segment_frames : int
        Frames of the whole segment.

    Returns
    -------
    numpy.ndarray of int32, shape (targets, context frames)
        `stretch_frames`, one past the end, where a frame and its mirror image are both missing.
    """
    frames = targets[:, None] + context.offsets
    mirrored = targets[:, None] - context.offsets
    frames = np.where((frames >= 0) & (frames < segment_frames), frames, mirrored)
    exists = (frames >= 0) & (frames < segment_frames)
    return np.where(exists, frames - first_frame, stretch_frames).astype(np.int32)


class Windows:
    """The contexts of any target frames of a stretch of images.

    Missing frames are mirrored, see `context_index`; where the mirror image is missing too, they
    are zero.

    Parameters
    ----------
    image : numpy.ndarray, shape (frames, shanks, rows, columns)
        A stretch of a segment, with `context.margin` frames more on each side than the targets
        need, as far as the segment has them.
    context : Context
    first_frame : int
        Where in the segment the stretch begins.
    segment_frames : int, optional
        Frames of the whole segment; by default the stretch is all of it.
    """

    def __init__(
        self,
        image: np.ndarray,
        context: Context,
        first_frame: int = 0,
        segment_frames: int | None = None,
    ):
        self.context = context
        self.first_frame = first_frame
        self.segment_frames = len(image) if segment_frames is None else segment_frames
        self.image = image
        length, shanks, rows, columns = image.shape
        # Frames and columns last: each context is then two contiguous runs of memory.
        panel = np.ascontiguousarray(image.transpose(1, 2, 0, 3)).reshape(shanks, rows, -1)
        self._run = context.frames * columns
        width = (2 * context.margin + 1) * columns
        if length > 2 * context.margin:
            whole = sliding_window_view(panel, width, axis=-1)[:, :, ::columns]
            self._interior = np.moveaxis(whole, 2, 0)
        else:
            self._interior = np.empty((0, shanks, rows, width), dtype=image.dtype)

    def at(self, targets: np.ndarray) -> np.ndarray:
        """Gather the contexts of targets.

        Parameters
        ----------
        targets : numpy.ndarray of int, shape (targets,)
            Frames of the segment.

        Returns
        -------
        numpy.ndarray, shape (targets, shanks, rows, 2 x context frames x columns)
            Frames ascending; within a frame, columns ascending.
        """
        targets = np.asarray(targets)
        _, shanks, rows, _ = self.image.shape
        contexts = np.empty((len(targets), shanks, rows, 2 * self._run), dtype=self.image.dtype)
        start = targets - self.first_frame - self.context.margin
        inside = (start >= 0) & (start < len(self._interior))
        contexts[inside, ..., : self._run] = self._interior[..., : self._run][start[inside]]
        contexts[inside, ..., self._run :] = self._interior[..., -self._run :][start[inside]]
        if not inside.all():
            contexts[~inside] = self._at_edges(targets[~inside])
        return contexts

    def targets(self, targets: np.ndarray) -> np.ndarray:
        """Images of the targets themselves: shape (targets, shanks, rows, columns)."""
        return self.image[np.asarray(targets) - self.first_frame]

    def _at_edges(self, targets: np.ndarray) -> np.ndarray:
        length = len(self.image)
        index = context_index(self.context, targets, self.first_frame, length, self.segment_frames)
        exists = (index < length)[:, :, None, None, None]
        contexts = np.where(exists, self.image[np.minimum(index, length - 1)], 0)
        contexts = contexts.transpose(0, 2, 3, 1, 4)
        return contexts.reshape(*contexts.shape[:3], -1)
