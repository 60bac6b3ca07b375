"""The networks, in Keras 3, built from a small dataclass of hyper-parameters."""

from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class NetworkParameters:
    """A compact network, local in depth, the same on every row of any probe.

    The columns of a row and the frames of its context are the features of that row. A linear path
    looks at `rows` rows at once; beside it, a dense layer over the same rows and `depth` - 1
    layers over three rows add what linear interpolation cannot express.

    Attributes
    ----------
    rows : int
        Rows the first layer sees, odd.
    width : int
        Features of each hidden layer.
    depth : int
        Hidden layers.
    """

    rows: int = 5
    width: int = 64
    depth: int = 3


def build_network(
    parameters: NetworkParameters, columns: int, context_frames: int, seed: int
) -> keras.Model:
    """Build a network that maps contexts to target frames.

    Parameters
    ----------
    parameters : NetworkParameters
    columns : int
        Columns of the probe's image.
    context_frames : int
        Frames of the context, both sides together.
    seed : int
        Of the initial weights.

    Returns
    -------
    keras.Model
        From (images, rows, context_frames x columns) to (images, rows, columns), for any number
        of rows. The non-linear part starts at zero.
    """
    context = keras.Input((None, context_frames * columns))
    linear = keras.layers.Conv1D(
        columns,
        parameters.rows,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name="linear",
    )(context)
    hidden = context
    for layer in range(parameters.depth):
        hidden = keras.layers.Conv1D(
            parameters.width,
            parameters.rows if layer == 0 else 3,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + layer),
            name=f"hidden_{layer}",
        )(hidden)
    correction = keras.layers.Conv1D(columns, 1, kernel_initializer="zeros", name="correction")(
        hidden
    )
    return keras.Model(context, keras.layers.Add(name="target")([linear, correction]))


def flops_per_frame(
    parameters: NetworkParameters, columns: int, context_frames: int, rows: int
) -> int:
    """Count the floating-point operations for one frame of `rows` rows (all shanks together)."""
    width = parameters.width
    features = context_frames * columns
    per_row = parameters.rows * features * (width + columns)
    per_row += (parameters.depth - 1) * 3 * width * width + width * columns
    return 2 * rows * per_row


def get_weights(network: keras.Model) -> dict[str, np.ndarray]:
    """Read the weights of a network by their path, for example `hidden_0/kernel`."""
    return {
        weight.path: np.asarray(keras.ops.convert_to_numpy(weight)) for weight in network.weights
    }


def set_weights(network: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Set every weight of a network by its path.

    Raises
    ------
    ValueError
        A weight is missing, unknown, or of another shape.
    """
    expected = {weight.path: tuple(weight.shape) for weight in network.weights}
    found = {path: tuple(values.shape) for path, values in weights.items()}
    if expected != found:
        differing = sorted(dict(expected.items() ^ found.items()))
        raise ValueError(f"weights do not fit the network: {', '.join(differing)}")
    for weight in network.weights:
        weight.assign(weights[weight.path])


def masked_mean_squared_error(target_and_mask, prediction):
    """Mean squared error over the pixels that hold a contact.

    Parameters
    ----------
    target_and_mask : tensor, shape (images, rows, columns, 2)
        The target and, as 0 or 1, whether the pixel counts.
    prediction : tensor, shape (images, rows, columns)
    """
    target, mask = target_and_mask[..., 0], target_and_mask[..., 1]
    squared = keras.ops.square(target - prediction) * mask
    return keras.ops.sum(squared) / keras.ops.sum(mask)
