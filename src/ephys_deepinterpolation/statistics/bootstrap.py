"""The mean of a few independent values, with an interval and a p-value that fit each other."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

_RESAMPLES = 4000
_LEVEL = 0.05
_SMALLEST_P = 1e-9
# Two-sided error rates at which intervals are formed to find the one that ends at 0.
_RATES = np.union1d(np.geomspace(_SMALLEST_P, 0.999, 400), _LEVEL)
_NORMAL = stats.norm.ppf(1 - _RATES / 2)


@dataclass(frozen=True)
class Estimate:
    """A mean, its 95 % interval and the two-sided p-value of no difference."""

    mean: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan


def estimate_mean(values: np.ndarray, random: np.random.Generator) -> Estimate:
    """Estimate the mean of independent values by a bootstrap that suits a small number of them.

    The distances of the bootstrap's percentiles from the mean are multiplied by
    sqrt(n / (n - 1)) t / z: the plain percentile interval is that much too narrow, as it takes the
    spread over n rather than n - 1 and the normal distribution's quantile z for that of Student's t
    with n - 1 degrees of freedom (after Hesterberg 2015, 10.1080/00031305.2015.1089789, who takes
    percentiles further out instead; of three values none lies far enough out). The bootstrap knows
    how skewed the values are, but of few values no mean far out, which small p-values are about;
    so each end of the interval is that of Student's t where that is further out. The p-value is one
    minus the confidence of the interval that ends at 0, and not below 1e-9.

    One value has no interval. Values that are all the same have no spread to judge by: if they are
    0, p is 1; if not, p is that of the sign-flip test, 2 ** (1 - n).

    Parameters
    ----------
    values : numpy.ndarray, shape (n,), float
        One per recording, or per unit of a single recording.
    random : numpy.random.Generator

    Returns
    -------
    Estimate
    """
    count = len(values)
    if count == 0:
        return Estimate(np.nan)
    mean = float(values.mean())
    if count == 1:
        return Estimate(mean)
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return Estimate(mean, mean, mean, 1.0 if mean == 0.0 else 2.0 ** (1 - count))
    drawn = random.integers(count, size=(_RESAMPLES, count))
    away = np.sort(values[drawn].mean(axis=1)) - mean
    student = _student(count)
    widening = student / _NORMAL * np.sqrt(count / (count - 1))
    reach = student * values.std(ddof=1) / np.sqrt(count)
    below = mean + np.minimum(widening * np.quantile(away, _RATES / 2), -reach)
    above = mean + np.maximum(widening * np.quantile(away, 1 - _RATES / 2), reach)
    at = int(np.searchsorted(_RATES, _LEVEL))
    towards_zero = below if mean > 0 else -above
    p = np.interp(0.0, np.maximum.accumulate(towards_zero), _RATES, right=1.0)
    return Estimate(mean, float(below[at]), float(above[at]), float(p))


@cache
def _student(count: int) -> np.ndarray:
    return stats.t.ppf(1 - _RATES / 2, count - 1)
