"""Means over recordings with an interval, for figures that hold no effect of the statistics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESAMPLES = 1000


class Mean(NamedTuple):
    """A mean with its 95 % interval, empty (NaN) where there is nothing to resample."""

    value: float
    low: float
    high: float


def mean_interval(values: np.ndarray, recordings: np.ndarray | None = None) -> Mean:
    """Return the mean over recordings of their means, with a bootstrap interval.

    Parameters
    ----------
    values : ndarray, (n_values,)
        One value per unit, say.
    recordings : ndarray, (n_values,), optional
        The recording of each value. Recordings are resampled where there are two or more, the
        values of the only one otherwise.

    Returns
    -------
    Mean
        Percentiles 2.5 and 97.5 of the resampled means.
    """
    values = np.asarray(values, dtype=float)
    if recordings is not None:
        names = np.asarray(recordings).astype(str)
        means = np.array([values[names == name].mean() for name in np.unique(names)])
        values = means if len(means) > 1 else values
    if len(values) == 0:
        return Mean(np.nan, np.nan, np.nan)
    if len(values) == 1:
        return Mean(float(values[0]), np.nan, np.nan)
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return Mean(float(values.mean()), float(low), float(high))
