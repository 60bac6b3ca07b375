"""Surrogates: noise of any length after that of a real recording, with units put into it."""

from importlib.metadata import version

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.signal import welch
from spikeinterface.preprocessing import astype, scale

from ephys_deepinterpolation.ground_truth.base import GroundTruth, remainder
from ephys_deepinterpolation.ground_truth.donors import generator_placing
from ephys_deepinterpolation.ground_truth.injection import add_to, draw_places, make_units
from ephys_deepinterpolation.ground_truth.spectra import (
    FilteredNoiseRecording,
    estimate_noise_filters,
    highpassed,
    spread_excerpts,
    without_spikes,
)
from ephys_deepinterpolation.seeds import derive_seed

_NOISE = "surrogate"
_SPECTRUM_FRAMES = 2048
_PAIRS = 1000


def generate_surrogate(
    original: si.BaseRecording,
    duration_s: float,
    units: dict,
    seed: int,
    channels: int | None = None,
) -> GroundTruth:
    """Make noise with the cross-spectral density of a recording, and put units into it.

    Parameters
    ----------
    original : BaseRecording
        A real recording, with probe and gains to µV, not filtered. Spikes that are detected in it
        are left out of the estimate, see `spectra.without_spikes`; smaller ones are part of it.
    duration_s : float
        Of the surrogate.
    units : dict
        `number`; `peak_uv` and `firing_rate_hz`, as for `make_units`; maybe `depth_um`, as for
        `draw_places`, and `width_ms`, as for `generator_placing`.
    seed : int
        All random draws derive from it.
    channels : int, optional
        How many of the original's channels, see `first_channels`; all by default.

    Returns
    -------
    GroundTruth
        Of 16-bit integers and with the gains of the original. Not exhaustive: a crowd of small
        spikes comes back as Gaussian noise, but nobody has counted it.

    Raises
    ------
    ValueError
        The original is too short, or has no contact at the depths asked for.
    """
    original = first_channels(original, channels)
    filters = estimate_noise_filters(original, derive_seed(seed, "estimate"))
    canvas = _canvas(original, duration_s)
    noise = FilteredNoiseRecording(filters, canvas, derive_seed(seed, "noise"))
    places = draw_places(
        canvas.get_channel_locations(),
        units["number"],
        units.get("depth_um"),
        derive_seed(seed, "places"),
    )
    placing = generator_placing(
        canvas.get_channel_locations(),
        canvas.get_sampling_frequency(),
        units["number"],
        units.get("width_ms"),
        derive_seed(seed, "templates"),
    )
    injected = make_units(
        canvas, placing, places, units["peak_uv"], units["firing_rate_hz"], derive_seed(seed)
    )
    spikes = injected.spikes(canvas)
    recording = add_to(_as_integers_like(original, noise), spikes)
    return GroundTruth(
        recording=recording,
        sorting=injected.sorting,
        templates=injected.templates,
        units=injected.units,
        noise={_NOISE: remainder(recording, spikes)},
        facts={
            "kind": "surrogate",
            "exhaustive": False,
            "seed": seed,
            "remainder": _NOISE,
            "original": {
                "seconds": original.get_total_duration(),
                "channels": original.get_num_channels(),
            },
            "versions": {"spikeinterface": version("spikeinterface")},
        },
    )


def _canvas(original: si.BaseRecording, duration_s: float) -> si.BaseRecording:
    """Zeros on the channels of a recording, for another duration."""
    frequency = original.get_sampling_frequency()
    canvas = si.generate_recording(
        num_channels=original.get_num_channels(),
        sampling_frequency=frequency,
        # Half a frame more, so that none is lost.
        durations=[(round(duration_s * frequency) + 0.5) / frequency],
        set_probe=False,
        seed=0,
    )
    canvas = canvas.rename_channels(original.channel_ids)
    original.copy_metadata(canvas)
    canvas.set_channel_gains(1.0)
    canvas.set_channel_offsets(0.0)
    return canvas


def _as_integers_like(original: si.BaseRecording, noise: si.BaseRecording) -> si.BaseRecording:
    gains = original.get_channel_gains()
    integers = astype(scale(noise, gain=1 / gains, dtype="float32"), "int16", round=True)
    integers.set_channel_gains(gains)
    integers.set_channel_offsets(0.0)
    return integers


def first_channels(recording: si.BaseRecording, channels: int | None) -> si.BaseRecording:
    """Keep some channels, counted from the tip of the first shank; all when None.

    Raises
    ------
    ValueError
        There are fewer.
    """
    if channels is None:
        return recording
    if channels > recording.get_num_channels():
        raise ValueError(
            f"the recording has {recording.get_num_channels()} channels, not {channels}"
        )
    positions = recording.get_channel_locations()
    shanks = recording.get_probe().shank_ids
    shanks = np.zeros(len(positions)) if shanks is None else shanks
    order = np.lexsort((positions[:, 0], positions[:, 1], shanks))
    return recording.select_channels(recording.channel_ids[np.sort(order[:channels])])


def measure_likeness(truth: GroundTruth, original: si.BaseRecording, seed: int) -> pd.DataFrame:
    """Hold the noise of a surrogate against the recording that it was made after.

    Parameters
    ----------
    truth : GroundTruth
        Of `generate_surrogate`.
    original : BaseRecording
        With at least the channels of the surrogate; taken without its spikes.
    seed : int
        Decides what takes the place of a spike, and which pairs of channels are shown.

    Returns
    -------
    pandas.DataFrame
        measure, x, original, surrogate. `spectrum`: median power spectral density over channels
        (µV²/Hz) at x Hz. `correlation`: mean correlation of channels x µm apart, to 20 µm;
        `covariance`: of a pair of channels x µm apart (µV²), for at most 1000 pairs; both above
        300 Hz.
    """
    original = original.select_channels(truth.recording.channel_ids)
    without = [
        without_spikes(excerpt, derive_seed(seed, index))[0]
        for index, excerpt in enumerate(spread_excerpts(original))
    ]
    made = [excerpt.get_traces() for excerpt in spread_excerpts(truth.noise[_NOISE])]
    positions, frequency = original.get_channel_locations(), original.get_sampling_frequency()
    first = _summarise(without, positions, frequency, seed)
    second = _summarise(made, positions, frequency, seed)
    return first.rename(columns={"value": "original"}).assign(surrogate=second["value"])


def _summarise(
    pieces: list[np.ndarray], positions: np.ndarray, frequency: float, seed: int
) -> pd.DataFrame:
    densities = [welch(piece, frequency, nperseg=_SPECTRUM_FRAMES, axis=0) for piece in pieces]
    median = np.median(np.mean([density for _, density in densities], axis=0), axis=1)
    covariance = np.mean(
        [np.cov(highpassed(piece, frequency), rowvar=False) for piece in pieces], axis=0
    )
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.where(deviations > 0, np.outer(deviations, deviations), np.nan)
    one, other = np.triu_indices(len(positions), k=1)
    distances = np.linalg.norm(positions[one] - positions[other], axis=1)
    near = pd.Series(correlation[one, other]).groupby(20 * np.ceil(distances / 20)).mean()
    shown = np.sort(np.random.default_rng(seed).permutation(len(one))[:_PAIRS])
    tables = {
        "spectrum": (densities[0][0][1:-1], median[1:-1]),
        "correlation": (near.index.to_numpy(), near.to_numpy()),
        "covariance": (distances[shown], covariance[one, other][shown]),
    }
    return pd.concat(
        [
            pd.DataFrame({"measure": measure, "x": x, "value": values})
            for measure, (x, values) in tables.items()
        ],
        ignore_index=True,
    )
