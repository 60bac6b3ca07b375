"""What each condition and each sorter make of noise without a single spike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ephys_deepinterpolation.figures import layouts, style

EXPECTED = "gaussian_per_channel_s"


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
    known = style.study_conditions(noise_alone, conditions)
    names = style.in_order(noise_alone["condition"], known)
    colours = style.condition_colours(known, reference)
    markers = style.condition_markers(known, reference)
    thresholds = sorted(noise_alone["threshold"].astype(float).unique())
    sorted_too = noise_alone_sortings is not None and not noise_alone_sortings.empty
    count = len(thresholds) + sorted_too
    figure, axes = layouts.row_panels(names, count, 4, extra_height=0.5 if sorted_too else 0.2)
    for axis, threshold in zip(axes, thresholds, strict=False):
        rows = noise_alone[noise_alone["threshold"].astype(float) == threshold]
        present = [name for name in ("crossings_per_channel_s", EXPECTED) if name in rows]
        layouts.draw_rows(axis, rows, "crossings_per_channel_s", names, colours, markers)
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
        largest = float(rows[present].astype(float).max().max())
        axis.set_xlim(-0.05 * (largest or 1.0), 1.1 * (largest or 1.0))
        axis.xaxis.set_major_locator(MaxNLocator(3))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_xlabel(
            f"Crossings of {threshold:g} deviations\nper channel and second", fontsize=7
        )
        axis.tick_params(axis="x", labelsize=6)
    for axis in axes:
        layouts.name_rows(axis, names, reference)
    if sorted_too:
        assert noise_alone_sortings is not None
        _draw_sortings(figure, axes[-1], noise_alone_sortings, names)
    recordings = style.counted(len(noise_alone[layouts.RECORDING].drop_duplicates()), "recording")
    figure.suptitle(f"Noise without spikes; n = {recordings}", x=0.01, ha="left")
    return figure


def _draw_sortings(
    figure: Figure, axis: Axes, sortings: pd.DataFrame, names: Sequence[str]
) -> None:
    sorters = style.in_order(sortings["sorter"])
    colours = dict(zip(sorters, style.CONDITION_COLOURS, strict=False))
    markers = dict(zip(sorters, style.CONDITION_MARKERS, strict=False))
    offsets = np.linspace(-0.3, 0.3, len(sorters)) if len(sorters) > 1 else np.zeros(1)
    ended = sortings[~style.broken(sortings["status"])]
    mean = ended.astype({"sorted_units": float}).groupby(["condition", "sorter"])["sorted_units"]
    found = mean.mean().reset_index()
    for condition, sorter, units in found.itertuples(index=False, name=None):
        if condition in names:
            axis.plot(
                units,
                list(names).index(condition) + offsets[sorters.index(sorter)],
                marker=markers.get(sorter, "o"),
                color=colours.get(sorter, style.MUTED),
                markersize=4,
            )
    layouts.start_at_zero(axis)
    broken = int(style.broken(sortings["status"]).sum())
    unfinished = f"\n{style.counted(broken, 'sorting')} came to no end" if broken else ""
    axis.set_xlabel(f"Units that sorters found{unfinished}", fontsize=7)
    handles = [
        Line2D(
            [], [], color=colours.get(name), marker=markers.get(name), linestyle="none", label=name
        )
        for name in sorters
    ]
    style.outside_legend(figure, handles, columns=4)
