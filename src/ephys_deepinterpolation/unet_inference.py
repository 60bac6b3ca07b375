"""The published U-Net compiled for inference on a CPU, through its rewriting."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ephys_deepinterpolation.unet_rewriting import ImageColumns, apply_rewritten, rewrite

# Of all images of a batch: more do not fit into the cache, fewer make small products.
_ROWS_AT_ONCE = 12_288


def inference_function(
    weights: dict[str, np.ndarray],
    columns: int,
    rows: int,
    precision: str = "float32",
    interleaved: bool = False,
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a U-Net for inference.

    Parameters
    ----------
    weights : dict of str to numpy.ndarray
        By path, as of `get_weights`.
    columns, rows : int
        Of the image, any number.
    precision : str
        `float32`, or `bfloat16` for the inner steps.
    interleaved : bool
        Whether the network was trained on interleaved channels, see `layouts`; columns are then 2.

    Returns
    -------
    callable
        From contexts, (images, rows, context frames x columns), to targets,
        (images, rows, columns); numpy.ndarray of float32. Any number of images.
    """
    dtype = tf.as_dtype(precision)
    image = ImageColumns(columns, interleaved)
    with tf.device("CPU"):
        tensors = tf.nest.map_structure(tf.constant, weights)
        matrices = rewrite(tensors, image, shared=dtype == tf.float32)
    # Numpy arrays become constants of the graph, which oneDNN packs once and not at every call.
    matrices = tf.nest.map_structure(lambda tensor: tensor.numpy(), matrices)
    context_frames = weights["encoder_0/kernel"].shape[2]
    signature = tf.TensorSpec((None, rows, context_frames * columns), tf.float32)

    @tf.function(input_signature=[signature], autograph=False)
    def infer(contexts: tf.Tensor) -> tf.Tensor:
        return apply_rewritten(matrices, contexts, image, dtype)

    images = max(1, _ROWS_AT_ONCE // rows)

    def infer_all(contexts: np.ndarray) -> np.ndarray:
        starts = range(0, len(contexts), images)
        batches = (tf.convert_to_tensor(contexts[start : start + images]) for start in starts)
        return np.concatenate([infer(batch).numpy() for batch in batches])

    return infer_all
