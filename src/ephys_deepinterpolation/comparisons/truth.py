"""A sorting held against the truth: one row per true unit, and one per sorting."""

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.comparison import compare_sorter_to_ground_truth

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth, inject_spikes
from ephys_deepinterpolation.sortings import SORTED, SortingRun

_COUNTS = ("well_detected", "redundant", "overmerged", "false_positive")
_SCORES = ("accuracy", "precision", "recall")
WELL_DETECTED_SCORE = 0.8
# Lengths of a template from one to the next, for a filter to settle in between.
_SPACING = 10


def compare_with_truth(
    truth: GroundTruth, sorting: si.BaseSorting, run: SortingRun, snr: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare a sorting with the truth, through SpikeInterface's ground-truth comparison.

    All known units take part in the matching, those of the background too, so that a sorted unit
    that found a background unit is no false positive. Counts of well-detected units and the mean
    accuracy leave the background out.

    Parameters
    ----------
    truth : GroundTruth
        With or without true spikes.
    sorting : BaseSorting
        Of `run`.
    run : SortingRun
    snr : pandas.Series
        Signal-to-noise ratio of each true unit in the reference condition, by unit.

    Returns
    -------
    units : pandas.DataFrame
        One row per true unit; empty without truth.
    sortings : pandas.DataFrame
        One row.
    """
    summary = {
        "status": run.status,
        "error": run.error,
        "mode": run.mode,
        "sorted_units": len(sorting.unit_ids) if run.status in SORTED else None,
        "true_units": None,
        **dict.fromkeys(_COUNTS),
        "mean_accuracy": None,
        "seconds": run.seconds,
        "peak_memory_mb": run.peak_memory_mb,
        "deterministic": run.deterministic,
    }
    if truth.sorting is None or truth.units is None:
        return pd.DataFrame(), pd.DataFrame([summary])
    units = truth.units.drop(columns="x_um").assign(
        snr_raw=truth.units["unit"].map(snr), status=run.status
    )
    foreground = ~units["background"]
    summary["true_units"] = int(foreground.sum())
    if run.status not in SORTED:
        units = units.assign(sorted_unit=None, **dict.fromkeys(_SCORES, np.nan), well_detected=None)
        return units, pd.DataFrame([summary])
    if run.status == "empty":
        units = units.assign(sorted_unit=None, **dict.fromkeys(_SCORES, 0.0), well_detected=False)
        summary |= {**dict.fromkeys(_COUNTS, 0), "mean_accuracy": 0.0}
        return units, pd.DataFrame([summary])
    comparison = compare_sorter_to_ground_truth(
        truth.sorting, sorting, exhaustive_gt=truth.facts["exhaustive"]
    )
    performance = comparison.get_performance().astype(float).loc[units["unit"]]
    matched = comparison.hungarian_match_12.loc[units["unit"]].astype(str)
    units = units.assign(
        sorted_unit=matched.where(~matched.isin(["-1", ""]), None).to_numpy(),
        **{score: performance[score].to_numpy() for score in _SCORES},
    )
    units["well_detected"] = units["accuracy"] >= WELL_DETECTED_SCORE
    summary |= {
        "well_detected": int(units.loc[foreground, "well_detected"].sum()),
        "mean_accuracy": float(units.loc[foreground, "accuracy"].mean()),
    }
    if truth.facts["exhaustive"]:
        summary |= {
            "redundant": comparison.count_redundant_units(),
            "overmerged": comparison.count_overmerged_units(),
            "false_positive": comparison.count_false_positive_units(),
        }
    return units, pd.DataFrame([summary])


def signal_to_noise(
    templates: si.Templates, recording: si.BaseRecording, pipeline: list[dict], noise_uv: pd.Series
) -> pd.Series:
    """Peak of each true template after a pipeline, over the noise of the channel it peaks on.

    Parameters
    ----------
    templates : Templates
        Of the true units, µV, before any filter.
    recording : BaseRecording
        They are part of; for its probe.
    pipeline : list of dict
        Without a network.
    noise_uv : pandas.Series
        Noise level by channel after the same pipeline, µV.

    Returns
    -------
    pandas.Series
        By unit.

    Raises
    ------
    ValueError
        The recording is shorter than ten templates.
    """
    # As many spikes at once as the recording is long enough for.
    spacing = _SPACING * templates.templates_array.shape[1]
    at_once = recording.get_num_frames() // spacing
    if at_once == 0:
        raise ValueError(f"the recording must be at least {spacing} frames long")
    unit_ids = np.asarray(templates.unit_ids)
    peaks = np.concatenate(
        [
            _filtered_peaks(templates.select_units(some), recording, pipeline, spacing)
            for some in np.split(unit_ids, range(at_once, len(unit_ids), at_once))
        ]
    )
    noise = noise_uv.loc[recording.channel_ids.astype(str)].to_numpy()
    channel = peaks.argmax(axis=1)
    ratio = peaks[np.arange(len(peaks)), channel] / noise[channel]
    return pd.Series(ratio, index=templates.unit_ids, name="snr_raw")


def _filtered_peaks(
    templates: si.Templates, recording: si.BaseRecording, pipeline: list[dict], spacing: int
) -> np.ndarray:
    """Return the largest absolute value of each template after a pipeline: (units, channels)."""
    count = len(templates.unit_ids)
    apart = si.NumpySorting.from_samples_and_labels(
        [spacing // 2 + spacing * np.arange(count)],
        [np.asarray(templates.unit_ids)],
        templates.sampling_frequency,
        unit_ids=templates.unit_ids,
    )
    canvas = recording.frame_slice(0, spacing * count)
    spikes = inject_spikes(apart, templates.templates_array, templates.nbefore, canvas)
    traces = np.abs(apply_condition(spikes, pipeline).get_traces())
    return traces.reshape(count, spacing, -1).max(axis=1)
