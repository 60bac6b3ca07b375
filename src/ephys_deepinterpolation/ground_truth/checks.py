"""Whether a ground truth holds what it says: measured on its recording, beside what is asked."""

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.signal import welch
from spikeinterface.preprocessing import highpass_filter, scale_to_uV

from ephys_deepinterpolation.ground_truth.averages import average_spikes, choose_spikes
from ephys_deepinterpolation.ground_truth.base import GroundTruth

_EXCERPTS = 10
_EXCERPT_S = 1.0
_SPECTRUM_FRAMES = 4096
_HIGHPASS_HZ = 300.0


def measure_true_units(truth: GroundTruth, seed: int) -> pd.DataFrame:
    """Hold each true unit's spikes in the recording against what they should be.

    At most 500 spikes of a unit, drawn at random, are averaged on the recording, and on the
    noise-free spikes of all units, which move and vary as the truth says. Both are high-passed at
    300 Hz, or slow waves would drown the comparison.

    Parameters
    ----------
    truth : GroundTruth
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row per unit outside the background: the columns of `GroundTruth.units`, and
        expected_peak_uv, the largest absolute value of the noise-free average; average_peak_uv,
        the value of the recording's average there, in the same sense, with its standard_error_uv;
        average_cosine, the cosine between both averages over the frames and channels where the
        expected one exceeds a tenth of its peak; shortest_interval_ms between two spikes. No rows
        without known spikes.
    """
    if truth.sorting is None or truth.templates is None or truth.units is None:
        return pd.DataFrame()
    asked = ~truth.units["background"].to_numpy(bool)
    sorting = truth.sorting.select_units(truth.sorting.unit_ids[asked])
    spikes = choose_spikes(sorting, seed)
    units = len(sorting.unit_ids)
    window = (truth.templates.nbefore, truth.templates.nafter)
    (expected, _), (averages, deviations) = (
        average_spikes(
            spikes, units, highpass_filter(each, freq_min=_HIGHPASS_HZ, dtype="float32"), window
        )
        for each in (truth.spikes(), scale_to_uV(truth.recording))
    )
    averaged = np.sqrt(np.clip(np.bincount(spikes["unit_index"], minlength=units), 1, None))
    rows = []
    for wanted, average, deviation, root in zip(
        expected, averages, deviations, averaged, strict=True
    ):
        peak = np.unravel_index(np.abs(wanted).argmax(), wanted.shape)
        large = np.abs(wanted) > 0.1 * np.abs(wanted[peak])
        norm = np.linalg.norm(average[large]) * np.linalg.norm(wanted[large])
        rows.append(
            {
                "expected_peak_uv": abs(wanted[peak]),
                "average_peak_uv": average[peak] * np.sign(wanted[peak]),
                "standard_error_uv": deviation[peak] / root,
                "average_cosine": (average[large] * wanted[large]).sum() / norm if norm else np.nan,
            }
        )
    return (
        truth.units[asked]
        .reset_index(drop=True)
        .assign(**pd.DataFrame(rows), shortest_interval_ms=_shortest_intervals_ms(sorting))
    )


