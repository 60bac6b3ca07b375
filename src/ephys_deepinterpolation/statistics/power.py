"""How large an effect must be to be found."""

from functools import cache

import numpy as np
from scipy import optimize, stats

_LEVEL = 0.05
_WANTED = 0.8


def power(effect: float, deviation: float, count: int) -> float:
    """Tell how probably a true effect is found, by a two-sided t-test at 5 %.

    Parameters
    ----------
    effect : float
    deviation : float
        Standard deviation of the independent values.
    count : int
        Their number, at least 2.

    Returns
    -------
    float
    """
    critical = stats.t.ppf(1 - _LEVEL / 2, count - 1)
    noncentrality = abs(effect) / deviation * np.sqrt(count)
    found = stats.nct.sf(critical, count - 1, noncentrality)
    with_wrong_sign = stats.nct.cdf(-critical, count - 1, noncentrality)
    # SciPy gives NaN where the distribution lies too far beyond the critical value.
    return float(np.nan_to_num(found, nan=1.0) + np.nan_to_num(with_wrong_sign))


def detectable_effect(deviation: float, count: int) -> float:
    """Give the smallest true effect that would be found with a probability of 80 %.

    Parameters
    ----------
    deviation : float
        Standard deviation of the independent values.
    count : int
        Their number.

    Returns
    -------
    float
        In the unit of `deviation`; NaN for fewer than two values, or without a spread.
    """
    if count < 2 or not deviation > 0:
        return np.nan
    return deviation * _detectable_in_deviations(count)


@cache
def _detectable_in_deviations(count: int) -> float:
    return float(optimize.brentq(lambda effect: power(effect, 1.0, count) - _WANTED, 0.0, 20.0))
