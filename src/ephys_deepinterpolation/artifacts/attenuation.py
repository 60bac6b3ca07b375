"""What a condition did to the average spike of each true unit: lost, moved, or drawn elsewhere."""

import numpy as np
import pandas as pd
import spikeinterface as si
from scipy.signal import resample
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.averages import average_spikes, choose_spikes
from ephys_deepinterpolation.ground_truth.noise import SumRecording

WINDOW_MS = 5.0
SPIKE_MS = 1.5
_FOOTPRINT = 0.1
_LARGEST_SHIFT_MS = 0.25
_UPSAMPLING = 32
_LEAST_FOR_WIDTH = 10.0
_FEWEST_SPIKES = 4


def measure_attenuation(
    truth: GroundTruth, condition: si.BaseRecording, pipeline: list[dict], seed: int
) -> pd.DataFrame:
    """Hold the average of each true unit's spikes in a condition against what it should be.

    At most 500 spikes of a unit are averaged in a window of 5 ms to each side: on the condition's
    output; on the noise-free spikes of all units, as the reference condition shows them (expected);
    and on the difference of output and reference. Expected and difference together are what the
    condition made of the spike, with less noise than the output.

    A phantom is what is in the output beyond what is expected: the size of expected and difference
    together, less that of the expected, so that a loss is none. It is looked for where the average
    of every other spike shows most of it, and measured there on the spikes in between, and the
    other way round; the mean of both is zero, on average, where there is only noise.

    Parameters
    ----------
    truth : GroundTruth
    condition : BaseRecording
        The condition's output, µV.
    pipeline : list of dict
        Of the reference condition; linear.
    seed : int
        Chooses the spikes, the same ones in every condition.

    Returns
    -------
    pandas.DataFrame
        One row per true unit: unit, background, peak_uv, width_ms where the truth says it,
        firing_rate_hz, spikes, depth_um; expected_peak_uv, the largest absolute value of the
        expected average; kept_peak, the output's average there over it, with standard_error_uv of
        that average; kept_width, the width at half of the peak on the same channel, output over
        expected, empty unless the output's peak is ten standard errors;
        cosine between both averages where the expected one exceeds a tenth of its peak; shift_us,
        how much later the output's comes, on the channels of the footprint; leak_uv, the largest
        phantom on other channels within 1.5 ms, at leak_distance_um from the channel of the peak;
        echo_uv, the largest on any channel before or after that, at echo_lag_ms; both with their
        standard errors. The footprint are the channels where the expected average exceeds a tenth
        of its peak. No rows without known spikes.
    """
    if truth.sorting is None or truth.templates is None or truth.units is None:
        return pd.DataFrame()
    frequency = condition.get_sampling_frequency()
    before = round(WINDOW_MS * frequency / 1000.0)
    window = (before, before + 1)
    frames = [condition.get_num_samples(each) for each in range(condition.get_num_segments())]
    spikes = choose_spikes(truth.sorting, seed, frames, before + 1)
    units = len(truth.sorting.unit_ids)
    counts = np.bincount(spikes["unit_index"], minlength=units)

    expected, _ = average_spikes(spikes, units, apply_condition(truth.spikes(), pipeline), window)
    output, deviations = average_spikes(spikes, units, condition, window)
    reference = apply_condition(truth.recording, pipeline)
    difference = SumRecording([condition, scale(reference, gain=-1.0, dtype="float32")])
    halves = _halve(spikes, units)
    parted, parted_deviations = average_spikes(halves, 2 * units, difference, window)
    parted_counts = np.bincount(halves["unit_index"], minlength=2 * units)

    positions = condition.get_channel_locations()
    times_ms = (np.arange(2 * before + 1) - before) * 1000.0 / frequency
    rows: list[dict[str, float]] = []
    for unit in range(units):
        if counts[unit] < _FEWEST_SPIKES:
            rows.append({})
            continue
        of_halves = slice(2 * unit, 2 * unit + 2)
        errors = parted_deviations[of_halves] / np.sqrt(parted_counts[of_halves, None, None])
        rows.append(
            _compare(
                expected[unit], output[unit], deviations[unit] / np.sqrt(counts[unit]), times_ms
            )
            | _phantoms(expected[unit], parted[of_halves], errors, times_ms, positions)
        )
    known = ["unit", "background", "peak_uv", "width_ms", "firing_rate_hz", "spikes", "depth_um"]
    kept = [name for name in known if name in truth.units]
    return truth.units[kept].reset_index(drop=True).assign(**pd.DataFrame(rows))


def _halve(spikes: np.ndarray, units: int) -> np.ndarray:
    """Make two units of each: its first, third, ... spike, and those in between."""
    halves = spikes.copy()
    for unit in range(units):
        own = np.flatnonzero(spikes["unit_index"] == unit)
        halves["unit_index"][own] = 2 * unit + np.arange(len(own)) % 2
    return halves


