"""Batches for training: frames drawn at random, a new stretch of the recordings every epoch."""

from collections.abc import Sequence

import keras
import numpy as np

from ephys_deepinterpolation.frames import PIECE_FRAMES, FrameRange, Frames
from ephys_deepinterpolation.windows import Context, context_index

STEPS_PER_EPOCH = 250
_PIECES = 8


class Epochs(keras.utils.PyDataset):
    """Batches of frames drawn at random; every epoch reads other pieces of the recordings."""

    def __init__(
        self, frames: Frames, pieces: Sequence[FrameRange], batch_size: int, seed: int, epoch: int
    ):
        super().__init__()
        self._frames, self._pieces = frames, list(pieces)
        self._batch_size, self._seed = batch_size, seed
        self._epoch = epoch
        self._read()

    def __len__(self) -> int:
        return STEPS_PER_EPOCH

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        number, targets = self._draw(index)
        return self._frames.batch(self._in_memory[number], targets)

    def on_epoch_end(self) -> None:
        """Read other pieces."""
        self._epoch += 1
        self._read()

    def _draw(self, index: int) -> tuple[int, np.ndarray]:
        """Draw the number of a piece in memory, and targets in it."""
        random = np.random.default_rng((self._seed, self._epoch, index))
        number = random.choice(len(self._in_memory), p=self._weights)
        return number, random.choice(self._in_memory[number].targets, size=self._batch_size)

    def _read(self) -> None:
        random = np.random.default_rng((self._seed, self._epoch))
        lengths = np.array([piece.end - piece.start for piece in self._pieces], dtype=float)
        count = min(_PIECES, len(self._pieces))
        chosen = random.choice(
            len(self._pieces), size=count, replace=False, p=lengths / lengths.sum()
        )
        pieces = [
            self._frames.read(self._pieces[index].shortened(PIECE_FRAMES, random))
            for index in chosen
        ]
        self._in_memory = [piece for piece in pieces if len(piece)]
        if not self._in_memory:
            raise ValueError("every frame is near a saturation or a transient: nothing to learn")
        weights = np.array([len(piece) for piece in self._in_memory], dtype=float)
        self._weights = weights / weights.sum()


class IndexedEpochs(Epochs):
    """The batches of `Epochs` for a device that holds the pieces: no contexts but their index.

    The index is one of `context_index`, in the pieces as `stretch` joins them.
    """

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        number, targets = self._draw(index)
        piece, context = self._in_memory[number], self._frames.context
        first = piece.windows.first_frame - number * _share(self._pieces, context)
        length = stretch_frames(self._pieces, context)
        contexts = context_index(context, targets, first, length, piece.windows.segment_frames)
        return contexts, self._frames.targets(piece, targets)

    def stretch(self) -> np.ndarray:
        """Join the pieces in memory: float32, (`stretch_frames`, shanks, rows, columns)."""
        context, shape = self._frames.context, self._frames.shape
        stretch = np.zeros((stretch_frames(self._pieces, context), *shape), dtype=np.float32)
        for number, piece in enumerate(self._in_memory):
            start, image = number * _share(self._pieces, context), piece.windows.image
            stretch[start : start + len(image)] = image
        return stretch


def stretch_frames(pieces: Sequence[FrameRange], context: Context) -> int:
    """Length of the stretch that has room for the pieces of any epoch, with their margins."""
    return min(_PIECES, len(pieces)) * _share(pieces, context)


def _share(pieces: Sequence[FrameRange], context: Context) -> int:
    """Room for one piece."""
    longest = max(piece.end - piece.start for piece in pieces)
    return min(PIECE_FRAMES, longest) + 2 * context.margin
