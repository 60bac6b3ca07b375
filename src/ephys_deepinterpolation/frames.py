"""Which frames of recordings train a network and which validate it, and how they are drawn."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.recording import units_of
from ephys_deepinterpolation.transients import find_transients, near, take_out_broken
from ephys_deepinterpolation.windows import Context, Windows

_BLOCKS = 5
_VALIDATION_FRACTION = 0.1
PIECE_FRAMES = 15_000


@dataclass(frozen=True)
class FrameRange:
    """A run of frames of one segment of one recording; `end` is not part of it."""

    recording: int
    segment: int
    start: int
    end: int

    def shortened(self, frames: int, random: np.random.Generator) -> "FrameRange":
        """Draw a run of at most `frames` frames of this one."""
        length = self.end - self.start
        if length <= frames:
            return self
        start = self.start + int(random.integers(length - frames + 1))
        return FrameRange(self.recording, self.segment, start, start + frames)


def split_frames(
    recordings: Sequence[BaseRecording], context: Context, training_s: float | None = None
) -> tuple[list[FrameRange], list[FrameRange]]:
    """Split the target frames of recordings into training and validation.

    Each segment that holds frames is cut into equal blocks whose last tenth is for validation.
    Targets stay a context away from every cut, so that no validation frame, nor a frame of its
    context, is ever seen in training.

    Parameters
    ----------
    recordings : sequence of BaseRecording
    context : Context
    training_s : float, optional
        Only the first so many seconds of all segments together are split.

    Returns
    -------
    training, validation : list of FrameRange

    Raises
    ------
    ValueError
        A segment is too short to hold both.
    """
    training, validation = [], []
    margin = context.margin
    shortest = _BLOCKS * 8 * margin
    used = _used_segments(recordings, training_s, shortest)
    for index, segment, frames in used:
        edges = np.linspace(0, frames, _BLOCKS + 1)
        # Plain integers, for provenance written as JSON.
        for start, end in itertools.pairwise(int(edge) for edge in edges):
            cut = end - max(round((end - start) * _VALIDATION_FRACTION), 4 * margin)
            training.append(FrameRange(index, segment, start + margin, cut - margin))
            validation.append(FrameRange(index, segment, cut + margin, end - margin))
    if not used or any(piece.end <= piece.start for piece in training + validation):
        raise ValueError(
            f"the segments hold {[frames for _, _, frames in used] or 0} frames; training needs at "
            f"least {shortest} frames in each segment with this context: take a longer recording"
        )
    return training, validation


def _used_segments(
    recordings: Sequence[BaseRecording], training_s: float | None, shortest: int
) -> list[tuple[int, int, int]]:
    """List recording, segment and used frames; of the last, not fewer than `shortest` if cut."""
    used: list[tuple[int, int, int]] = []
    for index, recording in enumerate(recordings):
        for segment in range(recording.get_num_segments()):
            whole = recording.get_num_samples(segment)
            if whole == 0:
                continue
            frames = whole
            if training_s is not None:
                rate = recording.get_sampling_frequency()
                frames = min(whole, round(training_s * rate) - sum(each[2] for each in used))
            if frames == whole or not used or frames >= shortest:
                used.append((index, segment, frames))
    return used


def sample_traces(
    recordings: Sequence[BaseRecording],
    pieces: Sequence[FrameRange],
    frames: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Read about `frames` frames, evenly from every piece: (frames, channels) in µV."""
    share = max(1000, frames // len(pieces))
    shortened = [piece.shortened(share, random) for piece in pieces]
    return np.concatenate(
        [
            traces_in_uv(recordings[piece.recording], piece.segment, piece.start, piece.end)
            for piece in shortened
        ]
    )


def traces_in_uv(recording: BaseRecording, segment: int, start: int, end: int) -> np.ndarray:
    """Read traces (frames, channels) in µV, float32."""
    gains, offsets = units_of(recording)
    return recording.get_traces(segment, start, end).astype(np.float32) * gains + offsets


class Piece:
    """A piece of a recording in memory, which of its frames may be targets, and what is broken.

    `broken` marks the pixels of its images that are not finite; None where all are. `mask` is 1
    for the pixels that count.
    """

    def __init__(
        self,
        windows: Windows,
        targets: np.ndarray,
        broken: np.ndarray | None,
        mask: np.ndarray,
    ):
        self.windows, self.targets = windows, targets
        self.broken, self.mask = broken, mask

    def __len__(self) -> int:
        return len(self.targets)


class Frames:
    """Draws contexts and targets of recordings, as a network sees them.

    Parameters
    ----------
    recordings : sequence of BaseRecording
    images : sequence of ProbeImage
        Layout of each: as many rows and columns in all, and on an accelerator as many shanks.
    normalizations : sequence of Normalization
        Of each.
    context : Context
    """

    def __init__(
        self,
        recordings: Sequence[BaseRecording],
        images: Sequence[ProbeImage],
        normalizations: Sequence[Normalization],
        context: Context,
    ):
        self.recordings, self.images = recordings, images
        self.normalizations, self.context = normalizations, context
        self.shape = images[0].shape
        self.masks = [
            _mask(image, normalization)
            for image, normalization in zip(images, normalizations, strict=True)
        ]

    @property
    def images_per_frame(self) -> int:
        """Shanks: each is an image of its own."""
        return self.shape[0]

    def read(self, piece: FrameRange) -> Piece:
        """Read a piece and the context around it; no target is near a transient."""
        recording, margin = self.recordings[piece.recording], self.context.margin
        image = self.images[piece.recording]
        normalization = self.normalizations[piece.recording]
        first = piece.start - margin
        traces = traces_in_uv(recording, piece.segment, first, piece.end + margin)
        normalized = normalization.apply(traces)
        transient = near(find_transients(normalized, normalization.silent), margin)
        broken = take_out_broken(normalized)
        windows = Windows(
            image.to_image(normalized),
            self.context,
            first,
            recording.get_num_samples(piece.segment),
        )
        clean = ~transient[margin : len(transient) - margin]
        return Piece(
            windows,
            piece.start + np.flatnonzero(clean),
            None if broken is None else image.to_image(broken),
            self.masks[piece.recording],
        )

    def batch(self, piece: Piece, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Contexts (images, rows, features) and targets with mask (images, rows, columns, 2)."""
        contexts = piece.windows.at(targets)
        return contexts.reshape(-1, *contexts.shape[2:]), self.targets(piece, targets)

    def targets(self, piece: Piece, targets: np.ndarray) -> np.ndarray:
        """Targets with mask alone: shape (images, rows, columns, 2)."""
        frames = piece.windows.targets(targets)
        mask = np.broadcast_to(piece.mask, frames.shape)
        if piece.broken is not None:
            mask = mask * ~piece.broken[targets - piece.windows.first_frame]
        packed = np.stack([frames, mask], axis=-1)
        return packed.reshape(-1, *packed.shape[2:])

    def draw(
        self, pieces: Sequence[FrameRange], count: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw about `count` frames, evenly from every piece.

        Raises
        ------
        ValueError
            Every frame is near a transient.
        """
        share = -(-count // len(pieces))
        batches = []
        for piece in pieces:
            batch = self.draw_from(piece, share, random)
            if batch is not None:
                batches.append(batch)
        if not batches:
            raise ValueError("every frame is near a saturation or a transient: nothing to learn")
        return (
            np.concatenate([contexts for contexts, _ in batches]),
            np.concatenate([targets for _, targets in batches]),
        )

    def draw_from(
        self, piece: FrameRange, count: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Draw at most `count` frames of a piece, None if every one is near a transient."""
        read = self.read(piece.shortened(PIECE_FRAMES, random))
        if len(read) == 0:
            return None
        targets = random.choice(read.targets, size=min(count, len(read)), replace=False)
        return self.batch(read, np.sort(targets))

    def frames_for(self, rows: int) -> int:
        """How many frames hold about this many rows of the image."""
        return max(1, rows // (self.shape[0] * self.shape[1]))


def _mask(image: ProbeImage, normalization: Normalization) -> np.ndarray:
    """Say which pixels count in the loss: 1 where there is a contact that is not silent."""
    silent = np.zeros(image.shape, dtype=bool)
    silent[image.shank, image.row, image.column] = normalization.silent
    return (image.mask & ~silent).astype(np.float32)
