"""What a condition took away from each channel, and whether that was noise."""

from dataclasses import asdict
from operator import attrgetter

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.signal import welch

from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.excerpts import Excerpt
from ephys_deepinterpolation.artifacts.whiteness import Whiteness, measure_whiteness

_INDEPENDENT = "independent"
# A copy of the input, filtered in other chunks, is still a copy.
_NOTHING = 1e-3
_UNKNOWN = Whiteness(*[np.nan] * 5)
_CORRELATIONS = ("known_noise_correlation", "independent_noise_correlation")
_TRACES = ("reference", "output", "removed")
_SPECTRUM_FRAMES = 1024
_BIN_UM, _FARTHEST_UM = 20.0, 200.0


def residual(excerpts: list[Excerpt], condition: si.BaseRecording) -> pd.DataFrame:
    """Measure what a condition took away from each channel: reference minus output.

    Parameters
    ----------
    excerpts : list of Excerpt
    condition : BaseRecording
        For its contacts.

    Returns
    -------
    pandas.DataFrame
        One row per channel: where it lies, see `contacts`; removed_uv, standard deviation;
        known_noise_correlation and independent_noise_correlation, of what was removed with the sum
        of all known parts of the noise and with the independent one; kept_input, the regression of
        the output on the input away from spikes, 1 for a copy; and, see `Whiteness`, ks_statistic,
        ks_p, ljung_box, ljung_box_p, largest_autocorrelation. Empty values where nothing was
        removed, or where the noise is not known.
    """
    all_removed = [excerpt.removed for excerpt in excerpts]
    rows = []
    for channel in range(condition.get_num_channels()):
        pieces = [removed[:, channel] for removed in all_removed]
        removed = np.concatenate(pieces)
        reference = np.concatenate([excerpt.reference[:, channel] for excerpt in excerpts])
        something = removed.std() > _NOTHING * reference.std()
        rows.append(
            {
                "removed_uv": removed.std(),
                "known_noise_correlation": _correlation(removed, _noise(excerpts, channel)),
                "independent_noise_correlation": _correlation(
                    removed, _noise(excerpts, channel, [_INDEPENDENT])
                ),
                "kept_input": _kept_input(excerpts, channel),
                **asdict(measure_whiteness(pieces) if something else _UNKNOWN),
            }
        )
        if not something:
            rows[-1] |= dict.fromkeys(_CORRELATIONS, np.nan)
    return contacts(condition).assign(**pd.DataFrame(rows))


def _noise(excerpts: list[Excerpt], channel: int, names: list[str] | None = None) -> np.ndarray:
    """Sum of parts of the noise on a channel, all by default; zero where they are not known."""
    wanted = excerpts[0].parts if names is None else set(names) & set(excerpts[0].parts)
    return np.concatenate(
        [
            sum((each.parts[name][:, channel] for name in wanted), np.zeros(len(each.reference)))
            for each in excerpts
        ]
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.std() == 0 or other.std() == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _kept_input(excerpts: list[Excerpt], channel: int) -> float:
    """Regress the output on the input where no spike is near."""
    inputs, outputs = (
        np.concatenate([traces(each)[each.quiet[:, channel], channel] for each in excerpts])
        for traces in (attrgetter("reference"), attrgetter("output"))
    )
    if len(inputs) == 0 or inputs.std() == 0:
        return np.nan
    return float(np.cov(inputs, outputs, bias=True)[0, 1] / inputs.var())


def residual_spectra(excerpts: list[Excerpt], sampling_frequency: float) -> pd.DataFrame:
    """Power spectral density of the reference, of the output, and of what was removed.

    Welch's method with windows of 1024 frames; median over channels.

    Returns
    -------
    pandas.DataFrame
        trace (`reference`, `output`, `removed`), frequency_hz, density_uv2_per_hz.
    """
    tables = []
    for name in _TRACES:
        densities = []
        for excerpt in excerpts:
            traces = getattr(excerpt, name)
            frequencies, density = welch(
                traces, sampling_frequency, nperseg=min(len(traces), _SPECTRUM_FRAMES), axis=0
            )
            densities.append(density)
        tables.append(
            pd.DataFrame(
                {
                    "trace": name,
                    "frequency_hz": frequencies[1:-1],
                    "density_uv2_per_hz": np.median(np.mean(densities, axis=0), axis=1)[1:-1],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def residual_covariance(excerpts: list[Excerpt], condition: si.BaseRecording) -> pd.DataFrame:
    """Covariance of channels against their distance, of the same three traces.

    Parameters
    ----------
    excerpts : list of Excerpt
    condition : BaseRecording
        For its contacts.

    Returns
    -------
    pandas.DataFrame
        trace; distance_um: 0 for a channel with itself, else the middle of a bin of 20 µm, up to
        200 µm, along one shank; correlation and covariance_uv2, medians over pairs of channels;
        pairs.
    """
    places = contacts(condition)
    positions = places[["x_um", "depth_um"]].to_numpy()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    one_shank = places["shank"].to_numpy()[:, None] == places["shank"].to_numpy()[None]
    first, second = np.nonzero(np.triu(one_shank & (distances <= _FARTHEST_UM)))
    apart = distances[first, second]
    middle = np.where(first == second, 0.0, (apart // _BIN_UM + 0.5) * _BIN_UM)
    tables = []
    for name in _TRACES:
        covariance = _covariance([getattr(excerpt, name) for excerpt in excerpts])
        deviations = np.sqrt(np.diag(covariance))
        scale = deviations[first] * deviations[second]
        pairs = pd.DataFrame(
            {
                "distance_um": middle,
                "covariance_uv2": covariance[first, second],
                "correlation": np.divide(
                    covariance[first, second],
                    scale,
                    out=np.full(len(scale), np.nan),
                    where=scale > 0,
                ),
            }
        )
        binned = pairs.groupby("distance_um")
        tables.append(
            binned[["correlation", "covariance_uv2"]]
            .median()
            .assign(pairs=binned.size(), trace=name)
            .reset_index()
        )
    return pd.concat(tables, ignore_index=True)


def _covariance(pieces: list[np.ndarray]) -> np.ndarray:
    """Covariance of the channels over all pieces (frames, channels), each without its mean."""
    centred = [piece.astype(float) - piece.mean(axis=0) for piece in pieces]
    products = sum(piece.T @ piece for piece in centred)
    return np.asarray(products / sum(len(piece) for piece in pieces))
