"""The published U-Net, rewritten exactly into matrix products that a CPU does fast.

The weights stay those of the published network; only the order of the arithmetic changes.

- Rows of the image come first in memory, (rows, frames, features), so that a row's neighbour is a
  neighbouring block and every convolution is a few large matrix products.
- The columns of the image are folded into the features; a 2 x 2 kernel becomes a matrix.
- Even and odd rows are kept apart. A pool over two rows is then a maximum of two arrays, and the
  two rows of a pair share products: a kernel of 3 rows costs 4 products for two rows instead of 6
  (Winograd's F(2, 3)).
- An up-sampled row is never made: of a coarse row and its two neighbours, 3 products give both
  fine rows instead of 6, on half as many rows.
- The skip connection has its own part of the kernel; nothing is concatenated before a convolution.

In `bfloat16` the inner steps run in bfloat16, without the shared products, which would cost
accuracy; the outermost step, where most of the rounding error arises, stays in float32.

For a CPU, with TensorFlow; `build_network` has the same network for all else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class ImageColumns:
    """How the columns of the image hold the channels.

    Attributes
    ----------
    columns : int
        Of what goes in and comes out.
    interleaved : bool
        Whether the network sees two rows, each with a zero beside its channel, for each row of two
        columns that goes in; see `layouts`.
    """

    columns: int
    interleaved: bool = False

    @property
    def filled(self) -> int:
        """Columns with one of zeros at the right if their number is odd."""
        return self.columns + self.columns % 2


def can_rewrite() -> bool:
    """Whether the rewritten network is the faster one here: TensorFlow without a GPU."""
    return keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")


def rewrite(weights: Mapping[str, tf.Tensor], image: ImageColumns, shared: bool) -> dict:
    """Turn the kernels of the published network into the matrices of `apply_rewritten`.

    Differentiable, so that the published weights can be trained through it.

    Parameters
    ----------
    weights : mapping of str to tensor
        By path, as of `get_weights`.
    image : ImageColumns
    shared : bool
        Whether the two rows of a pair share products.

    Returns
    -------
    dict
    """
    names = [path.removesuffix("/kernel") for path in weights if path.endswith("/kernel")]
    layers = {name: (weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in names}
    depth = _depth(layers)
    matrices = {"encoder_0": _first_matrices(*layers["encoder_0"], image)}
    for step in range(1, depth + 1):
        kernel, bias = layers[f"encoder_{step}"]
        matrices[f"encoder_{step}"] = _inner_matrices(kernel[:, 0], bias, 0, shared)
    for step in range(1, depth):
        kernel, bias = layers[f"decoder_{step}"]
        coarse = layers[f"decoder_{step + 1}" if step + 1 < depth else f"encoder_{depth}"][1]
        matrices[f"decoder_{step}"] = _inner_matrices(kernel[:, 0], bias, coarse.shape[0], shared)
    coarse = layers["decoder_1" if depth > 1 else f"encoder_{depth}"][1]
    matrices["decoder_0"] = _last_matrices(*layers["decoder_0"], coarse.shape[0], image)
    matrices["target"] = _target_matrices(*layers["target"], image)
    return matrices


def apply_rewritten(
    matrices: dict, contexts: tf.Tensor, image: ImageColumns, dtype: tf.DType
) -> tf.Tensor:
    """Apply the rewritten network to contexts of any number of rows and columns.

    Parameters
    ----------
    matrices : dict
        From `rewrite`.
    contexts : tensor of float32, shape (images, rows, context frames x columns)
        The number of rows is known when the graph is made.
    image : ImageColumns
    dtype : tf.DType
        Of the inner steps.

    Returns
    -------
    tensor of float32, shape (images, rows, columns)
    """
    rows, features = contexts.shape[1:]
    contexts = tf.transpose(contexts, (1, 0, 2))
    if image.filled > image.columns:
        contexts = tf.reshape(contexts, (rows, -1, features // image.columns, image.columns))
        contexts = tf.pad(contexts, [(0, 0), (0, 0), (0, 0), (0, image.filled - image.columns)])
        contexts = tf.reshape(contexts, (rows, -1, features // image.columns * image.filled))
    missing = -rows % 2 ** (_depth(matrices) - image.interleaved)
    if missing:
        contexts = tf.pad(contexts, [(0, missing), (0, 0), (0, 0)])
    targets = _forward(matrices, contexts, image, dtype)[:rows, :, : image.columns]
    return tf.transpose(targets, (1, 0, 2))


def _forward(
    matrices: dict, contexts: tf.Tensor, image: ImageColumns, dtype: tf.DType
) -> tf.Tensor:
    """Apply the network, rows first; they divide by 2 ** depth, or half of it if interleaved."""
    if image.interleaved:
        around = ([contexts], [contexts, _next(contexts)])
        even, odd = _pair_of_products(matrices["encoder_0"], around)
    else:
        even, odd = _outermost(matrices["encoder_0"], _split(contexts))
    outer = (even, odd)
    hidden = tf.cast(_pool_columns(tf.maximum(even, odd), image), dtype)
    skips = []
    depth = _depth(matrices)
    for step in range(1, depth + 1):
        even, odd = _inner(matrices[f"encoder_{step}"], _split(hidden))
        skips.append((even, odd))
        hidden = (
            tf.maximum(even, odd) if step < depth else _interleave(even, odd)[: hidden.shape[0]]
        )
    for step in reversed(range(1, depth)):
        even, odd = _inner(matrices[f"decoder_{step}"], skips[step - 1], coarse=hidden)
        hidden = _interleave(even, odd)
    return _outermost_decoder(matrices, outer, tf.cast(hidden, tf.float32), image)


def _inner_matrices(kernel: tf.Tensor, bias: tf.Tensor, coarse: int, shared: bool) -> dict:
    """Split a kernel, (3, features, outputs); its first `coarse` features are up-sampled ones."""
    above, here, below = (kernel[row, coarse:] for row in range(3))
    up_above, up_here, up_below = (kernel[row, :coarse] for row in range(3))
    if shared:
        products = {
            "above": above,
            "sum": (above + here + below) / 2,
            "difference": (above - here + below) / 2,
            "below": below,
        }
        if coarse:
            products |= {
                "up_above": up_above,
                "up_sum": up_above + up_here + up_below,
                "up_below": up_below,
            }
        return {"shared": products, "bias": bias}
    even = odd = [above, here, below]
    if coarse:
        even = [up_above, up_here + up_below, *even]
        odd = [up_above + up_here, up_below, *odd]
    return {"kernels": (tf.concat(even, 0), tf.concat(odd, 0)), "bias": bias}


def _inner(
    matrices: dict, rows: tuple[tf.Tensor, tf.Tensor], coarse: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Even and odd rows of a convolution, from even and odd rows and perhaps coarse ones."""
    even, odd = rows
    if "shared" not in matrices:
        around = ([_previous(odd), even, odd], [even, odd, _next(even)])
        if coarse is not None:
            around = (
                [_previous(coarse), coarse, *around[0]],
                [coarse, _next(coarse), *around[1]],
            )
        return _pair_of_products(matrices, around)
    bias = matrices["bias"]
    kernels = matrices["shared"]
    upper = _product(_previous(odd) - odd, kernels["above"])
    middle = _product(even + odd, kernels["sum"], bias)
    crossed = _product(odd - even, kernels["difference"])
    lower = _product(_next(even) - even, kernels["below"])
    if coarse is not None:
        upper += _product(_previous(coarse) - coarse, kernels["up_above"])
        middle += _product(coarse, kernels["up_sum"])
        lower += _product(_next(coarse) - coarse, kernels["up_below"])
    return tf.nn.relu(upper + middle + crossed), tf.nn.relu(lower + middle - crossed)


