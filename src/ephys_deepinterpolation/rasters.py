"""Spikes of a short window, true and sorted, to draw."""

from __future__ import annotations

import pandas as pd
import spikeinterface as si

_WINDOW_MS = 1000.0


def cut_raster(
    sorting: si.BaseSorting,
    num_frames: int,
    true_units: pd.Series | None = None,
) -> pd.DataFrame:
    """Take the spikes of all units in the middle of a recording, one row per spike.

    Parameters
    ----------
    sorting : BaseSorting
        True or sorted units.
    num_frames : int
        Of the recording.
    true_units : Series, optional
        The true unit that each sorted unit was matched to, by sorted unit as text.

    Returns
    -------
    DataFrame
        `unit` and `true_unit` as text, the latter empty where there is none; `time_ms` from the
        start of the window.
    """
    frequency = sorting.get_sampling_frequency()
    frames = min(num_frames, round(_WINDOW_MS * frequency / 1000.0))
    start = (num_frames - frames) // 2
    spikes = sorting.to_spike_vector()
    inside = spikes[(spikes["sample_index"] >= start) & (spikes["sample_index"] < start + frames)]
    unit = pd.Series([str(name) for name in sorting.unit_ids], dtype="object")
    table = pd.DataFrame(
        {
            "unit": unit.iloc[inside["unit_index"]].to_numpy(),
            "time_ms": (inside["sample_index"] - start) * 1000.0 / frequency,
        }
    )
    matched = pd.Series(dtype="object") if true_units is None else true_units
    return table.assign(true_unit=table["unit"].map(matched).astype("object"))