def measure_spectra(truth: GroundTruth, seed: int) -> pd.DataFrame:
    """Power spectral density of the recording and of each part it is the sum of.

    Welch's method on excerpts of a second, the same ones for all parts; median over channels.

    Returns
    -------
    pandas.DataFrame
        part (`recording` for the whole), frequency_hz, density_uv2_per_hz.
    """
    tables = []
    for name, part in {"recording": truth.recording, **truth.parts()}.items():
        frames = min(part.get_num_frames(0), round(_EXCERPT_S * part.get_sampling_frequency()))
        starts = np.random.default_rng(seed).integers(
            part.get_num_frames(0) - frames + 1, size=_EXCERPTS
        )
        densities = []
        for start in starts:
            traces = part.get_traces(0, start, start + frames, return_in_uV=True)
            frequencies, density = welch(
                traces, part.get_sampling_frequency(), nperseg=min(frames, _SPECTRUM_FRAMES), axis=0
            )
            densities.append(np.median(density, axis=1))
        tables.append(
            pd.DataFrame(
                {
                    "part": name,
                    "frequency_hz": frequencies[1:-1],
                    "density_uv2_per_hz": np.mean(densities, axis=0)[1:-1],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def cut_excerpt(truth: GroundTruth, duration_ms: float = 100.0, channels: int = 12) -> pd.DataFrame:
    """Cut an excerpt, high-passed at 300 Hz, around the contact of the largest true unit.

    Parameters
    ----------
    truth : GroundTruth
    duration_ms : float
        From the middle of the recording.
    channels : int
        The contacts nearest to that of the largest unit; to the middle one without units.

    Returns
    -------
    pandas.DataFrame
        One row per frame and channel: channel, x_um, depth_um, time_ms from the excerpt's start,
        trace_uv, and unit, whose spike peaks there, if one does.
    """
    recording = truth.recording
    frequency = recording.get_sampling_frequency()
    frames = min(recording.get_num_frames(0), round(duration_ms * frequency / 1000.0))
    start = (recording.get_num_frames(0) - frames) // 2
    positions = recording.get_channel_locations()
    peaks = _peak_channels(truth)
    middle = np.abs(positions[:, 1] - np.median(positions[:, 1])).argmin()
    centre = peaks.iloc[0] if len(peaks) else middle
    distances = np.linalg.norm(positions - positions[centre], axis=1)
    nearest = np.argsort(distances, kind="stable")[:channels]
    chosen = nearest[np.lexsort((positions[nearest, 0], positions[nearest, 1]))]
    filtered = highpass_filter(scale_to_uV(recording), freq_min=_HIGHPASS_HZ, dtype="float32")
    traces = filtered.get_traces(0, start, start + frames)[:, chosen]
    spikes = np.full((frames, len(chosen)), "", dtype=object)
    for unit, channel in peaks.items():
        column = np.flatnonzero(chosen == channel)
        train = _spike_train(truth, unit, start, start + frames)
        spikes[np.ix_(train - start, column)] = str(unit)
    return pd.DataFrame(
        {
            "channel": np.repeat(recording.channel_ids[chosen].astype(str), frames),
            "x_um": np.repeat(positions[chosen, 0], frames),
            "depth_um": np.repeat(positions[chosen, 1], frames),
            "time_ms": np.tile(np.arange(frames) * 1000.0 / frequency, len(chosen)),
            "trace_uv": traces.T.ravel().astype(np.float32),
            "unit": spikes.T.ravel(),
        }
    )


def _peak_channels(truth: GroundTruth) -> pd.Series:
    """Index of the channel of each true unit's peak, largest unit first."""
    if truth.sorting is None or truth.templates is None or truth.units is None:
        return pd.Series(dtype=int)
    largest = np.abs(truth.templates.templates_array).max(axis=1)
    table = truth.units.assign(channel=largest.argmax(axis=1))
    asked = table[~table["background"]].sort_values("peak_uv", ascending=False, kind="stable")
    return asked.set_index("unit")["channel"]


def _spike_train(truth: GroundTruth, unit: object, start: int, end: int) -> np.ndarray:
    assert truth.sorting is not None
    return np.asarray(truth.sorting.get_unit_spike_train(unit, 0, start, end))


def _shortest_intervals_ms(sorting: si.BaseSorting) -> list[float]:
    shortest = []
    for unit in sorting.unit_ids:
        intervals = np.concatenate(
            [
                np.diff(sorting.get_unit_spike_train(unit, segment))
                for segment in range(sorting.get_num_segments())
            ]
        )
        frames = intervals.min() if len(intervals) else np.nan
        shortest.append(float(frames) * 1000.0 / sorting.get_sampling_frequency())
    return shortest
