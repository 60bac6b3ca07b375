"""Averages of true spikes."""

import numpy as np
import spikeinterface as si
from spikeinterface.core import estimate_templates_with_accumulator, random_spikes_selection

SPIKES_PER_UNIT = 500


def choose_spikes(
    sorting: si.BaseSorting, seed: int, frames: list[int] | None = None, margin: int | None = None
) -> np.ndarray:
    """Draw at most 500 spikes of each unit.

    Parameters
    ----------
    sorting : BaseSorting
    seed : int
    frames : list of int, optional
        Of each segment.
    margin : int, optional
        Frames at the ends of a segment in which no spike is chosen; none by default.

    Returns
    -------
    numpy.ndarray
        Rows of the sorting's `to_spike_vector()`.
    """
    chosen = random_spikes_selection(
        sorting,
        num_samples=frames,
        method="uniform",
        max_spikes_per_unit=SPIKES_PER_UNIT,
        margin_size=margin,
        seed=seed,
    )
    return np.asarray(sorting.to_spike_vector()[chosen])


def average_spikes(
    spikes: np.ndarray, units: int, recording: si.BaseRecording, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Average spikes on a recording, streamed in chunks.

    Parameters
    ----------
    spikes : numpy.ndarray
        As of `to_spike_vector()`; `unit_index` says which average a spike belongs to.
    units : int
        How many averages there are.
    recording : BaseRecording
        In µV.
    window : tuple of int
        Frames before and after a spike.

    Returns
    -------
    averages, deviations : numpy.ndarray (units, frames, channels)
        Standard deviations are those of single spikes; both are zero where there is no spike.
    """
    averages, deviations = estimate_templates_with_accumulator(
        recording,
        spikes,
        list(range(units)),
        *window,
        return_std=True,
        n_jobs=1,
        progress_bar=False,
    )
    return averages, deviations
