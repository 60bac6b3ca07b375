"""Whether samples are white: each drawn from one normal distribution, none predicted by others."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, kstest


@dataclass(frozen=True)
class Whiteness:
    """What tests of whiteness say of a trace; see `measure_whiteness`."""

    ks_statistic: float
    ks_p: float
    ljung_box: float
    ljung_box_p: float
    largest_autocorrelation: float


def measure_whiteness(pieces: list[np.ndarray], lags: int = 20) -> Whiteness:
    """Test a trace for being Gaussian (Kolmogorov-Smirnov) and uncorrelated in time (Ljung-Box).

    Ljung and Box 1978 (10.1093/biomet/65.2.297): Q = n (n + 2) sum of r_k² / (n - k) over the lags
    k = 1 to `lags`, with the autocorrelation r_k of n samples, follows a chi-squared distribution
    of `lags` degrees of freedom if the samples are independent. The Gaussian is that of the trace's
    own mean and standard deviation, so that the p value is on the large side (Lilliefors 1967,
    10.1080/01621459.1967.10482916).

    Parameters
    ----------
    pieces : list of numpy.ndarray (frames,)
        Of one trace.
    lags : int

    Returns
    -------
    Whiteness
        ks_statistic, the largest difference of the cumulative distributions, and
        largest_autocorrelation, of all lags, in absolute value, are sizes of an effect, and do not
        depend on how many samples there are, as the p values and Q do.
    """
    centred = [np.asarray(piece, float) - np.mean(piece) for piece in pieces]
    samples = np.concatenate(centred)
    distribution = kstest(samples / samples.std(), "norm")
    count, variance = len(samples), np.mean(np.square(samples))
    steps = np.arange(1, lags + 1)
    products = [sum(piece[lag:] @ piece[:-lag] for piece in centred) for lag in steps]
    autocorrelation = np.array(products) / (count * variance)
    portmanteau = count * (count + 2) * np.sum(autocorrelation**2 / (count - steps))
    return Whiteness(
        float(distribution.statistic),
        float(distribution.pvalue),
        float(portmanteau),
        float(chi2.sf(portmanteau, lags)),
        float(np.abs(autocorrelation).max()),
    )