def _first_matrices(kernel: tf.Tensor, bias: tf.Tensor, image: ImageColumns) -> dict:
    if image.interleaved:
        even, odd = (
            _fold(kernel, _interleaved_taps(odd), frames_first=True) for odd in (False, True)
        )
        return {"kernels": (even, odd), "bias": tf.tile(bias, [image.filled])}
    here, below = (
        _fold(kernel, taps, frames_first=True) for taps in _by_row(_dense_taps(image.filled))
    )
    shared = {"sum": here + below, "even": here, "odd": below}
    return {"shared": shared, "bias": tf.tile(bias, [image.filled])}


def _last_matrices(kernel: tf.Tensor, bias: tf.Tensor, coarse: int, image: ImageColumns) -> dict:
    here, below = (
        _fold(kernel[:, :, coarse:], taps) for taps in _by_row(_dense_taps(image.filled))
    )
    up_here, up_below = (
        _fold(kernel[:, :, :coarse], taps) for taps in _by_row(_up_taps(image.filled))
    )
    if image.interleaved:
        outputs = kernel.shape[3]
        even = tf.concat([up_here + up_below, here, below], 0)[:, :outputs]
        odd = tf.concat([up_here, up_below, here, below], 0)[:, outputs:]
        return {"kernels": (even, odd), "bias": bias}
    shared = {
        "sum": tf.concat([up_here + up_below, here + below], 0),
        "even": here,
        "odd": tf.concat([up_below, below], 0),
    }
    return {"shared": shared, "bias": tf.tile(bias, [image.filled])}


