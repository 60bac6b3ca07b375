"""From stored traces to denoised ones on the device where the network runs.

For accelerators: traces cross the bus once in and once out, and everything between is one compiled
call over thousands of frames, on every backend. On a CPU, `recording` does the same in numpy.
"""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ephys_deepinterpolation.contexts import gather_contexts, on_accelerator
from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.transients import LARGEST_SCALES, LARGEST_SHARE
from ephys_deepinterpolation.windows import Context, context_index

# Enough to fill a large card; the contexts of 384 channels then take 0.4 GB in float32.
BLOCK_FRAMES = 4096


class DenoisingNetwork(keras.Model):
    """A network over a stretch of stored traces.

    Parameters
    ----------
    network : keras.Model
        From contexts (images, rows, features) to (images, rows, columns), see `build_network`.
    image : ProbeImage
        As the network sees it.
    normalization : Normalization
    gains, offsets : numpy.ndarray, shape (channels,)
        Of the stored traces to µV.
    margin : int
        Frames of the stretch on each side of the targets.
    precision : str
        Of the contexts: `float32` or `mixed_bfloat16`.
    """

    def __init__(
        self,
        network: keras.Model,
        image: ProbeImage,
        normalization: Normalization,
        gains: np.ndarray,
        offsets: np.ndarray,
        margin: int,
        precision: str,
    ):
        super().__init__(dtype="float32")
        self._network, self._margin, self._shape = network, margin, image.shape
        self._context_dtype = keras.dtype_policies.DTypePolicy(precision).compute_dtype
        live = ~normalization.silent
        self._most_extreme = float(LARGEST_SHARE * np.count_nonzero(live))
        channels = len(image.shank)
        pixel = np.ravel_multi_index((image.shank, image.row, image.column), image.shape)
        channel = np.full(np.prod(image.shape), channels)
        channel[pixel] = np.arange(channels)
        self._live = self._constant(live, "bool")
        self._scale = self._constant(normalization.scale / gains, "float32")
        self._location = self._constant((normalization.location - offsets) / gains, "float32")
        self._pixel_of_channel = self._constant(pixel, "int32")
        self._channel_of_pixel = self._constant(channel, "int32")
        self.built = True

    def _constant(self, values: np.ndarray, dtype: str) -> keras.Variable:
        """Keep an array on the device."""
        weight = self.add_weight(shape=values.shape, dtype=dtype, trainable=False, autocast=False)
        weight.assign(values)
        return weight

    def call(self, inputs):
        """Map a stretch (targets + 2 x margin, channels) and an index to denoised traces.

        The index (targets, context frames) is one of `context_index`, the traces (targets,
        channels) are in the units of the stretch. What the network does not see passes through.
        """
        ops = keras.ops
        stretch, index = inputs
        traces = ops.cast(stretch, "float32")
        normalized = (traces - self._location) / self._scale
        seen = self._live & ~self._find_transients(normalized) & ops.isfinite(normalized)
        normalized = ops.where(seen, normalized, ops.zeros_like(normalized))
        # A channel of zeros for the holes of the image, a frame of zeros for what is missing.
        normalized = ops.concatenate([normalized, ops.zeros_like(normalized[:, :1])], axis=1)
        normalized = ops.concatenate([normalized, ops.zeros_like(normalized[:1])], axis=0)
        pixels = ops.take(normalized, self._channel_of_pixel, axis=1)
        images = ops.cast(ops.reshape(pixels, (-1, *self._shape)), self._context_dtype)
        predicted = self._network(gather_contexts(images, index))
        predicted = ops.reshape(predicted, (index.shape[0], -1))
        predicted = ops.take(predicted, self._pixel_of_channel, axis=1)
        targets = slice(self._margin, self._margin + index.shape[0])
        denoised = predicted * self._scale + self._location
        return ops.where(seen[targets], denoised, traces[targets])

    def _find_transients(self, normalized: Any) -> Any:
        """Mark frames as `transients.find_transients` does: bool, shape (frames, 1)."""
        ops = keras.ops
        # Comparisons with NaN are false: written so that NaN counts as out of range.
        extreme = self._live & ~(ops.absolute(normalized) <= LARGEST_SCALES)
        extreme = ops.sum(ops.cast(extreme, "float32"), axis=1, keepdims=True)
        return extreme > self._most_extreme


