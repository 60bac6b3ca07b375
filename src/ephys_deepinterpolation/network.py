"""The networks, in Keras 3, each built from a small dataclass of hyper-parameters.

Every network maps contexts (images, rows, context frames x columns) to target frames (images,
rows, columns), for any number of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    family : str
        Always `compact`.
    """

    rows: int = 5
    width: int = 32
    depth: int = 5
    family: str = "compact"

    def __post_init__(self):
        if self.rows % 2 == 0:
            raise ValueError(f"rows is {self.rows}: a target needs as many rows above as below")


@dataclass(frozen=True)
class UNetParameters:
    """The U-Net of the published DeepInterpolation (Lecoq et al. 2021) and its smaller kin.

    An encoder of `depth` steps, each twice as wide as the one before and pooled by two along the
    rows. The first step looks at 2 x 2 pixels and pools the columns too; the others look at 3
    rows. The decoder mirrors it, with skip connections; the output is linear.

    Attributes
    ----------
    width : int
        Features of the first step: 64 as published.
    depth : int
        How often rows are pooled: 4 as published.
    family : str
        Always `unet`.
    """

    width: int = 64
    depth: int = 4
    family: str = "unet"


@dataclass(frozen=True)
class LinearParameters:
    """Linear interpolation of a frame from its context: fitted, not trained.

    Attributes
    ----------
    rows : int
        Rows that a target is told from, odd.
    own_channel : bool
        Whether each contact is told from its own context alone; then there is one row. Contacts of
        a column of the image share their filter.
    family : str
        Always `linear`.
    """

    rows: int = 5
    own_channel: bool = False
    family: str = "linear"

    def __post_init__(self):
        if self.own_channel:
            object.__setattr__(self, "rows", 1)
        if self.rows % 2 == 0:
            raise ValueError(f"rows is {self.rows}: a target needs as many rows above as below")


Parameters = NetworkParameters | UNetParameters | LinearParameters


def network_parameters(description: dict[str, Any]) -> Parameters:
    """Make the hyper-parameters of a network from plain values; `family` says which network."""
    families: dict[str, type[Parameters]] = {
        "compact": NetworkParameters,
        "unet": UNetParameters,
        "linear": LinearParameters,
    }
    family = description.get("family", "compact")
    if family not in families:
        raise ValueError(f"no network is called {family!r}; known: {', '.join(families)}")
    return families[family](**description)


def build_network(
    parameters: Parameters,
    columns: int,
    context_frames: int,
    seed: int,
    precision: str = "float32",
) -> keras.Model:
    """Build a network that maps contexts to target frames.

    Parameters
    ----------
    parameters : NetworkParameters, UNetParameters or LinearParameters
    columns : int
        Columns of the probe's image.
    context_frames : int
        Frames of the context, both sides together.
    seed : int
        Of the initial weights.
    precision : str
        `float32`, or `mixed_bfloat16` for matrix products in bfloat16; weights are 32-bit.

    Returns
    -------
    keras.Model
        From (images, rows, context_frames x columns) to (images, rows, columns), for any number
        of rows.
    """
    policy = keras.dtype_policies.DTypePolicy(precision)
    context = keras.Input((None, context_frames * columns))
    if isinstance(parameters, UNetParameters):
        return _build_unet(parameters, context, columns, context_frames, seed, policy)
    if isinstance(parameters, LinearParameters):
        exact = keras.dtype_policies.DTypePolicy("float32")
        return keras.Model(context, _linear_path(parameters.rows, context, columns, seed, exact))
    return _build_compact(parameters, context, columns, seed, policy)


def _linear_path(
    rows: int,
    context: keras.KerasTensor,
    columns: int,
    seed: int,
    policy: keras.dtype_policies.DTypePolicy,
) -> keras.KerasTensor:
    return keras.layers.Conv1D(
        columns,
        rows,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name="linear",
        dtype=policy,
    )(context)


def _build_compact(
    parameters: NetworkParameters,
    context: keras.KerasTensor,
    columns: int,
    seed: int,
    policy: keras.dtype_policies.DTypePolicy,
) -> keras.Model:
    """Build the compact network; its non-linear part starts at zero."""
    linear = _linear_path(parameters.rows, context, columns, seed, policy)
    hidden = context
    for layer in range(parameters.depth):
        hidden = keras.layers.Conv1D(
            parameters.width,
            parameters.rows if layer == 0 else 3,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + layer),
            name=f"hidden_{layer}",
            dtype=policy,
        )(hidden)
    correction = keras.layers.Conv1D(
        columns, 1, kernel_initializer="zeros", name="correction", dtype=policy
    )(hidden)
    target = keras.layers.Add(name="target", dtype="float32")([linear, correction])
    return keras.Model(context, target)


def _build_unet(
    parameters: UNetParameters,
    context: keras.KerasTensor,
    columns: int,
    context_frames: int,
    seed: int,
    policy: keras.dtype_policies.DTypePolicy,
) -> keras.Model:
    """Build the U-Net; rows and columns that do not divide are filled with zeros and cut again."""
    layers = {
        name: keras.layers.Conv2D(
            shape[-1],
            shape[:2],
            padding="same",
            activation=None if name == "target" else "relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number),
            name=name,
            dtype="float32" if name == "target" else policy,
        )
        for number, (name, shape) in enumerate(unet_shapes(parameters, context_frames).items())
    }
    image = keras.layers.Reshape((-1, context_frames, columns), name="frames")(context)
    image = keras.layers.Permute((1, 3, 2), name="image")(image)
    hidden = _PadTo(2**parameters.depth, 2, name="pad")(image)
    skips = []
    for step in range(parameters.depth):
        hidden = layers[f"encoder_{step}"](hidden)
        skips.append(hidden)
        hidden = keras.layers.MaxPooling2D((2, 2 if step == 0 else 1))(hidden)
    hidden = layers[f"encoder_{parameters.depth}"](hidden)
    for step in reversed(range(parameters.depth)):
        hidden = keras.layers.UpSampling2D((2, 2 if step == 0 else 1))(hidden)
        hidden = layers[f"decoder_{step}"](keras.layers.Concatenate()([hidden, skips[step]]))
    target = _CutLike(name="cut")([layers["target"](hidden), image])
    return keras.Model(context, target)


