"""Contexts gathered on the device where the network runs, in keras.ops alone.

A context is sixty frames or so; neighbouring targets share nearly all of them. Sent one by one,
contexts cross the bus sixty times. Here the stretch crosses once, with an index of a context's
frames per target (`context_index`), and the contexts are gathered on the device, on every backend.
"""

from typing import Any

import keras
import numpy as np


def on_accelerator() -> bool:
    """Whether Keras computes on something faster than the CPU, so that gathering there pays."""
    return "cpu" not in str(keras.ops.zeros(1).device).lower()


def gather_contexts(stretch: Any, index: Any) -> Any:
    """Gather the contexts of targets from a stretch of images that ends with a frame of zeros.

    Parameters
    ----------
    stretch : tensor, shape (frames + 1, shanks, rows, columns)
    index : tensor of int, shape (targets, context frames)
        See `context_index`.

    Returns
    -------
    tensor, shape (targets x shanks, rows, context frames x columns)
        Images of all shanks one after the other, as `build_network` takes them.
    """
    _, _, rows, columns = stretch.shape
    contexts = keras.ops.take(stretch, index, axis=0)
    contexts = keras.ops.transpose(contexts, (0, 2, 3, 1, 4))
    return keras.ops.reshape(contexts, (-1, rows, index.shape[1] * columns))


class GatherContexts(keras.layers.Layer):
    """Gather the contexts of targets from a stretch that ends with a frame of zeros."""

    def call(self, inputs):
        """Map (frames, shanks, rows, columns) and (targets, context frames) to contexts."""
        return gather_contexts(*inputs)

    def compute_output_shape(self, shapes):
        """Images of all shanks one after the other, as `build_network` takes them."""
        (_, _, rows, columns), (_, context_frames) = shapes
        return None, rows, context_frames * columns


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
        self.built = True

    def hold(self, stretch: np.ndarray) -> None:
        """Put another stretch (frames, shanks, rows, columns) in place."""
        self.stretch.assign(np.pad(stretch, [(0, 1), (0, 0), (0, 0), (0, 0)]))

    def call(self, index):
        """Map (targets, context frames) to contexts (targets x shanks, rows, features)."""
        stretch = keras.ops.cast(self.stretch, self.compute_dtype)
        return gather_contexts(stretch, index)

    def compute_output_shape(self, shape):
        """Images of all shanks one after the other."""
        _, _, rows, columns = self.stretch.shape
        return None, rows, shape[1] * columns


class GatheringNetwork(keras.Model):
    """A network that gathers its contexts from a stretch held on the device.

    Parameters
    ----------
    network : keras.Model
        From contexts (images, rows, features) to (images, rows, columns), see `build_network`.
    frames, shape
        See `ResidentContexts`.
    """

    def __init__(self, network: keras.Model, frames: int, shape: tuple[int, int, int]):
        super().__init__()
        self.network = network
        self.resident = ResidentContexts(frames, shape)

    def call(self, inputs):
        """Predict targets from an index (targets, context frames), or from contexts as they are."""
        return self.network(self.resident(inputs) if len(inputs.shape) == 2 else inputs)
