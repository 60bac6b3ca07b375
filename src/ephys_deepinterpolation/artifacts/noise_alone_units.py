"""Units that a sorter found in noise alone: each of them was invented."""

import numpy as np
import spikeinterface as si

from ephys_deepinterpolation.sortings import SORTED, SortingRun


def count_invented(sorting: si.BaseSorting, run: SortingRun, seconds: float) -> dict:
    """Say what a sorter found in noise alone.

    Parameters
    ----------
    sorting : BaseSorting
    run : SortingRun
        How the sorting went.
    seconds : float
        Duration of the noise.

    Returns
    -------
    dict
        status, error, sorted_units, spikes, seconds (of noise). Of a sorting that came to no end
        there is no number of units and spikes.
    """
    ended = run.status in SORTED
    return {
        "status": run.status,
        "error": run.error,
        "sorted_units": len(sorting.unit_ids) if ended else np.nan,
        "spikes": sorting.count_total_num_spikes() if ended else np.nan,
        "seconds": seconds,
    }