def _target_matrices(kernel: tf.Tensor, bias: tf.Tensor, image: ImageColumns) -> dict:
    columns = 1 if image.interleaved else image.filled
    identity = tf.eye(columns, dtype=kernel.dtype)
    matrix = tf.einsum("ab,fo->afbo", identity, kernel[0, 0])
    return {
        "kernel": tf.reshape(matrix, (columns * kernel.shape[2], columns)),
        "bias": tf.tile(bias, [columns]),
    }


def _outermost_decoder(
    matrices: dict, outer: tuple[tf.Tensor, tf.Tensor], coarse: tf.Tensor, image: ImageColumns
) -> tf.Tensor:
    """Last convolution and target, from even and odd rows of the skip and the coarse rows."""
    even, odd = outer
    coarse = _fold_columns(coarse, image)
    last, target = matrices["decoder_0"], matrices["target"]
    if image.interleaved:
        around = ([coarse, even, odd], [coarse, _next(coarse), odd, _next(even)])
        even, odd = _pair_of_products(last, around)
    else:
        even, odd = _outermost(last, outer, [coarse])
    even, odd = (_product(rows, target["kernel"], target["bias"]) for rows in (even, odd))
    return tf.concat([even, odd], -1) if image.interleaved else _interleave(even, odd)


def _outermost(
    matrices: dict, rows: tuple[tf.Tensor, tf.Tensor], coarse: Sequence[tf.Tensor] = ()
) -> tuple[tf.Tensor, tf.Tensor]:
    """Even and odd rows of a convolution over 2 rows, from even and odd rows and coarse ones."""
    even, odd = rows
    kernels = matrices["shared"]
    middle = _product(_join([*coarse, odd]), kernels["sum"], matrices["bias"])
    upper = _product(even - odd, kernels["even"])
    changes = [_next(part) - part for part in coarse]
    lower = _product(_join([*changes, _next(even) - odd]), kernels["odd"])
    return tf.nn.relu(middle + upper), tf.nn.relu(middle + lower)


def _fold(kernel: tf.Tensor, taps: np.ndarray, frames_first: bool = False) -> tf.Tensor:
    """Write a kernel of 2 x 2 pixels as a matrix.

    Parameters
    ----------
    kernel : tensor, shape (2, 2, features, outputs)
    taps : numpy.ndarray, shape (2, 2, [rows,] pixels, columns)
        Whether a tap of the kernel connects a pixel that goes in with a column that comes out.
    frames_first : bool
        Whether the features of a row come before its pixels.

    Returns
    -------
    tensor, shape (rows x pixels x features, columns x outputs)
    """
    features, outputs = kernel.shape[2:]
    taps = taps.reshape(2, 2, -1, *taps.shape[-2:]) if taps.ndim == 5 else taps[:, :, None]
    order = "rfpco" if frames_first else "rpfco"
    matrix = tf.einsum(f"ijrpc,ijfo->{order}", tf.constant(taps, kernel.dtype), kernel)
    rows, pixels, columns = taps.shape[2:]
    return tf.reshape(matrix, (rows * pixels * features, columns * outputs))


