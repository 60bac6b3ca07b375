"""Gain in accuracy against the size of the true unit, by sorter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.amplitude import amplitude_edges
from ephys_deepinterpolation.figures.detectability import paired_with_reference
from ephys_deepinterpolation.figures.intervals import mean_interval

PAIR = [*layouts.RECORDING, "sorter", "unit"]
MOST_INTERVALS = 3


def paired_gains(units: pd.DataFrame, reference: str | None) -> pd.DataFrame:
    """Return the change of accuracy of each true unit against the reference.

    Parameters
    ----------
    units : DataFrame
        The table `units`. Repeats are averaged first; the background is left out.
    reference : str or None
        The reference condition.

    Returns
    -------
    DataFrame, one row per true unit x condition x sorter x replicate
        `dataset`, `replicate`, `sorter`, `unit`, `condition`, `peak_uv`, `gain`.
    """
    asked = style.asked_units(units)
    if asked.empty:
        return pd.DataFrame()
    peaks = asked.drop_duplicates(PAIR)[[*PAIR, "peak_uv"]]
    means = style.mean_of_repeats(asked, [*PAIR, "condition"], "accuracy")
    pairs = paired_with_reference(means, "accuracy", reference, PAIR)
    return pairs.assign(gain=pairs["after"] - pairs["before"]).merge(peaks, on=PAIR)


def binned_gain(gains: pd.DataFrame, edges: np.ndarray) -> pd.DataFrame:
    """Return the mean gain in bins of amplitude, with an interval over recordings.

    Parameters
    ----------
    gains : DataFrame
        From `paired_gains`.
    edges : ndarray, (n_bins + 1,)
        Of the bins, µV; the last one is inclusive.

    Returns
    -------
    DataFrame, one row per bin that holds a unit
        `peak_uv` (geometric mean), `gain`, `low`, `high`, `units`.
    """
    peaks = gains["peak_uv"].to_numpy(float)
    bins = max(1, len(edges) - 1)
    member = np.clip(np.searchsorted(edges, peaks, side="right") - 1, 0, bins - 1)
    rows = []
    for index in np.unique(member):
        inside = gains[member == index]
        recordings = style.recording_names(inside).to_numpy()
        gain, low, high = mean_interval(inside["gain"].to_numpy(float), recordings)
        peak = float(np.exp(np.log(peaks[member == index]).mean()))
        units = len(inside[layouts.UNIT].drop_duplicates())
        rows.append({"peak_uv": peak, "gain": gain, "low": low, "high": high, "units": units})
    return pd.DataFrame(rows, columns=["peak_uv", "gain", "low", "high", "units"])


@style.styled
def plot_gain_amplitude(
    units: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the paired gain in accuracy against the peak of the true unit.

    Parameters
    ----------
    units : DataFrame, one row per true unit x condition x sorter x repeat x replicate
        The table `units`; `peak_uv` in µV.
    reference : str, optional
        The reference condition, which is subtracted.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per condition: a line per sorter with its 95 % interval; with more than three
        sorters the interval of their mean alone.
    """
    gains = paired_gains(units, reference)
    if gains.empty:
        return style.notice("Nothing to compare: no true unit has an accuracy in two conditions.")
    names, colours, _ = style.drawn_conditions(gains, reference, conditions)
    sorters = style.in_order(gains["sorter"])
    distinct = gains.drop_duplicates(layouts.UNIT)
    edges = amplitude_edges(distinct["peak_uv"].to_numpy(float))
    figure, panels = layouts.small_multiples(
        names,
        colours,
        panel_height=1.7,
        columns=4 if len(names) > 3 else 3,
        extra_height=0.4,
    )
    looks = list(zip(style.CONDITION_COLOURS, style.CONDITION_MARKERS, strict=True))
    for name, (axis,) in zip(names, panels, strict=True):
        rows = gains[gains["condition"] == name]
        axis.axhline(0.0, color="black", linewidth=0.8)
        for place, (sorter, (colour, marker)) in enumerate(zip(sorters, looks, strict=False)):
            shift = 1.03 ** (place - (len(sorters) - 1) / 2)
            of_sorter = binned_gain(rows[rows["sorter"] == sorter], edges)
            _draw(axis, of_sorter, shift, colour, marker, len(sorters) <= MOST_INTERVALS)
        if len(sorters) > MOST_INTERVALS:
            mean = style.mean_of_repeats(rows, [*layouts.UNIT, "condition", "peak_uv"], "gain")
            _draw(axis, binned_gain(mean, edges), 1.0, "black", "o", True)
        axis.set_xscale("log")
        style.log_ticks(axis.xaxis)
        axis.tick_params(labelsize=6.5)
        counted = len(rows[layouts.UNIT].drop_duplicates())
        layouts.note_count(axis, f"n = {counted}")
    layouts.label_outer(panels, "Peak of the true unit (µV)", "Gain in accuracy")
    recordings = style.counted(len(gains[layouts.RECORDING].drop_duplicates()), "recording")
    figure.suptitle(
        f"Gain in accuracy over {reference}; {recordings}, n = true units", x=0.01, ha="left"
    )
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=name)
        for name, (colour, marker) in zip(sorters, looks, strict=False)
    ]
    if len(sorters) > MOST_INTERVALS:
        handles.append(Line2D([], [], color="black", marker="o", markersize=4, label="their mean"))
    style.outside_legend(figure, handles)
    return figure


def _draw(
    axis: Axes, bins: pd.DataFrame, shift: float, colour: str, marker: str, interval: bool
) -> None:
    if bins.empty:
        return
    peaks = shift * bins["peak_uv"]
    if interval:
        axis.vlines(peaks, bins["low"], bins["high"], color=colour, linewidth=1.1)
    axis.plot(
        peaks,
        bins["gain"],
        color=colour,
        marker=marker,
        markersize=3 if interval else 2,
        linewidth=1.0 if interval else 0.7,
    )
