"""Paired effects on every endpoint, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ephys_deepinterpolation.figures import layouts, style

ALL = "all"
MOST_COLOURS = 8
SIGNIFICANT = 0.05
BAND = "#f0f0f0"
"""Behind every other condition, where each has several markers."""


def effect_interval(row: pd.Series) -> tuple[float, float] | None:
    """Return the interval of one row of `effects`; None where there is none.

    One unit has no interval: resampling it gives the same value every time.
    """
    low, high = _number(row["low"]), _number(row["high"])
    one = not pd.isna(row["units"]) and int(row["units"]) <= 1
    if np.isnan(low) or np.isnan(high) or one:
        return None
    return low, high


def effect_decimals(row: pd.Series) -> int:
    """Return the decimals that an effect and its interval, if it has one, need."""
    return style.decimals(max((float(row["effect"]), *(effect_interval(row) or ())), key=abs))


def in_scope(effects: pd.DataFrame, datasets: bool, sorters: bool) -> pd.DataFrame:
    """Return the effects of one scope.

    Parameters
    ----------
    effects : DataFrame
        The table `effects`.
    datasets, sorters : bool
        True for the rows of one dataset (of one sorter) each; False for those over all datasets
        (over all sorters, or of an endpoint that needs none).

    Returns
    -------
    DataFrame
        With `measure`, the name of the endpoint where the table has none.
    """
    if effects.empty:
        return effects
    of_dataset = effects["dataset"].fillna(ALL) != ALL
    sorter = effects["sorter"].fillna("")
    of_sorter = ~sorter.isin([ALL, ""])
    found = effects[(of_dataset == datasets) & (of_sorter == sorters)]
    return found if "measure" in found else found.assign(measure=found["endpoint"])


@style.styled
def plot_effects(
    effects: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw a forest plot of all endpoints, over all datasets and sorters.

    Parameters
    ----------
    effects : DataFrame, one row per endpoint x condition x dataset x sorter
        The table `effects`; `effect`, `low` and `high` in the endpoint's own unit.
    reference : str, optional
        The reference condition, which is subtracted.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A panel per endpoint, a row per condition: marker and 95 % interval, and both as numbers;
        filled where p is below 0.05, Holm's for primary endpoints.
    """
    rows = in_scope(effects, datasets=False, sorters=False)
    if rows.empty or rows["effect"].isna().all():
        return style.notice("Nothing to compare: there is no effect over all datasets.")
    names, colours, markers = style.drawn_conditions(rows, reference, conditions)
    endpoints = style.in_order(rows["endpoint"])
    height = max(0.7, layouts.ROW_HEIGHT * len(names)) + 0.8
    figure, axes = style.panels(len(endpoints), 2, height, extra_height=0.3, sharey=True)
    for axis, endpoint in zip(axes, endpoints, strict=True):
        here = rows[rows["endpoint"] == endpoint]
        axis.axvline(0.0, color="black", linewidth=0.9, zorder=0)
        layouts.name_rows(axis, names)
        for place, name in enumerate(names):
            for _, row in here[here["condition"] == name].iterrows():
                _draw_effect(axis, row, place, colours[name], markers[name])
        _finish(axis, here, endpoint, reference)
        axis.text(
            1.03,
            1.0,
            _sizes(here),
            transform=axis.transAxes,
            fontsize=6,
            color=style.MUTED,
            va="bottom",
        )
    style.outside_legend(
        figure,
        [
            Line2D([], [], color="black", marker="o", label="p < 0.05 (primary: Holm's)"),
            Line2D(
                [],
                [],
                color="black",
                marker="o",
                markerfacecolor="white",
                label="cannot tell",
            ),
        ],
    )
    return figure


