"""Saturation and stimulation transients: kept out of training, and from spreading in inference.

A network spreads what it sees over a whole context (1 ms and more on each side), and over the
rows it looks at. Frames that no neural signal can explain are therefore shown to it as silence,
and so are single values that are not finite.
"""

import numpy as np

# A spike reaches a handful of channels of a probe; a transient or a saturation most of them.
LARGEST_SCALES = 15.0
LARGEST_SHARE = 0.3


def find_transients(normalized: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """Find the frames in which many channels at once are far out of their range.

    Parameters
    ----------
    normalized : numpy.ndarray, shape (frames, channels)
        Traces in units of each channel's scale.
    silent : numpy.ndarray of bool, shape (channels,)
        Channels that do not count.

    Returns
    -------
    numpy.ndarray of bool, shape (frames,)
        More than 30 % of the channels beyond 15 scales, or not finite. A frame's verdict rests on
        that frame alone.
    """
    counted = normalized[:, ~silent]
    if counted.shape[1] == 0:
        return np.zeros(len(normalized), dtype=bool)
    # Comparisons with NaN are false: written so that NaN counts as out of range.
    extreme = ~(np.abs(counted) <= LARGEST_SCALES)
    return extreme.mean(axis=1) > LARGEST_SHARE


def take_out_broken(normalized: np.ndarray) -> np.ndarray | None:
    """Set values that are not finite to zero, in place.

    Returns
    -------
    numpy.ndarray of bool, shape of the traces, or None
        Where they were; None where there were none.
    """
    finite = np.isfinite(normalized)
    if finite.all():
        return None
    normalized[~finite] = 0
    return ~finite


def near(marked: np.ndarray, margin: int) -> np.ndarray:
    """Mark every frame within `margin` frames of a marked one: bool, shape (frames,)."""
    if not marked.any():
        return marked
    return np.convolve(marked, np.ones(2 * margin + 1))[margin : margin + len(marked)] > 0.5
