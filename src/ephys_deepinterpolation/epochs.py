"""Batches for training: frames drawn at random, a new stretch of the recordings every epoch."""

from collections.abc import Sequence

import keras
import numpy as np

from ephys_deepinterpolation.frames import PIECE_FRAMES, FrameRange, Frames

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
        random = np.random.default_rng((self._seed, self._epoch, index))
        piece = self._in_memory[random.choice(len(self._in_memory), p=self._weights)]
        return self._frames.batch(piece, random.choice(piece.targets, size=self._batch_size))

    def on_epoch_end(self) -> None:
        """Read other pieces."""
        self._epoch += 1
        self._read()

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