def plot_spread(
    rows: pd.DataFrame, by: str, reference: str | None, conditions: Sequence[str] | None
) -> Figure:
    """Draw effects of each dataset or of each sorter.

    Parameters
    ----------
    rows : DataFrame
        Of the table `effects`, of one scope.
    by : str
        ``dataset`` or ``sorter``.
    reference : str or None
        The reference condition, which is subtracted.
    conditions : sequence of str or None
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per endpoint, a row per condition, a marker and a 95 % interval per dataset or
        sorter.
    """
    rows = rows if rows.empty else rows.dropna(subset=["effect"])
    if rows.empty:
        return style.notice(f"Nothing to compare: there is no effect by {by}.")
    names = style.in_order(rows["condition"], style.study_conditions(rows, conditions))
    endpoints = style.in_order(rows["endpoint"])
    groups = style.in_order(rows[by])
    few = len(groups) <= MOST_COLOURS
    colours = dict(zip(groups, style.CONDITION_COLOURS, strict=False))
    markers = dict(zip(groups, style.CONDITION_MARKERS, strict=False))
    each = 0.085 * min(len(groups), MOST_COLOURS) + 0.1
    height = max(0.7, each * len(names)) + 0.8
    legend = 0.2 * -(-len(groups) // 4) if few else 0.0
    figure, axes = style.panels(len(endpoints), 3, height, extra_height=legend, sharey=True)
    spread = 0.4 * (1 - 1 / len(groups))
    offsets = np.linspace(-spread, spread, len(groups))
    for axis, endpoint in zip(axes, endpoints, strict=True):
        here = rows[rows["endpoint"] == endpoint]
        axis.axvline(0.0, color="black", linewidth=0.9, zorder=0)
        layouts.name_rows(axis, names)
        axis.grid(visible=False)
        for place in range(0, len(names), 2):
            axis.axhspan(place - 0.5, place + 0.5, color=BAND, linewidth=0, zorder=-1)
        for _, row in here.iterrows():
            group = str(row[by])
            place = names.index(str(row["condition"])) + offsets[groups.index(group)]
            colour = colours[group] if few else style.MUTED
            interval = effect_interval(row)
            if interval is not None:
                axis.hlines(place, *interval, color=colour, linewidth=0.8, alpha=0.8)
            marker = markers[group] if few else "o"
            axis.plot(float(row["effect"]), place, marker=marker, color=colour, markersize=3)
        _finish(axis, here, endpoint, reference)
        axis.set_title(f"{endpoint}\n{_sizes(here)}", fontsize=7.5)
        axis.tick_params(axis="x", labelsize=6.5)
    if few:
        handles = [
            Line2D(
                [],
                [],
                color=colours[name],
                marker=markers[name],
                markersize=4,
                linestyle="none",
                label=name,
            )
            for name in groups
        ]
        style.outside_legend(figure, handles, columns=4)
    return figure


def _draw_effect(axis: Axes, row: pd.Series, place: int, colour: str, marker: str) -> None:
    effect, interval = _number(row["effect"]), effect_interval(row)
    if np.isnan(effect):
        _beside(axis, place, "nothing to compare", style.WARNING)
        return
    p = _number(row["p_holm"]) if "p_holm" in row else float("nan")
    clear = interval is not None and not interval[0] <= 0.0 <= interval[1]
    clear = clear if np.isnan(p) else p < SIGNIFICANT
    if interval is not None:
        axis.hlines(place, *interval, color=colour, linewidth=1.5)
    axis.plot(
        effect,
        place,
        marker=marker,
        color=colour,
        markerfacecolor=colour if clear else "white",
        markersize=6.5,
        markeredgewidth=1.0,
    )
    digits = effect_decimals(row)
    bounds = "no interval"
    if interval is not None:
        low, high = (style.signed(bound, digits) for bound in interval)
        bounds = f"[{low}, {high}]"
    _beside(axis, place, f"{style.signed(effect, digits)} {bounds}", "black")


def _beside(axis: Axes, place: int, text: str, colour: str) -> None:
    axis.text(
        1.03,
        place,
        text,
        transform=axis.get_yaxis_transform(),
        va="center",
        fontsize=6.5,
        color=colour,
    )


def _finish(axis: Axes, rows: pd.DataFrame, endpoint: str, reference: str | None) -> None:
    measure = str(rows["measure"].iloc[0]).replace("_", " ")
    axis.set_title(endpoint, fontweight="bold")
    axis.set_xlabel(f"Change of {measure} against {reference or 'the reference'}", fontsize=7)
    values = rows[["effect", "low", "high"]].to_numpy(float, na_value=np.nan)
    finite = values[np.isfinite(values)]
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    high = max(0.0, float(finite.max())) if finite.size else 0.0
    margin = 0.08 * (high - low) or 0.05
    axis.set_xlim(low - margin, high + margin)
    axis.xaxis.set_major_locator(MaxNLocator(4))


def _sizes(rows: pd.DataFrame) -> str:
    """Return the number of units and recordings, or their range over conditions."""
    parts = []
    for column, noun in (("units", "unit"), ("recordings", "recording")):
        numbers = rows[column].dropna().astype(int)
        if len(numbers) and numbers.max() > 0:
            parts.append(style.counted_range(numbers, noun))
    return "n = " + ", ".join(parts) if parts else ""


def _number(value: object) -> float:
    return float("nan") if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]
