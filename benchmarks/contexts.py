"""Gather contexts on the device: a network over a stretch of frames, in keras.ops alone.

A context is sixty frames or so; neighbouring targets share nearly all of them. Sent one by one,
contexts cross the bus sixty times. Here the stretch crosses once, with an index of a context's
frames per target, and the contexts are gathered where the network runs, on every backend.
"""

from typing import Any

import keras
import numpy as np

from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context


def context_index(
    context: Context,
    targets: np.ndarray,
    first_frame: int,
    stretch_frames: int,
    segment_frames: int,
) -> np.ndarray:
    """Say where in a stretch the contexts of targets lie, mirrored at the ends of the segment.

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


class GatherContexts(keras.layers.Layer):
    """Gather the contexts of targets from a stretch that ends with a frame of zeros."""

    def call(self, inputs):
        """Map (frames, shanks, rows, columns) and (targets, context frames) to contexts."""
        stretch, index = inputs
        _, _, rows, columns = stretch.shape
        contexts = keras.ops.take(stretch, index, axis=0)
        contexts = keras.ops.transpose(contexts, (0, 2, 3, 1, 4))
        return keras.ops.reshape(contexts, (-1, rows, index.shape[1] * columns))

    def compute_output_shape(self, shapes):
        """Images of all shanks one after the other, as `build_network` takes them."""
        (_, _, rows, columns), (_, context_frames) = shapes
        return None, rows, context_frames * columns


def _constant(layer: keras.layers.Layer, values: np.ndarray, dtype: str) -> Any:
    """Keep an array with a layer, on its device."""
    weight = layer.add_weight(shape=values.shape, dtype=dtype, trainable=False, autocast=False)
    weight.assign(values)
    return weight


class ToImage(keras.layers.Layer):
    """Normalize stored integers and lay them out as images, with a frame of zeros at the end."""

    def __init__(
        self,
        image: ProbeImage,
        normalization: Normalization,
        gains: np.ndarray,
        offsets: np.ndarray,
        **options: Any,
    ):
        super().__init__(**options)
        silent = normalization.silent
        factor = np.where(silent, 0, gains / normalization.scale)
        shift = np.where(silent, 0, (offsets - normalization.location) / normalization.scale)
        channels = len(image.shank)
        source = np.full(image.shape, channels)
        source[image.shank, image.row, image.column] = np.arange(channels)
        self._shape = image.shape
        self._factor = _constant(self, factor, "float32")
        self._shift = _constant(self, shift, "float32")
        self._source = _constant(self, source.ravel(), "int32")

    def call(self, counts):
        """Map counts (frames, channels) to images (frames + 1, shanks, rows, columns)."""
        normalized = keras.ops.cast(counts, "float32") * self._factor + self._shift
        normalized = keras.ops.pad(normalized, [(0, 1), (0, 1)])
        # The zero of a hole is the last channel, but the last frame is zero throughout.
        pixels = keras.ops.take(normalized, self._source, axis=1)
        image = keras.ops.reshape(pixels, (-1, *self._shape))
        return keras.ops.cast(image, self.compute_dtype)

    def compute_output_shape(self, shape):
        """Frames, and the image of a frame."""
        return None, *self._shape


class FromImage(keras.layers.Layer):
    """Read predicted images as traces in µV."""

    def __init__(self, image: ProbeImage, normalization: Normalization, **options: Any):
        super().__init__(dtype="float32", **options)
        _, rows, columns = image.shape
        self._pixels = int(np.prod(image.shape))
        source = (image.shank * rows + image.row) * columns + image.column
        self._channels = len(source)
        self._source = _constant(self, source, "int32")
        self._scale = _constant(self, normalization.scale, "float32")
        self._location = _constant(self, normalization.location, "float32")

    def call(self, predicted):
        """Map images (targets x shanks, rows, columns) to traces (targets, channels)."""
        pixels = keras.ops.reshape(predicted, (-1, self._pixels))
        return keras.ops.take(pixels, self._source, axis=1) * self._scale + self._location

    def compute_output_shape(self, shape):
        """Targets and channels."""
        return None, self._channels


def denoising_network(
    network: keras.Model,
    image: ProbeImage,
    normalization: Normalization,
    gains: np.ndarray,
    offsets: np.ndarray,
    context_frames: int,
    precision: str = "float32",
) -> keras.Model:
    """Wrap a network of `build_network`: counts of a stretch and an index to traces in µV.

    Returns
    -------
    keras.Model
        From counts (stretch frames, channels) and index (targets, context frames), as by
        `context_index`, to traces (targets, channels).
    """
    counts = keras.Input((len(image.shank),), dtype="int16")
    index = keras.Input((context_frames,), dtype="int32")
    policy = keras.dtype_policies.DTypePolicy(precision)
    stretch = ToImage(image, normalization, gains, offsets, dtype=policy)(counts)
    contexts = GatherContexts(dtype=policy)([stretch, index])
    return keras.Model([counts, index], FromImage(image, normalization)(network(contexts)))


class ResidentContexts(keras.layers.Layer):
    """Hold a stretch on the device, and gather the contexts of targets from it.

    For `fit`: only the index and the targets then cross the bus, step by step.

    Parameters
    ----------
    frames : int
        Of the stretch; one of zeros is added.
    shape : tuple of int
        Shanks, rows and columns.
    """

    def __init__(self, frames: int, shape: tuple[int, int, int], **options: Any):
        super().__init__(**options)
        self.stretch = self.add_weight(
            shape=(frames + 1, *shape), trainable=False, initializer="zeros", name="stretch"
        )
        self._gather = GatherContexts(dtype=self.dtype_policy)

    def hold(self, stretch: np.ndarray) -> None:
        """Put another stretch (frames, shanks, rows, columns) in place."""
        self.stretch.assign(np.pad(stretch, [(0, 1), (0, 0), (0, 0), (0, 0)]))

    def call(self, index):
        """Map (targets, context frames) to contexts (targets x shanks, rows, features)."""
        stretch = keras.ops.cast(self.stretch, self.compute_dtype)
        return self._gather([stretch, index])

    def compute_output_shape(self, shape):
        """Images of all shanks one after the other."""
        return self._gather.compute_output_shape([self.stretch.shape, shape])
