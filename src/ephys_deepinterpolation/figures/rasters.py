"""Spikes of a short window, true and sorted, before and after a condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style

MOST_SORTERS = 3
SAME_SPIKE_MS = 0.4
"""Spikes nearer than this are the same one, as in SpikeInterface's comparison."""


@style.styled
def plot_rasters(
    rasters: pd.DataFrame,
    reference: str,
    condition: str,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the spikes of one dataset before (reference) and after (condition).

    Parameters
    ----------
    rasters : DataFrame, one row per spike x condition x sorter
        The table `rasters` of one dataset; `time_ms` in ms. True spikes have no condition.
    reference, condition : str
        The two conditions.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A row of two panels per sorter, three sorters at most. With truth: a row per true unit, by
        depth; its spikes that were found in colour, those that were missed in grey, spikes that
        no true unit fired as crosses. Without: a row per sorted unit.
    """
    if rasters.empty:
        return style.notice("Nothing was sorted.")
    sorted_spikes = rasters[rasters["condition"].isin([reference, condition])]
    sorters = style.in_order(sorted_spikes["sorter"])[:MOST_SORTERS]
    if not sorters:
        return style.notice("No spike of a sorted unit lies in the window.")
    known = [*(conditions or ()), reference, condition]
    colours = style.condition_colours(list(dict.fromkeys(known)), reference)
    true = rasters[rasters["condition"].isna()]
    rows = _rows(true)
    figure, axes = style.panels(
        2 * len(sorters), 2, max(1.6, 0.07 * len(rows) + 0.9), extra_height=0.6, sharex=True
    )
    for index, axis in enumerate(axes):
        sorter, name = sorters[index // 2], (reference, condition)[index % 2]
        here = style.rows_of(sorted_spikes, {"sorter": sorter, "condition": name})
        _draw_panel(axis, true, here, rows, colours[name])
        axis.set_title(f"{sorter}, {name}: {axis.get_title(loc='left')}", fontsize=7.5)
        if index % 2 == 0:
            axis.set_ylabel("True unit, by depth" if len(true) else "Sorted unit", fontsize=7.5)
        if index >= 2 * len(sorters) - 2:
            axis.set_xlabel("Time (ms)")
    dataset = str(rasters["dataset"].iloc[0])
    figure.suptitle(f"{dataset}: {reference} and {condition}", x=0.01, ha="left", weight="bold")
    if len(true):
        style.outside_legend(
            figure,
            [
                Line2D([], [], color="black", marker="|", linestyle="none", label="found"),
                Line2D([], [], color="#b5b5b5", marker="|", linestyle="none", label="missed"),
                style.marker_handle("of no true unit", style.WARNING, "x"),
            ],
        )
    return figure


def _rows(true: pd.DataFrame) -> dict[str, int]:
    """Return the row of each true unit, by depth."""
    units = true.drop_duplicates("unit").sort_values(["depth_um", "unit"])
    return {str(unit): row for row, unit in enumerate(units["unit"])}


def spikes_found(true_ms: np.ndarray, sorted_ms: np.ndarray) -> np.ndarray:
    """Return which true spikes have a sorted one within 0.4 ms.

    Parameters
    ----------
    true_ms, sorted_ms : ndarray, (n_spikes,)
        Times, ms.

    Returns
    -------
    ndarray of bool, (n_true,)
    """
    if not len(sorted_ms):
        return np.zeros(len(true_ms), bool)
    distance = np.abs(np.asarray(true_ms)[:, None] - np.asarray(sorted_ms)[None, :])
    return np.asarray((distance <= SAME_SPIKE_MS).any(axis=1))


def _draw_panel(
    axis: Axes, true: pd.DataFrame, here: pd.DataFrame, rows: dict[str, int], colour: str
) -> None:
    axis.tick_params(axis="y", left=False, labelleft=False)
    if true.empty:
        _draw_sorted(axis, here, colour)
        return
    found = missed = 0
    for unit, row in rows.items():
        times = true.loc[true["unit"].astype(str) == unit, "time_ms"].to_numpy(float)
        matched = here.loc[here["true_unit"].astype("string") == unit, "time_ms"].to_numpy(float)
        is_found = spikes_found(times, matched)
        _ticks(axis, times[is_found], row, colour)
        _ticks(axis, times[~is_found], row, "#b5b5b5")
        false = matched[~spikes_found(matched, times)]
        axis.plot(false, np.full(len(false), row), "x", color=style.WARNING, markersize=3)
        found, missed = found + int(is_found.sum()), missed + int((~is_found).sum())
    stray = here[here["true_unit"].isna()]
    axis.plot(
        stray["time_ms"].astype(float),
        np.full(len(stray), -1.5),
        "x",
        color=style.WARNING,
        markersize=3,
    )
    axis.set_ylim(-2.5, len(rows) - 0.3)
    axis.set_title(f"{found} found, {missed} missed")


def _draw_sorted(axis: Axes, here: pd.DataFrame, colour: str) -> None:
    units = style.in_order(here["unit"])
    for row, unit in enumerate(units):
        _ticks(
            axis, here.loc[here["unit"].astype(str) == unit, "time_ms"].to_numpy(float), row, colour
        )
    axis.set_ylim(-0.7, max(1, len(units)) - 0.3)
    axis.set_title(f"{style.counted(len(here), 'spike')} of {style.counted(len(units), 'unit')}")


def _ticks(axis: Axes, times: np.ndarray, row: int, colour: str) -> None:
    axis.vlines(times, row - 0.4, row + 0.4, color=colour, linewidth=0.8)