class BlockDenoiser:
    """Denoises a segment's frames in blocks that always begin at the same frames.

    Parameters
    ----------
    network, image, normalization, gains, offsets, precision
        See `DenoisingNetwork`.
    context : Context
    block_frames : int
    """

    def __init__(
        self,
        network: keras.Model,
        image: ProbeImage,
        normalization: Normalization,
        gains: np.ndarray,
        offsets: np.ndarray,
        context: Context,
        precision: str,
        block_frames: int = BLOCK_FRAMES,
    ):
        self._context, self.block_frames = context, block_frames
        self._length = block_frames + 2 * context.margin
        self._denoise = compiled(
            DenoisingNetwork(
                network, image, normalization, gains, offsets, context.margin, precision
            )
        )
        targets = np.arange(block_frames) + context.margin
        # Of every block away from the ends of a segment.
        self._inner = keras.ops.convert_to_tensor(
            context_index(context, targets, 0, self._length, self._length)
        )

    def __call__(
        self, traces: np.ndarray, left: int, first: int, last: int, frames: int
    ) -> np.ndarray:
        """Denoise frames first to last of a segment of `frames`, given traces from `left` on.

        `first` begins a block, `last` ends one or the segment; traces reach a margin further on
        both sides, as far as the segment does.
        """
        if traces.dtype != np.int16:
            traces = traces.astype(np.float32, copy=False)
        denoised = np.empty((last - first, traces.shape[1]), dtype=np.float32)
        starts = range(first, last, self.block_frames)
        # The device works on a block while the one before is fetched and the next one laid out.
        ahead = None
        for start in starts:
            begun = self._begin(traces, left, start, frames)
            if ahead is not None:
                _fetch(ahead, denoised, start - self.block_frames - first)
            ahead = begun
        _fetch(ahead, denoised, starts[-1] - first)
        return denoised

    def _begin(self, traces: np.ndarray, left: int, start: int, frames: int) -> Any:
        """Start to denoise the block that begins at frame `start`."""
        begin = start - self._context.margin
        inside = begin >= 0 and begin + self._length <= frames
        stretch = traces[max(0, begin - left) : begin - left + self._length]
        if not inside:
            before = max(0, -begin)
            after = self._length - before - len(stretch)
            stretch = np.pad(stretch, [(before, after), (0, 0)])
        targets = np.arange(start, start + self.block_frames)
        index = (
            self._inner
            if inside
            else context_index(self._context, targets, begin, self._length, frames)
        )
        return self._denoise(
            keras.ops.convert_to_tensor(stretch), keras.ops.convert_to_tensor(index)
        )


def _fetch(begun: Any, denoised: np.ndarray, start: int) -> None:
    """Wait for a block and put it in its place, cut at the end."""
    place = denoised[start : start + len(begun)]
    place[:] = keras.ops.convert_to_numpy(begun)[: len(place)]


def compiled(network: keras.Model) -> Callable[[Any, Any], Any]:
    """Compile a network of two inputs for shapes that do not change; calls do not wait."""
    backend = keras.backend.backend()
    if backend == "jax":
        return _compiled_by_jax(network)
    if backend == "torch":
        return _compiled_by_torch(network)
    import tensorflow as tf

    return tf.function(lambda *inputs: network(inputs), jit_compile=True, autograph=False)


def _compiled_by_jax(network: keras.Model) -> Callable[[Any, Any], Any]:
    import jax

    values = [variable.value for variable in network.non_trainable_variables]
    weights = [variable.value for variable in network.trainable_variables]
    call = jax.jit(lambda *state_and_inputs: network.stateless_call(*state_and_inputs)[0])
    return lambda *inputs: call(weights, values, inputs)


def _compiled_by_torch(network: keras.Model) -> Callable[[Any, Any], Any]:
    import torch

    # On a CPU, compiling takes longer than most recordings.
    call = torch.compile(network.call, dynamic=False) if on_accelerator() else network.call

    def run(*inputs):
        nonlocal call
        with torch.no_grad():
            try:
                return call(inputs)
            except torch._dynamo.exc.TorchDynamoException as error:
                reason = str(error).strip().splitlines()[0]
                warnings.warn(
                    f"PyTorch cannot compile the network here ({reason}): it runs several times "
                    "slower. Triton and a C compiler are needed, or KERAS_BACKEND=jax.",
                    stacklevel=2,
                )
                call = network.call
                return call(inputs)

    return run
