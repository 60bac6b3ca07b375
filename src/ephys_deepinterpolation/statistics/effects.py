"""Paired effects of conditions against the reference."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd

from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics.bootstrap import estimate_mean
from ephys_deepinterpolation.statistics.endpoints import (
    MEASURES,
    OBSERVED,
    Endpoint,
    observations,
)
from ephys_deepinterpolation.statistics.power import detectable_effect

ALL = "all"
_RECORDING = ["dataset", "replicate"]
_SORTING = [*_RECORDING, "sorter", "repeat"]
_PAIR = [name for name in OBSERVED if name not in ("kind", "condition")]
COLUMNS = ["endpoint", "measure", "primary", "condition", "dataset", "kind", "sorter"]
COLUMNS += [
    "reference_value",
    "effect",
    "low",
    "high",
    "p",
    "p_holm",
    "standardized",
    "detectable",
    "repeat_spread",
]
COLUMNS += ["units", "recordings", "left_out", "tuned"]


def estimate_effects(
    tables: Mapping[str, pd.DataFrame],
    endpoints: Iterable[Endpoint],
    reference: str,
    seed: int,
    calibration: Sequence[str] = (),
) -> pd.DataFrame:
    """Estimate how each condition differs from the reference, in each endpoint.

    Differences are taken on the same true unit of the same recording (dataset and replicate),
    sorter and repeat; then averaged over repeats, sorters, units and recordings, in this order, so
    that no recording counts more for its many units and no unit for its many sorters. Recordings
    are what is independent: the interval and p come from `estimate_mean` over recordings, or over
    the units of a single one. A pair of sortings of which one failed is left out and counted.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of docs/tables.md, by name; any of them may be missing or empty.
    endpoints : iterable of Endpoint
    reference : str
        The condition that the others are compared with.
    seed : int
    calibration : sequence of str
        Conditions that test the scale and no hypothesis: their p is not corrected, and does not
        count in the correction of the others.

    Returns
    -------
    pandas.DataFrame
        The table `effects` of docs/tables.md: for each dataset and for `all`, for each sorter and
        for `all`; `sorter` is empty where the measure knows none.
    """
    rows: list[dict[str, object]] = []
    for endpoint in endpoints:
        seen = observations(endpoint, tables)
        if reference in seen["condition"].unique():
            rows += _effects_of(endpoint, seen, reference, seed)
    effects = pd.DataFrame(rows, columns=COLUMNS).astype({"units": "Int64", "recordings": "Int64"})
    family = (
        effects["primary"].astype(bool)
        & (effects["dataset"] == ALL)
        & (effects["sorter"].isna() | (effects["sorter"] == ALL))
        & ~effects["condition"].isin(calibration)
        & effects["p"].notna()
    )
    effects["p_holm"] = np.nan
    effects.loc[family, "p_holm"] = holm(effects.loc[family, "p"].to_numpy(float))
    return effects


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values for their number, so that 5 % is the risk of any false alarm.

    Parameters
    ----------
    p : numpy.ndarray, shape (n,), float

    Returns
    -------
    numpy.ndarray, shape (n,), float
        Holm 1979, https://www.jstor.org/stable/4615733.
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def _effects_of(
    endpoint: Endpoint, seen: pd.DataFrame, reference: str, seed: int
) -> list[dict[str, object]]:
    values = _side_by_side(seen.set_index([*_PAIR, "condition"])["value"], "condition")
    failed = _side_by_side(seen.groupby([*_SORTING, "condition"])["failed"].any(), "condition")
    tuned = seen[seen["tuned"]]
    kinds = dict(zip(seen["dataset"], seen["kind"], strict=True))
    sorters = [name for name in seen["sorter"].unique() if name]
    conditions = [name for name in seen["condition"].unique() if name != reference]
    rows = []
    for dataset, sorter in product([*kinds, ALL], [*sorters, ALL] if sorters else [""]):
        inside = values[_within(values, dataset, sorter)]
        sortings = failed[_within(failed, dataset, sorter)]
        repeat_spread = _repeat_spread(inside[reference])
        for condition in conditions:
            made = sortings[[condition, reference]].dropna()
            if made.empty:
                continue
            name = derive_seed(seed, endpoint.name, condition, dataset, sorter)
            pairs = inside[[condition, reference]].dropna()
            estimate = _estimate(pairs[condition] - pairs[reference], np.random.default_rng(name))
            if not MEASURES[endpoint.measure].of_units:
                estimate["units"] = None
            rows.append(
                {
                    "endpoint": endpoint.name,
                    "measure": endpoint.measure,
                    "primary": endpoint.primary,
                    "condition": condition,
                    "dataset": dataset,
                    "kind": kinds.get(dataset, ALL),
                    "sorter": sorter or None,
                    "reference_value": _by_recording(_by_unit(pairs[reference])).mean(),
                    **estimate,
                    "repeat_spread": repeat_spread,
                    "left_out": int(made.any(axis=1).sum()),
                    "tuned": _any_tuned(tuned, condition, dataset),
                }
            )
    return rows


def _any_tuned(tuned: pd.DataFrame, condition: str, dataset: str) -> bool:
    datasets = tuned.loc[tuned["condition"] == condition, "dataset"]
    return bool(len(datasets) if dataset == ALL else (datasets == dataset).any())


def _side_by_side(values: pd.Series, level: str) -> pd.DataFrame:
    """Make a level of the index columns; fail where an index is there twice."""
    return values.unstack(level).sort_index()  # noqa: PD010


def _within(table: pd.DataFrame, dataset: str, sorter: str) -> np.ndarray:
    """Mark the rows of a dataset and sorter."""
    inside = np.ones(len(table), dtype=bool)
    for level, name in (("dataset", dataset), ("sorter", sorter)):
        if name != ALL:
            inside &= table.index.get_level_values(level) == name
    return inside


def _by_unit(difference: pd.Series) -> pd.Series:
    """Average over repeats, then over sorters: one value per true unit, or recording."""
    by_sorter = difference.groupby([*_RECORDING, "unit", "sorter"]).mean()
    return by_sorter.groupby([*_RECORDING, "unit"]).mean()


def _by_recording(units: pd.Series) -> pd.Series:
    return units.groupby(_RECORDING).mean()


def _estimate(difference: pd.Series, random: np.random.Generator) -> dict[str, object]:
    units = _by_unit(difference)
    recordings = _by_recording(units)
    independent = (recordings if len(recordings) > 1 else units).to_numpy()
    estimate = estimate_mean(independent, random)
    deviation = float(independent.std(ddof=1)) if len(independent) > 1 else np.nan
    return {
        "effect": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "p": estimate.p,
        "standardized": estimate.mean / deviation if deviation > 0 else np.nan,
        "detectable": detectable_effect(deviation, len(independent)),
        "units": len(units),
        "recordings": len(recordings),
    }


def _repeat_spread(values: pd.Series) -> float:
    """Tell how large an effect is by the randomness of the sorters alone.

    The root mean square of the effects between two repeats of the reference, over the square root
    of the number of repeats, over which an effect averages.
    """
    repeats = _side_by_side(values, "repeat")
    effects = [
        _by_recording(
            _by_unit(pd.concat({0: repeats[one] - repeats[other]}, names=["repeat"]).dropna())
        ).mean()
        for one, other in combinations(repeats.columns, 2)
    ]
    if not effects:
        return np.nan
    return float(np.sqrt(np.mean(np.square(effects)) / len(repeats.columns)))
