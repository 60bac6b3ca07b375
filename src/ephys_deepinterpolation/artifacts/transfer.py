"""How much of the noise a condition passes, by frequency."""

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft, rfftfreq
from scipy.signal.windows import hann

from ephys_deepinterpolation.artifacts.excerpts import Excerpt

_WINDOW_MS = 8.0
_FEWEST_WINDOWS = 10
_SMALLEST_SHARE = 1e-3
_INPUT = "input"
_SINGULAR = 1e-6


def noise_transfer(excerpts: list[Excerpt], sampling_frequency: float) -> pd.DataFrame:
    """Measure by frequency how the parts of the noise, and the whole input, reach the output.

    Cross-spectra of Hann windows of 8 ms that overlap by half (Welch), each channel's from its own
    windows without a spike. The parts of the noise act as several inputs at once (Bendat and
    Piersol, Random Data, 4th ed. 2010, 10.1002/9781118032428, chapter 7); the input, which
    is their sum and what is left of the spikes, as the only one.

    Parameters
    ----------
    excerpts : list of Excerpt
    sampling_frequency : float
        Hz.

    Returns
    -------
    pandas.DataFrame
        part (a part of the noise, or `input`), frequency_hz; gain, the magnitude of the median
        over channels of the transfer function, 1 kept and 0 removed; coherence, the median over
        channels of the squared coherence of output and part. Empty values where a part has less
        than a thousandth of the input's power, where the input has less than a thousandth of its
        largest power, and where too few windows are quiet.
    """
    names = list(excerpts[0].parts)
    frames = round(_WINDOW_MS * sampling_frequency / 1000.0)
    spectra, windows = _cross_spectra(excerpts, names, frames)
    parts = slice(2, None)
    whole, output = spectra[..., 0, 0].real, spectra[..., 1, 1].real
    powers = np.diagonal(spectra, axis1=2, axis2=3).real[..., [0, *range(2, 2 + len(names))]]
    shared = spectra[..., 1, [0, *range(2, 2 + len(names))]]
    inverse = np.linalg.pinv(spectra[..., parts, parts], rcond=_SINGULAR, hermitian=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = shared[..., :1] / whole[..., None]
        together = (spectra[..., 1, None, parts] @ inverse)[..., 0, :]
        transfer = np.concatenate([alone, together], axis=-1)
        coherence = np.abs(shared) ** 2 / (powers * output[..., None])
    heard = whole > _SMALLEST_SHARE * whole.max(axis=1, keepdims=True)
    heard &= (windows >= _FEWEST_WINDOWS)[:, None]
    known = heard[..., None] & (powers > _SMALLEST_SHARE * whole[..., None])
    transfer[~known] = np.nan
    coherence[~known] = np.nan
    frequencies = rfftfreq(frames, 1 / sampling_frequency)
    # Neither the mean, which is taken out of each window, nor half the sampling rate.
    inner = slice(1, -1)
    tables = []
    for index, name in enumerate([_INPUT, *names]):
        real, imaginary = (
            pd.DataFrame(values).median().to_numpy()
            for values in (transfer[..., index].real, transfer[..., index].imag)
        )
        tables.append(
            pd.DataFrame(
                {
                    "part": name,
                    "frequency_hz": frequencies[inner],
                    "gain": np.hypot(real, imaginary)[inner],
                    "coherence": pd.DataFrame(coherence[..., index]).median()[inner],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _cross_spectra(
    excerpts: list[Excerpt], names: list[str], frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum over quiet windows of x conj(y), x and y among reference, output and the parts.

    Returns
    -------
    spectra : numpy.ndarray (channels, frequencies, 2 + parts, 2 + parts)
    windows : numpy.ndarray (channels,)
        How many are quiet.
    """
    channels = excerpts[0].reference.shape[1]
    traces = 2 + len(names)
    spectra = np.zeros((channels, frames // 2 + 1, traces, traces), complex)
    windows = np.zeros(channels, int)
    for excerpt in excerpts:
        if len(excerpt.quiet) < frames:
            continue
        quiet = np.all(_windows(excerpt.quiet, frames), axis=-1)
        each = [excerpt.reference, excerpt.output, *(excerpt.parts[name] for name in names)]
        # (channels, frequencies, traces, windows)
        values = np.stack([_spectra(trace, frames) for trace in each], axis=2)
        values *= quiet.T[:, None, None, :]
        spectra += values @ values.conj().swapaxes(2, 3)
        windows += quiet.sum(axis=0)
    return spectra, windows


def _spectra(traces: np.ndarray, frames: int) -> np.ndarray:
    """Spectra of the windows of traces, without their mean: (channels, frequencies, windows)."""
    cut = _windows(traces, frames)
    cut = (cut - cut.mean(axis=-1, keepdims=True)) * hann(frames, sym=False).astype(np.float32)
    return np.asarray(rfft(cut).transpose(1, 2, 0))


def _windows(traces: np.ndarray, frames: int) -> np.ndarray:
    """Windows that overlap by half: a view (windows, channels, frames)."""
    return sliding_window_view(traces, frames, axis=0)[:: frames // 2]
