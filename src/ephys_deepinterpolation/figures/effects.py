"""Paired effects with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ephys_deepinterpolation.figures import style


def effect_interval(row: pd.Series) -> tuple[float, float] | None:
    """Return the interval of one row of `effects`; None where there is none.

    One unit has no interval: resampling it gives the same value every time.
    """
    low, high = _number(row["low"]), _number(row["high"])
    if np.isnan(low) or np.isnan(high) or not _number(row["units"]) > 1:
        return None
    return low, high


@style.styled
def plot_effects(
    effects: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw a forest plot of the paired effects, one panel per dataset and endpoint.

    Parameters
    ----------
    effects : DataFrame, one row per condition x sorter x dataset
        The table `effects`; `effect`, `low` and `high` in the endpoint's own unit.
    reference : str, optional
        The reference condition, named in the axis label.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A marker and a 95 % interval per condition and sorter; open where the interval holds 0.
    """
    if effects.empty:
        return style.notice("Nothing to compare: there is no effect to draw.")
    known = style.study_conditions(effects, conditions)
    colours = style.condition_colours(known, reference)
    markers = style.condition_markers(known, reference)
    groups = [
        (dataset, endpoint, style.rows_of(effects, {"dataset": dataset, "endpoint": endpoint}))
        for dataset in style.in_order(effects["dataset"])
        for endpoint in style.in_order(effects["endpoint"])
    ]
    groups = [group for group in groups if not group[2].empty]
    lengths = [len(rows) + rows["sorter"].nunique() for _, _, rows in groups]
    height = sum(0.23 * length + 0.85 for length in lengths)
    figure = Figure(figsize=(style.FULL_WIDTH, height), layout="constrained")
    grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=lengths)
    axes: list[Axes] = list(grid[:, 0])
    for axis, (dataset, endpoint, rows) in zip(axes, groups, strict=True):
        _draw_group(axis, rows, known, colours, markers)
        axis.set_title(dataset, fontweight="bold")
        to_reference = f" to {reference}" if reference else " to the reference"
        axis.set_xlabel(
            f"Mean paired difference in {endpoint}{to_reference}, with 95 % interval\n"
            "open marker: the interval holds 0, or there is none"
        )
    _share_limits(axes, effects)
    return figure


def _draw_group(
    axis: Axes,
    rows: pd.DataFrame,
    known: Sequence[str],
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    axis.axvline(0.0, color="black", linewidth=0.9, zorder=0)
    places: list[float] = []
    labels: list[str] = []
    headings: list[int] = []
    for sorter in style.in_order(rows["sorter"]):
        headings.append(len(places))
        places.append(len(places))
        labels.append(sorter)
        of_sorter = rows[rows["sorter"] == sorter]
        for name in style.in_order(of_sorter["condition"], known):
            for _, row in of_sorter[of_sorter["condition"] == name].iterrows():
                place = len(places)
                _draw_effect(axis, row, place, colours[name], markers[name])
                places.append(place)
                labels.append(name)
    axis.set_yticks(places, labels)
    for index in headings:
        axis.get_yticklabels()[index].set_fontweight("bold")
    axis.set_ylim(len(places) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _draw_effect(axis: Axes, row: pd.Series, place: int, colour: str, marker: str) -> None:
    effect, interval = _number(row["effect"]), effect_interval(row)
    beside: dict[str, Any] = {
        "transform": axis.get_yaxis_transform(),
        "va": "center",
        "fontsize": 8,
    }
    if np.isnan(effect):
        axis.text(1.02, place, "no pair to compare", color=style.WARNING, **beside)
        return
    clear = interval is not None and not interval[0] <= 0.0 <= interval[1]
    if interval is not None:
        axis.hlines(place, *interval, color=colour, linewidth=1.6)
    axis.plot(
        effect,
        place,
        marker=marker,
        color=colour,
        markerfacecolor=colour if clear else "white",
        markersize=6,
        markeredgewidth=1.3,
    )
    bounds = "no interval"
    if interval is not None:
        bounds = f"[{style.signed(interval[0])}, {style.signed(interval[1])}]"
    axis.text(1.02, place, f"{style.signed(effect)}  {bounds}  {_counts(row)}", **beside)


def _number(value: object) -> float:
    return float("nan") if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]


def _counts(row: pd.Series) -> str:
    units, recordings = row["units"], row["recordings"]
    if pd.isna(units):
        return ""
    text = f"n = {int(units)}"
    several = not pd.isna(recordings) and int(recordings) > 1
    return f"{text} in {int(recordings)} rec." if several else text


def _share_limits(axes: Sequence[Axes], effects: pd.DataFrame) -> None:
    values = effects[["effect", "low", "high"]].to_numpy(float, na_value=np.nan)
    finite = values[np.isfinite(values)]
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    high = max(0.0, float(finite.max())) if finite.size else 0.0
    margin = 0.08 * (high - low) or 0.05
    for axis in axes:
        axis.set_xlim(low - margin, high + margin)
        axis.xaxis.set_major_locator(MaxNLocator(5))
