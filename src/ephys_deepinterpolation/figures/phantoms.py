"""What each condition and each sorter make of noise without a single spike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from ephys_deepinterpolation.figures import layouts, style

EXPECTED = "gaussian_per_channel_s"
LINEAR_BELOW = 0.01
"""Crossings per channel and second below which their axis is linear."""


@style.styled
def plot_phantoms(
    noise_alone: pd.DataFrame,
    noise_alone_sortings: pd.DataFrame | None = None,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw threshold crossings of noise alone, and the units that sorters find in it.

    Parameters
    ----------
    noise_alone : DataFrame, one row per condition x threshold x replicate
        The table `noise_alone`; `threshold` in robust deviations, `crossings_per_channel_s` in
        1/s.
    noise_alone_sortings : DataFrame, optional
        The table `noise_alone_sortings`; one row per condition x sorter x repeat x replicate.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per threshold, with what Gaussian noise gives as a black bar, and one panel of the
        units that each sorter found; a row per condition.
    """
    if noise_alone.empty:
        return style.notice("No dataset's noise is known without its spikes.")
    names, colours, markers = style.drawn_conditions(noise_alone, reference, conditions)
    thresholds = sorted(noise_alone["threshold"].astype(float).unique())
    sorted_too = noise_alone_sortings is not None and not noise_alone_sortings.empty
    count = len(thresholds) + sorted_too
    figure, axes = layouts.row_panels(names, count, 4, extra_height=0.6 if sorted_too else 0.3)
    for axis, threshold in zip(axes, thresholds, strict=False):
        rows = noise_alone[noise_alone["threshold"].astype(float) == threshold]
        present = [name for name in ("crossings_per_channel_s", EXPECTED) if name in rows]
        layouts.draw_rows(axis, rows, "crossings_per_channel_s", names, colours, markers, reference)
        if EXPECTED in rows and rows[EXPECTED].notna().any():
            expected = rows.astype({EXPECTED: float}).groupby("condition")[EXPECTED].mean()
            axis.plot(
                expected.reindex(names),
                range(len(names)),
                marker="|",
                markersize=9,
                markeredgewidth=1.2,
                color="black",
                linestyle="none",
            )
        _scale(axis, float(rows[present].astype(float).max().max()))
        axis.set_xlabel(
            f"Crossings of {threshold:g} deviations\nper channel and second", fontsize=7
        )
    for axis in axes:
        layouts.name_rows(axis, names, reference)
    handles: list[Line2D] = []
    if sorted_too:
        assert noise_alone_sortings is not None
        handles = _draw_sortings(axes[-1], noise_alone_sortings, names, reference)
    recordings = layouts.count_recordings(noise_alone)
    figure.suptitle(f"Noise without spikes; n = {recordings}", x=0.01, ha="left")
    rings = layouts.ring_handles(reference, names)
    style.outside_legend(figure, [*handles, *rings], columns=4)
    return figure


def _scale(axis: Axes, largest: float) -> None:
    """Let x be logarithmic, but linear around 0: some conditions have none, others hundreds."""
    largest = max(largest, LINEAR_BELOW)
    axis.set_xscale("symlog", linthresh=LINEAR_BELOW)
    axis.set_xlim(-0.3 * LINEAR_BELOW, 2 * largest)
    decades = math.ceil(math.log10(largest / LINEAR_BELOW))
    ticks = [LINEAR_BELOW * 10.0**decade for decade in range(decades + 1)]
    axis.set_xticks([0.0, *ticks[:: 1 if decades < 4 else 2]])
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(axis="x", labelsize=6.5)


def _draw_sortings(
    axis: Axes, sortings: pd.DataFrame, names: Sequence[str], reference: str | None
) -> list[Line2D]:
    """Draw the mean number of units of each sorter; returns the legend's entries."""
    sorters = style.in_order(sortings["sorter"])
    colours = dict(zip(sorters, style.CONDITION_COLOURS, strict=False))
    markers = dict(zip(sorters, style.CONDITION_MARKERS, strict=False))
    offsets = np.linspace(-0.3, 0.3, len(sorters)) if len(sorters) > 1 else np.zeros(1)
    ended = sortings[~style.broken(sortings["status"])]
    for place, condition in enumerate(names):
        for sorter, offset in zip(sorters, offsets, strict=True):
            of_sorter = ended[ended["sorter"] == sorter]
            rows, beside = layouts.beside_reference(of_sorter, condition, reference)
            if rows.empty:
                continue
            axis.plot(
                rows["sorted_units"].astype(float).mean(),
                place + offset,
                marker=markers.get(sorter, "o"),
                color=colours.get(sorter, style.MUTED),
                markersize=4,
            )
            if len(beside):
                units = float(beside["sorted_units"].astype(float).mean())
                layouts.draw_ring(axis, units, place + offset, size=5.5)
    layouts.start_at_zero(axis)
    broken = int(style.broken(sortings["status"]).sum())
    unfinished = f"\n{style.counted(broken, 'sorting')} came to no end" if broken else ""
    axis.set_xlabel(f"Units that sorters found{unfinished}", fontsize=7)
    return [
        Line2D(
            [], [], color=colours.get(name), marker=markers.get(name), linestyle="none", label=name
        )
        for name in sorters
    ]
