"""What a loss is read against: linear interpolation, the best constant and the noise floor."""

from collections.abc import Callable, Sequence

import numpy as np

from ephys_deepinterpolation.denoisers import LinearInterpolation, noise_floor
from ephys_deepinterpolation.frames import FrameRange, Frames
from ephys_deepinterpolation.network import (
    LinearParameters,
    NetworkParameters,
    Parameters,
    UNetParameters,
)

_ROWS = 60_000
LINEAR_MODEL_ROWS = 240_000
NEIGHBOURING_ROWS = 3


def fit_linear(
    frames: Frames,
    training: Sequence[FrameRange],
    network: Parameters,
    random: np.random.Generator,
    beside: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Fit linear interpolation to training frames.

    Parameters
    ----------
    frames : Frames
    training : sequence of FrameRange
        Drawn from evenly: rows of the image, 60,000 in all, or 240,000 for a linear model.
    network : Parameters
        Whose reach in depth it has.
    random : numpy.random.Generator
    beside : callable, optional
        Says what is predicted beside it, from contexts; nothing by default.

    Returns
    -------
    numpy.ndarray, shape (rows, features, columns)
        Its kernel.
    """
    columns = frames.shape[2]
    rows = NetworkParameters().rows if isinstance(network, UNetParameters) else network.rows
    alone = isinstance(network, LinearParameters) and network.own_channel
    linear = LinearInterpolation(rows, 2 * frames.context.frames * columns, columns, alone)
    examples = LINEAR_MODEL_ROWS if isinstance(network, LinearParameters) else _ROWS
    share = frames.frames_for(examples) // len(training) + 1
    for piece in training:
        batch = frames.draw_from(piece, share, random)
        if batch is not None:
            contexts, packed = batch
            targets = packed[..., 0] if beside is None else packed[..., 0] - beside(contexts)
            linear.add(contexts, targets, packed[..., 1])
    return linear.kernel()


def baselines(residual: np.ndarray, packed: np.ndarray, rows: int) -> dict[str, float]:
    """Losses that a loss on the same frames is read against.

    Parameters
    ----------
    residual : numpy.ndarray, shape (images, image rows, columns)
        What linear interpolation leaves over, 0 where a pixel does not count.
    packed : numpy.ndarray, shape (images, image rows, columns, 2)
        Targets with mask, as of `Frames.targets`.
    rows : int
        That linear interpolation looks at.

    Returns
    -------
    dict of str to float
        linear_loss, constant_loss, noise_floor: mean squared errors; predictability: share of
        variance that linear interpolation predicts.
    """
    targets, mask = packed[..., 0], packed[..., 1]
    linear_loss = float(np.square(residual).sum() / mask.sum())
    valid = targets[mask > 0]
    constant_loss = float(np.mean(np.square(valid - valid.mean())))
    return {
        "linear_loss": linear_loss,
        "constant_loss": constant_loss,
        "noise_floor": noise_floor(residual, mask, max(rows, NEIGHBOURING_ROWS)),
        "predictability": 1.0 - linear_loss / constant_loss,
    }