def _compare(
    expected: np.ndarray, output: np.ndarray, errors: np.ndarray, times_ms: np.ndarray
) -> dict[str, float]:
    """Compare two averages (frames, channels) around the spike."""
    near = np.abs(times_ms) <= SPIKE_MS
    expected, output, errors, times_ms = expected[near], output[near], errors[near], times_ms[near]
    sizes = np.abs(expected)
    frame, channel = np.unravel_index(sizes.argmax(), sizes.shape)
    peak, error = expected[frame, channel], errors[frame, channel]
    large = sizes > _FOOTPRINT * sizes.max()
    footprint = large.any(axis=0)
    norms = np.linalg.norm(expected[large]) * np.linalg.norm(output[large])
    step_ms = times_ms[1] - times_ms[0]
    clear = output[frame, channel] * np.sign(peak) > _LEAST_FOR_WIDTH * error
    return {
        "expected_peak_uv": float(abs(peak)),
        "kept_peak": float(output[frame, channel] / peak) if peak else np.nan,
        "standard_error_uv": float(error),
        "kept_width": _half_width(output[:, channel] * np.sign(peak))
        / _half_width(expected[:, channel] * np.sign(peak))
        if clear
        else np.nan,
        "cosine": float((expected[large] * output[large]).sum() / norms) if norms else np.nan,
        "shift_us": 1000.0 * _shift_ms(expected[:, footprint], output[:, footprint], step_ms),
    }


def _half_width(trace: np.ndarray) -> float:
    """Measure how long a trace is above half of its largest value around it, in frames."""
    fine = resample(trace, len(trace) * _UPSAMPLING)
    peak = int(fine.argmax())
    low = np.flatnonzero(fine < fine[peak] / 2)
    before, after = low[low < peak], low[low > peak]
    if len(before) == 0 or len(after) == 0:
        return np.nan
    return float(after[0] - before[-1] - 1) / _UPSAMPLING


def _shift_ms(expected: np.ndarray, output: np.ndarray, step_ms: float) -> float:
    """Find the delay of the output (frames, channels) at which it correlates best, all in all."""
    frames = 2 * len(expected)
    spectra = np.fft.rfft(output, frames, axis=0) * np.fft.rfft(expected, frames, axis=0).conj()
    correlation = np.fft.irfft(spectra.sum(axis=1), frames * _UPSAMPLING)
    reach = round(_LARGEST_SHIFT_MS / step_ms * _UPSAMPLING)
    lags = np.arange(-reach, reach + 1)
    return float(lags[correlation[lags].argmax()] * step_ms / _UPSAMPLING)


def _phantoms(
    expected: np.ndarray,
    parted: np.ndarray,
    errors: np.ndarray,
    times_ms: np.ndarray,
    positions: np.ndarray,
) -> dict[str, float]:
    """Find what a condition adds, outside of the spike's channels and outside of its time.

    Parameters
    ----------
    expected : numpy.ndarray (frames, channels)
    parted, errors : numpy.ndarray (2, frames, channels)
        Averages of output minus reference over two halves of the spikes, with standard errors.
    times_ms : numpy.ndarray (frames,)
    positions : numpy.ndarray (channels, 2)
        µm.
    """
    near = np.abs(times_ms) <= SPIKE_MS
    largest = np.abs(expected[near]).max(axis=0)
    elsewhere = largest <= _FOOTPRINT * largest.max()
    leak, leak_error, (_, channel) = _phantom(
        expected, parted, errors, near[:, None] & elsewhere[None]
    )
    echo, echo_error, (frame, _) = _phantom(
        expected, parted, errors, np.broadcast_to(~near[:, None], expected.shape)
    )
    distance = np.linalg.norm(positions[channel] - positions[largest.argmax()])
    return {
        "leak_uv": leak,
        "leak_distance_um": float(distance) if np.abs(leak) > 0 else np.nan,
        "leak_standard_error_uv": leak_error,
        "echo_uv": echo,
        "echo_lag_ms": float(times_ms[frame]) if np.abs(echo) > 0 else np.nan,
        "echo_standard_error_uv": echo_error,
    }


def _phantom(
    expected: np.ndarray, parted: np.ndarray, errors: np.ndarray, where: np.ndarray
) -> tuple[float, float, tuple[int, int]]:
    """Measure the largest phantom in a region: its size, standard error, and frame and channel."""
    if not where.any():
        return np.nan, np.nan, (0, 0)

    def largest(difference):
        added = np.abs(expected + difference) - np.abs(expected)
        place = np.unravel_index(np.where(where, added, -np.inf).argmax(), added.shape)
        return int(place[0]), int(place[1])

    sizes, variances = [], []
    for searched, measured in ((0, 1), (1, 0)):
        place = largest(parted[searched])
        sign = np.sign(expected[place] + parted[searched][place])
        sizes.append(sign * (expected[place] + parted[measured][place]) - abs(expected[place]))
        variances.append(errors[measured][place] ** 2)
    error = float(np.sqrt(np.sum(variances)) / 2)
    return float(np.mean(sizes)), error, largest(parted.mean(axis=0))
