"""Quality metrics of spike trains on a recording."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.core.node_pipeline import SpikeRetriever, run_node_pipeline
from spikeinterface.core.waveform_tools import estimate_templates_with_accumulator
from spikeinterface.curation import remove_excess_spikes
from spikeinterface.metrics.quality.misc_metrics import amplitude_cutoff
from spikeinterface.postprocessing.spike_amplitudes import SpikeAmplitudeNode

MAXIMUM_ISI_VIOLATIONS = 0.5
MAXIMUM_AMPLITUDE_CUTOFF = 0.1
MINIMUM_PRESENCE = 0.95
METRICS = [
    *("spikes", "firing_rate_hz", "snr", "peak_uv", "noise_uv"),
    *("amplitude_cutoff", "isi_violations_ratio", "presence_ratio", "passes"),
]
_WINDOW_MS = (1.0, 1.0)
_PRESENCE_BIN_S = 60.0
_PRESENCE_BINS = 10
_AMPLITUDE_BINS = 50
_AMPLITUDES_PER_BIN = 2
_UNITS_AT_ONCE = 1000
_STREAM = {"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False}


def measure_quality(
    recording: si.BaseRecording, noise_uv: pd.Series, sortings: Sequence[si.BaseSorting]
) -> list[pd.DataFrame]:
    """Measure the quality of every unit of several sortings of one recording.

    All spikes of a unit are averaged, so that the same spikes on the same traces always give the
    same numbers. The recording is read twice for every 1000 units, in chunks of a second.

    Parameters
    ----------
    recording : BaseRecording
        µV.
    noise_uv : pandas.Series
        Noise level by channel, µV.
    sortings : sequence of BaseSorting
        Spikes beyond the end of the recording are left out.

    Returns
    -------
    list of pandas.DataFrame
        For each sorting one row per unit that has spikes: unit (str), spikes, firing_rate_hz, snr
        (peak_uv / noise_uv), peak_uv (largest absolute value of the average spike within 1 ms,
        µV), noise_uv (of the channel that it lies on), amplitude_cutoff (share of spikes missing
        below the smallest; Hill et al. 2011, 10.1523/JNEUROSCI.0971-11.2011; NaN below 100 spikes),
        isi_violations_ratio (rate of the spikes that make intervals below 1.5 ms, over the unit's;
        there too), presence_ratio (share of bins of a minute, or a tenth of the recording if
        shorter, that hold a spike), and passes: less than 0.5 violations, a cutoff below 0.1 and a
        presence above 0.95 (Lecoq et al. 2021, 10.1038/s41592-021-01285-2), NA where one of them
        is not known.
    """
    kept = [remove_excess_spikes(sorting, recording).remove_empty_units() for sorting in sortings]
    counts = [len(sorting.unit_ids) for sorting in kept]
    together = si.aggregate_units(kept, renamed_unit_ids=list(range(sum(counts))))
    batches = [
        _measure_batch(
            recording,
            noise_uv,
            together.select_units(together.unit_ids[first : first + _UNITS_AT_ONCE]),
        )
        for first in range(0, sum(counts), _UNITS_AT_ONCE)
    ]
    measured = pd.concat(batches, ignore_index=True) if batches else pd.DataFrame(columns=METRICS)
    ends = np.cumsum(counts)
    return [
        measured.iloc[end - count : end]
        .reset_index(drop=True)
        .assign(unit=[str(unit) for unit in sorting.unit_ids])[["unit", *METRICS]]
        for sorting, count, end in zip(kept, counts, ends, strict=True)
    ]


def _measure_batch(
    recording: si.BaseRecording, noise_uv: pd.Series, sorting: si.BaseSorting
) -> pd.DataFrame:
    before, after = (round(each * recording.get_sampling_frequency() / 1000) for each in _WINDOW_MS)
    averages = estimate_templates_with_accumulator(
        recording, sorting.to_spike_vector(), sorting.unit_ids, before, after, **_STREAM
    )
    size = np.abs(averages)
    channels = size.max(axis=1).argmax(axis=1)
    at_channel = np.take_along_axis(size, channels[:, None, None], axis=2)[..., 0]
    sorting.set_property("main_channel_id", recording.channel_ids[channels])
    shifts = at_channel.argmax(axis=1) - before
    bin_s = min(_PRESENCE_BIN_S, recording.get_total_duration() / _PRESENCE_BINS)
    analyzer = si.create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.compute(
        "quality_metrics",
        metric_names=["num_spikes", "firing_rate", "isi_violation", "presence_ratio"],
        metric_params={"presence_ratio": {"bin_duration_s": bin_s}},
    )
    metrics = analyzer.get_extension("quality_metrics").get_data().reset_index(drop=True)
    table = pd.DataFrame(
        {
            "spikes": metrics["num_spikes"].astype(int),
            "firing_rate_hz": metrics["firing_rate"].astype(float),
            "peak_uv": at_channel.max(axis=1).astype(float),
            "noise_uv": noise_uv.loc[recording.channel_ids.astype(str)].to_numpy()[channels],
            "amplitude_cutoff": _amplitude_cutoffs(recording, sorting, shifts),
            "isi_violations_ratio": metrics["isi_violations_ratio"].astype(float),
            "presence_ratio": metrics["presence_ratio"].astype(float),
        }
    )
    return table.assign(snr=table["peak_uv"] / table["noise_uv"], passes=_passes(table))


def _amplitude_cutoffs(
    recording: si.BaseRecording, sorting: si.BaseSorting, shifts: np.ndarray
) -> list[float]:
    """Of the values at each unit's main channel, `shifts` frames after each spike."""
    spikes = SpikeRetriever(sorting, recording)
    amplitudes = SpikeAmplitudeNode(
        recording, parents=[spikes], peak_shifts=dict(zip(sorting.unit_ids, shifts, strict=True))
    )
    values = run_node_pipeline(recording, [spikes, amplitudes], _STREAM)
    units = sorting.to_spike_vector()["unit_index"]
    of_unit = [values[units == index] for index in range(len(sorting.unit_ids))]
    return [
        amplitude_cutoff(
            each * np.sign(np.median(each)),
            num_histogram_bins=_AMPLITUDE_BINS,
            amplitudes_bins_min_ratio=_AMPLITUDES_PER_BIN,
        )
        for each in of_unit
    ]


def _passes(table: pd.DataFrame) -> pd.Series:
    passes = (
        (table["isi_violations_ratio"] < MAXIMUM_ISI_VIOLATIONS)
        & (table["amplitude_cutoff"] < MAXIMUM_AMPLITUDE_CUTOFF)
        & (table["presence_ratio"] > MINIMUM_PRESENCE)
    ).astype("boolean")
    known = table[["isi_violations_ratio", "amplitude_cutoff", "presence_ratio"]].notna()
    return passes.where(known.all(axis=1), pd.NA)
