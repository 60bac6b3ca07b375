"""Paired effects of a condition against the reference, with uncertainty."""

import numpy as np
import pandas as pd

_RESAMPLES = 2000
_PAIR = ["dataset", "replicate", "sorter", "repeat", "unit"]


def paired_effects(
    units: pd.DataFrame, reference: str, seed: int, endpoint: str = "accuracy"
) -> pd.DataFrame:
    """Mean paired difference to the reference condition, on the same true unit.

    The interval is a percentile bootstrap over recordings and, within each, over units; with one
    recording it says nothing of how recordings differ. Units of the background and units whose
    sorting failed on either side are left out.

    Parameters
    ----------
    units : pandas.DataFrame
        The table `units`.
    reference : str
    seed : int
    endpoint : str
        A column of the table.

    Returns
    -------
    pandas.DataFrame
        dataset, kind, condition, sorter, endpoint, effect, low, high (95 %), units, recordings.
    """
    columns = ["dataset", "kind", "condition", "sorter", "endpoint"]
    columns += ["effect", "low", "high", "units", "recordings"]
    if units.empty:
        return pd.DataFrame(columns=columns)
    judged = units[~units["background"]]
    base = judged[judged["condition"] == reference].set_index(_PAIR)[endpoint]
    rows = []
    others = judged[judged["condition"] != reference]
    for (dataset, kind, condition, sorter), group in others.groupby(columns[:4], sort=False):
        keyed = group.set_index(_PAIR)[endpoint]
        difference = (keyed - base.reindex(keyed.index)).astype(float).dropna().sort_index()
        recordings = [values.to_numpy() for _, values in difference.groupby(level="replicate")]
        # Each effect draws from a stream of its own, whatever else the table holds.
        name = f"{dataset}/{condition}/{sorter}/{endpoint}"
        random = np.random.default_rng([seed, *name.encode()])
        effect, low, high = _bootstrap_mean(recordings, random)
        counts = (len(difference), len(recordings))
        rows.append((dataset, kind, condition, sorter, endpoint, effect, low, high, *counts))
    return pd.DataFrame(rows, columns=columns)


def _bootstrap_mean(
    recordings: list[np.ndarray], random: np.random.Generator
) -> tuple[float, float, float]:
    """Mean over all values, and its 95 % interval by a bootstrap clustered by recording."""
    if not recordings:
        return np.nan, np.nan, np.nan
    means = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        drawn = [
            recordings[each] for each in random.integers(len(recordings), size=len(recordings))
        ]
        resampled = [values[random.integers(len(values), size=len(values))] for values in drawn]
        means[index] = np.concatenate(resampled).mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.concatenate(recordings).mean()), float(low), float(high)