def unet_shapes(parameters: UNetParameters, context_frames: int) -> dict[str, tuple[int, ...]]:
    """List the kernels of the U-Net, input to output.

    Returns
    -------
    dict of str to tuple
        Name of the layer to (rows, columns, features in, features out) of its kernel.
    """
    widths = [parameters.width * 2**step for step in range(parameters.depth + 1)]
    shapes: dict[str, tuple[int, ...]] = {"encoder_0": (2, 2, context_frames, widths[0])}
    for step in range(1, parameters.depth + 1):
        shapes[f"encoder_{step}"] = (3, 1, widths[step - 1], widths[step])
    for step in reversed(range(1, parameters.depth)):
        shapes[f"decoder_{step}"] = (3, 1, widths[step + 1] + widths[step], widths[step])
    shapes["decoder_0"] = (2, 2, widths[1] + widths[0], widths[0])
    shapes["target"] = (1, 1, widths[0], 1)
    return shapes


class _PadTo(keras.layers.Layer):
    """Fill with zeros below and to the right until rows and columns divide."""

    def __init__(self, rows: int, columns: int, **options: Any):
        super().__init__(**options)
        self.rows, self.columns = rows, columns

    def call(self, image):
        """Pad (images, rows, columns, features)."""
        # Not by `keras.ops.pad`, which makes PyTorch compile anew at every call.
        images, rows, columns, features = keras.ops.shape(image)
        below = keras.ops.zeros((images, -rows % self.rows, columns, features), image.dtype)
        image = keras.ops.concatenate([image, below], axis=1)
        rows += -rows % self.rows
        right = keras.ops.zeros((images, rows, -columns % self.columns, features), image.dtype)
        return keras.ops.concatenate([image, right], axis=2)

    def compute_output_shape(self, shape):
        """Round rows and columns up."""
        images, rows, columns, features = shape
        rows = None if rows is None else rows + -rows % self.rows
        return images, rows, columns + -columns % self.columns, features


class _CutLike(keras.layers.Layer):
    """Cut a one-feature image to the rows and columns of another one."""

    def call(self, images):
        """Cut (images, rows, columns, 1) to (images, rows, columns) of the second image."""
        image, like = images
        shape = keras.ops.shape(like)
        return image[:, : shape[1], : shape[2], 0]

    def compute_output_shape(self, shapes):
        """Rows and columns of the second image."""
        return shapes[1][:3]


def flops_per_frame(parameters: Parameters, columns: int, context_frames: int, rows: int) -> int:
    """Count the floating-point operations for one frame of `rows` rows (all shanks together)."""
    if isinstance(parameters, UNetParameters):
        return _unet_flops(parameters, columns, context_frames, rows)
    features = context_frames * columns
    if isinstance(parameters, LinearParameters):
        return 2 * rows * parameters.rows * features * columns
    width = parameters.width
    per_row = parameters.rows * features * (width + columns)
    per_row += (parameters.depth - 1) * 3 * width * width + width * columns
    return 2 * rows * per_row


def _unet_flops(parameters: UNetParameters, columns: int, context_frames: int, rows: int) -> int:
    padded = (rows + -rows % 2**parameters.depth, columns + -columns % 2)
    total = 0
    for name, kernel in unet_shapes(parameters, context_frames).items():
        step = 0 if name == "target" else int(name.split("_")[1])
        pixels = padded[0] // 2**step * (padded[1] // (1 if step == 0 else 2))
        total += 2 * pixels * int(np.prod(kernel))
    return total


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


def start_linear_path(network: keras.Model, kernel: np.ndarray) -> None:
    """Start the linear path of a network from a ridge regression, if it has such a path.

    Parameters
    ----------
    network : keras.Model
        From `build_network`.
    kernel : numpy.ndarray, shape (rows, features, columns)
    """
    if has_linear_path(network):
        network.get_layer("linear").set_weights([kernel])


def has_linear_path(network: keras.Model) -> bool:
    """Whether a network has a linear path beside its other layers."""
    return any(layer.name == "linear" for layer in network.layers)


def masked_loss(name: str) -> Callable[[Any, Any], Any]:
    """Make a loss over the pixels that hold a contact.

    Parameters
    ----------
    name : str
        `mean_squared_error` or `mean_absolute_error`.

    Returns
    -------
    callable
        Of (target and mask, prediction): tensors (images, rows, columns, 2), the mask 0 or 1, and
        (images, rows, columns).
    """
    penalties = {"mean_squared_error": keras.ops.square, "mean_absolute_error": keras.ops.abs}
    if name not in penalties:
        raise ValueError(f"no loss is called {name!r}; known: {', '.join(penalties)}")
    penalty = penalties[name]

    def loss(target_and_mask, prediction):
        target, mask = target_and_mask[..., 0], target_and_mask[..., 1]
        penalties = penalty(target - keras.ops.cast(prediction, "float32")) * mask
        return keras.ops.sum(penalties) / keras.ops.sum(mask)

    loss.__name__ = name
    return loss
