"""A network over a stretch of stored integers, in keras.ops alone."""

from typing import Any

import keras
import numpy as np

from ephys_deepinterpolation.contexts import GatherContexts
from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.normalization import Normalization


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