def _dense_taps(columns: int) -> np.ndarray:
    """From two rows of pixels: (2, 2, rows, pixels, columns)."""
    taps = np.zeros((2, 2, 2, columns, columns))
    for below in range(2):
        for right in range(2):
            for column in range(columns - right):
                taps[below, right, below, column + right, column] = 1
    return taps


def _up_taps(columns: int) -> np.ndarray:
    """From two coarse rows of half as many pixels to odd rows: (2, 2, rows, pixels, columns)."""
    return _dense_taps(columns).reshape(2, 2, 2, columns // 2, 2, columns).sum(4)


def _by_row(taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return taps[:, :, 0], taps[:, :, 1]


def _interleaved_taps(odd: bool) -> np.ndarray:
    """From pairs of channels to even, or odd, rows: (2, 2, pairs, channels, columns)."""
    taps = np.zeros((2, 2, 1 + odd, 2, 2))
    for below in range(2):
        for right in range(2):
            row = below + odd
            for column in range(2 - right):
                if column + right == row % 2:
                    taps[below, right, row // 2, row % 2, column] = 1
    return taps


def _product(
    rows: tf.Tensor, kernel: np.ndarray | tf.Tensor, bias=None, relu: bool = False
) -> tf.Tensor:
    product = tf.matmul(tf.reshape(rows, (-1, rows.shape[-1])), tf.cast(kernel, rows.dtype))
    if bias is not None:
        product = tf.nn.bias_add(product, tf.cast(bias, rows.dtype))
    if relu:
        product = tf.nn.relu(product)
    return tf.reshape(product, (rows.shape[0], -1, *rows.shape[2:-1], kernel.shape[-1]))


def _pair_of_products(
    matrices: dict, around: tuple[list[tf.Tensor], list[tf.Tensor]]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Even and odd rows, each one product of all the rows around it."""
    even, odd = (
        _product(_join(rows), kernel, matrices["bias"], relu=True)
        for rows, kernel in zip(around, matrices["kernels"], strict=True)
    )
    return even, odd


def _join(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.concat(parts, -1) if len(parts) > 1 else parts[0]


def _previous(rows: tf.Tensor) -> tf.Tensor:
    """Row r - 1 at r; zeros at the first."""
    return tf.concat([tf.zeros_like(rows[:1]), rows[:-1]], 0)


def _next(rows: tf.Tensor) -> tf.Tensor:
    """Row r + 1 at r; zeros at the last."""
    return tf.concat([rows[1:], tf.zeros_like(rows[:1])], 0)


def _split(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Even and odd rows; after an odd number of rows comes one of zeros."""
    if rows.shape[0] % 2:
        rows = tf.concat([rows, tf.zeros_like(rows[:1])], 0)
    pairs = tf.reshape(rows, (rows.shape[0] // 2, 2, -1, *rows.shape[2:]))
    return pairs[:, 0], pairs[:, 1]


def _interleave(even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
    """Undo `_split`."""
    return tf.reshape(tf.stack([even, odd], 1), (2 * even.shape[0], -1, *even.shape[2:]))


def _pool_columns(rows: tf.Tensor, image: ImageColumns) -> tf.Tensor:
    """Maximum over pairs of columns; the pairs that are left join the frames."""
    width = rows.shape[-1] // image.filled
    parts = tf.reshape(rows, (rows.shape[0], -1, 2, width))
    return tf.maximum(parts[:, :, 0], parts[:, :, 1])


def _fold_columns(rows: tf.Tensor, image: ImageColumns) -> tf.Tensor:
    """Put the pairs of columns back into the features."""
    pairs = image.filled // 2
    return tf.reshape(rows, (rows.shape[0], -1, pairs * rows.shape[-1]))


def _depth(layers: dict) -> int:
    return sum(name.startswith("encoder") for name in layers) - 1
