"""Whether spikes that overlap are found, and whether correlograms stay what they are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.comparison import CollisionGTComparison, compare_sorter_to_ground_truth
from spikeinterface.postprocessing import compute_correlograms

from ephys_deepinterpolation.ground_truth import GroundTruth

COLLISIONS = [
    *("lag_ms", "similarity_low", "similarity_high"),
    *("spikes", "recall", "reference_recall", "pairs"),
]
CORRELOGRAMS = [
    *("lag_ms", "kind_of", "error", "bias"),
    *("reference_error", "reference_bias", "pairs"),
]
_LARGEST_LAG_MS = 2.0
_LAG_BINS = 11
_SIMILARITY_EDGES = (-1.0, 0.25, 0.5, 0.75, 1.0)
_CORRELOGRAM_WINDOW_MS = 20.0
_CORRELOGRAM_BIN_MS = 0.5


def measure_collisions(
    truth: GroundTruth,
    sorting: si.BaseSorting,
    reference: si.BaseSorting,
    units: Sequence[str],
) -> pd.DataFrame:
    """Recall of true spikes beside which another unit fires, by lag and likeness of the two.

    Parameters
    ----------
    truth : GroundTruth
        With templates.
    sorting, reference : BaseSorting
        Of the condition and of the reference condition, by the same sorter.
    units : sequence of str
        True units that both detect well; only spikes of these that collide with another of these
        are looked at, so that what is lost is lost to the collision.

    Returns
    -------
    pandas.DataFrame
        One row per bin of lag and of similarity that holds a spike: lag_ms (how much later the
        other unit fires; the middle of the bin), similarity_low, similarity_high (cosine of both
        templates), spikes, recall, reference_recall (of the same spikes, in the reference), pairs.
        No rows of a truth in several segments.
    """
    if truth.sorting is None or truth.templates is None or len(units) < 2:
        return pd.DataFrame(columns=COLLISIONS)
    # SpikeInterface counts collisions in recordings of one segment.
    if truth.sorting.get_num_segments() > 1:
        return pd.DataFrame(columns=COLLISIONS)
    known = truth.sorting.select_units(list(units))
    templates = truth.templates.select_units(list(units)).templates_array.reshape(len(units), -1)
    directions = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    similarity = directions @ directions.T
    hits, misses, lags = _count_collisions(known, sorting)
    reference_hits, _, _ = _count_collisions(known, reference)
    spikes = hits + misses
    group = np.digitize(similarity, _SIMILARITY_EDGES[1:-1])
    rows = []
    for index, (low, high) in enumerate(pairwise(_SIMILARITY_EDGES)):
        chosen = (group == index) & ~np.eye(len(units), dtype=bool)
        for bin_index, lag in enumerate(lags):
            count = spikes[chosen, bin_index].sum()
            if not count:
                continue
            together = (spikes[..., bin_index] + spikes[..., bin_index].T > 0) & chosen
            rows.append(
                {
                    "lag_ms": lag,
                    "similarity_low": low,
                    "similarity_high": high,
                    "spikes": int(count),
                    "recall": hits[chosen, bin_index].sum() / count,
                    "reference_recall": reference_hits[chosen, bin_index].sum() / count,
                    "pairs": int(np.triu(together).sum()),
                }
            )
    return pd.DataFrame(rows, columns=COLLISIONS)


def _count_collisions(known, sorting):
    """Hits and misses (units, units, bins) of each unit's spikes beside another's, and the lags."""
    comparison = CollisionGTComparison(
        known,
        sorting,
        collision_lag=_LARGEST_LAG_MS,
        nbins=_LAG_BINS,
        progress_bar=False,
    )
    lags = 500.0 * (comparison.bins[:-1] + comparison.bins[1:]) / known.sampling_frequency
    return comparison.all_tp, comparison.all_fn, lags.round(6) + 0.0


def measure_correlograms(
    truth: GroundTruth,
    sorting: si.BaseSorting,
    reference: si.BaseSorting,
    units: Sequence[str],
) -> pd.DataFrame:
    """How far correlograms of sorted units are from those of the true units they match.

    The distance of two correlograms at a lag is the absolute difference of their counts, summed
    over units (`auto`) or pairs of units (`cross`), over the mean true count of a bin of 0.5 ms
    within 10 ms, summed likewise. A true count of 0, as in the refractory period, thus does no
    harm.

    Parameters
    ----------
    truth, sorting, reference, units
        As for `measure_collisions`.

    Returns
    -------
    pandas.DataFrame
        One row per lag and kind_of: lag_ms (middle of the bin), kind_of (`auto`, `cross`), error,
        bias (the same, of the signed difference: below 0 where spikes are missing), reference_error
        and reference_bias (of the reference, for the same units), pairs (units, or pairs of them).
    """
    if truth.sorting is None or not units:
        return pd.DataFrame(columns=CORRELOGRAMS)
    known = truth.sorting.select_units(list(units))
    true, edges = _correlograms(known)
    found = _correlograms(_matched(known, sorting))[0] - true
    reference_found = _correlograms(_matched(known, reference))[0] - true
    chosen = {
        "auto": np.eye(len(units), dtype=bool),
        "cross": np.triu(np.ones((len(units), len(units)), bool), 1),
    }
    tables = []
    for kind, pairs in chosen.items():
        level = true[pairs].mean(axis=1).sum()
        if not level:
            continue
        tables.append(
            pd.DataFrame(
                {
                    "lag_ms": (edges[:-1] + edges[1:]) / 2,
                    "kind_of": kind,
                    "error": np.abs(found[pairs]).sum(axis=0) / level,
                    "bias": found[pairs].sum(axis=0) / level,
                    "reference_error": np.abs(reference_found[pairs]).sum(axis=0) / level,
                    "reference_bias": reference_found[pairs].sum(axis=0) / level,
                    "pairs": int(pairs.sum()),
                }
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CORRELOGRAMS)


def _correlograms(sorting):
    return compute_correlograms(
        sorting,
        window_ms=_CORRELOGRAM_WINDOW_MS,
        bin_ms=_CORRELOGRAM_BIN_MS,
        method="numpy",
    )


def _matched(known, sorting):
    """Select the sorted units that match, under the names of the true ones."""
    matches = compare_sorter_to_ground_truth(known, sorting).hungarian_match_12
    return sorting.select_units(matches.to_list(), renamed_unit_ids=list(matches.index))
