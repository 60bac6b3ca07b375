"""Images without a probe, as models of the deepinterpolation package see them.

Channels are laid out in the order of the recording, in one of two ways (`Model.layout`):

- `file-order`: two channels a row, as SpikeInterface did: 384 channels are 192 x 2.
- `interleaved`: channel c in row c and column c mod 2, zero in the other column, as the package
  itself did for Neuropixels 1.0: 384 channels are 384 x 2.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.model import Model, ModelError
from ephys_deepinterpolation.normalization import Normalization

_NORMALIZATION_FRAMES = 200_000
_PIECE_FRAMES = 20_000


def image_in_file_order(recording: BaseRecording, model: Model) -> ProbeImage:
    """Lay out the channels of a recording in its own order, whatever its probe.

    Of an interleaved image, this is the pairs of rows: what the network sees has a zero beside
    each channel.

    Raises
    ------
    ModelError
        The recording has more or fewer channels than the model.
    """
    channels, expected = recording.get_num_channels(), len(model.channel_ids)
    if channels != expected:
        raise ModelError(
            f"the model takes the {expected} channels of a whole probe, in their order in the "
            f"file, and the recording has {channels}: give it all of them, or train another model"
        )
    channel = np.arange(channels)
    return ProbeImage(
        shank=np.zeros(channels, int),
        row=channel // model.columns,
        column=channel % model.columns,
        shape=(1, channels // model.columns, model.columns),
        row_pitch_um=0.0,
    )


def common_normalization(
    recording: BaseRecording, gains: np.ndarray, offsets: np.ndarray
) -> Normalization:
    """Estimate one mean and one standard deviation for all channels.

    Both are of the recording's own numbers, not of µV, over its first 200,000 frames. Channels that
    are constant or not finite throughout do not count, and are silent; of the others, what is not
    finite does not count.

    Parameters
    ----------
    recording : BaseRecording
    gains, offsets : numpy.ndarray, shape (channels,)
        To µV.

    Raises
    ------
    ValueError
        The recording is constant, or holds no values that are finite.
    """
    silent = _still_channels(recording)
    count, total, squares = 0, 0.0, 0.0
    for piece in _first_pieces(recording):
        traces = piece[:, ~silent].astype(np.float64) if silent.any() else piece.astype(np.float64)
        finite = np.isfinite(traces)
        if not finite.all():
            traces = traces[finite]
        count, total = count + traces.size, total + traces.sum()
        squares += np.square(traces).sum()
    mean = total / count if count else 0.0
    deviation = np.sqrt(max(0.0, squares / count - mean**2)) if count else 0.0
    if not deviation > 0:
        raise ValueError(
            "the first frames of the recording are constant or hold values that are not finite: "
            "they cannot be normalized"
        )
    return Normalization(
        location=(mean * gains + offsets).astype(np.float32),
        scale=(deviation * gains).astype(np.float32),
        silent=silent,
    )


def _first_pieces(recording: BaseRecording) -> Iterator[np.ndarray]:
    """Read the first frames of a recording piece by piece, segment after segment."""
    left = _NORMALIZATION_FRAMES
    for segment in range(recording.get_num_segments()):
        frames = min(left, recording.get_num_samples(segment))
        for start in range(0, frames, _PIECE_FRAMES):
            yield recording.get_traces(segment, start, min(frames, start + _PIECE_FRAMES))
        left -= frames


def _still_channels(recording: BaseRecording) -> np.ndarray:
    """Mark the channels of which no two values differ, among those that are finite."""
    channels = recording.get_num_channels()
    lowest, highest = np.full(channels, np.nan), np.full(channels, np.nan)
    for piece in _first_pieces(recording):
        lowest = np.fmin(lowest, np.fmin.reduce(piece))
        highest = np.fmax(highest, np.fmax.reduce(piece))
        if (lowest < highest).all():
            break
    return ~(lowest < highest)


def interleaved_image(image: ProbeImage) -> ProbeImage:
    """Lay out the channels of an image in file order in rows of one channel each."""
    _, rows, columns = image.shape
    channel = np.arange(len(image.shank))
    return replace(image, row=channel, column=channel % 2, shape=(1, rows * columns, columns))


def interleave(contexts: np.ndarray) -> np.ndarray:
    """Spread contexts, (images, rows, context frames x 2), over rows of one channel each.

    Returns
    -------
    numpy.ndarray, shape (images, 2 x rows, context frames x 2)
    """
    images, rows, features = contexts.shape
    pairs = contexts.reshape(images, rows, features // 2, 2)
    interleaved = np.zeros((images, rows, 2, features // 2, 2), dtype=contexts.dtype)
    for column in range(2):
        interleaved[:, :, column, :, column] = pairs[..., column]
    return interleaved.reshape(images, 2 * rows, features)


def deinterleave(targets: np.ndarray) -> np.ndarray:
    """Read targets (images, 2 x rows, 2) back as (images, rows, 2)."""
    return np.stack([targets[:, 0::2, 0], targets[:, 1::2, 1]], axis=-1)
