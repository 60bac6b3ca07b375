"""Sorters held against each other on one recording."""

from collections.abc import Mapping
from itertools import combinations

import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.comparisons.matches import pair_units

COLUMNS = ["sorter", "other_sorter", "units", "other_units", "matched", "share"]


def sorter_agreement(
    sortings: Mapping[str, si.BaseSorting | None], match_score: float
) -> pd.DataFrame:
    """Count the units that each two sorters share.

    Parameters
    ----------
    sortings : dict of str to BaseSorting or None
        By sorter, of one recording; None where the sorter failed.
    match_score : float
        See `match_units`.

    Returns
    -------
    pandas.DataFrame
        One row per pair of sorters: sorter, other_sorter, units, other_units, matched, and share,
        the matched units over all that either found; what a failed sorter leaves open is empty.
    """
    rows = []
    for (name, one), (other_name, other) in combinations(sortings.items(), 2):
        counts = [None if each is None else len(each.unit_ids) for each in (one, other)]
        matched = share = None
        if one is not None and other is not None:
            matched = int(pair_units(one, other, match_score)["matched"].sum())
            either = len(one.unit_ids) + len(other.unit_ids) - matched
            share = matched / either if either else None
        rows.append((name, other_name, *counts, matched, share))
    counts_type = dict.fromkeys(("units", "other_units", "matched"), "Int64")
    return pd.DataFrame(rows, columns=COLUMNS).astype(counts_type | {"share": float})
