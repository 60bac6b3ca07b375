"""Units of the reference's sorting against the same units sorted with each condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style


@style.styled
def plot_matches(
    matches: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the signal-to-noise ratio of matched units, each on its own recording.

    Parameters
    ----------
    matches : DataFrame, one row per unit of either sorting x condition x sorter x repeat
        The table `matches`; `snr` with the reference, `other_snr` with the condition.
    reference : str, optional
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per condition, a point per matched pair, its marker the sorter; the numbers of
        units that found no partner are written in the panel.
    """
    values = matches if matches.empty else matches[matches["condition"] != reference]
    if values.empty:
        return style.notice("Nothing to compare: no sorting but the reference's.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    sorters = style.in_order(values["sorter"])
    markers = dict(zip(sorters, style.CONDITION_MARKERS, strict=False))
    matched = values[values["matched"].map(style.is_true).astype(bool)]
    ends = matched[["snr", "other_snr"]].to_numpy(float, na_value=np.nan)
    ends = ends[ends > 0]
    limits = (0.8 * float(ends.min()), 1.25 * float(ends.max())) if len(ends) else (1.0, 10.0)
    figure, panels = layouts.small_multiples(names, colours, panel_height=1.7, extra_height=0.4)
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        _draw(axis, rows, colours[name], markers, limits)
    layouts.label_outer(panels, f"SNR, {reference}", "SNR after")
    style.outside_legend(
        figure,
        [
            Line2D([], [], color=style.MUTED, marker=markers[name], linestyle="none", label=name)
            for name in sorters
            if name in markers
        ],
    )
    return figure


def _draw(
    axis: Axes,
    rows: pd.DataFrame,
    colour: str,
    markers: dict[str, str],
    limits: tuple[float, float],
) -> None:
    is_matched = rows["matched"].map(style.is_true).astype(bool)
    axis.axline((limits[0], limits[0]), (limits[1], limits[1]), color=style.MUTED, linewidth=0.8)
    pairs = rows[is_matched].dropna(subset=["snr", "other_snr"])
    for sorter, of_sorter in pairs.groupby("sorter", sort=False):
        axis.scatter(
            of_sorter["snr"].astype(float),
            of_sorter["other_snr"].astype(float),
            s=8,
            marker=markers.get(str(sorter), "o"),
            color=colour,
            alpha=0.6,
            linewidth=0,
            rasterized=len(pairs) > 300,
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    for side in (axis.xaxis, axis.yaxis):
        style.log_ticks(side, (1.0,) if limits[1] / limits[0] > 30 else (1.0, 2.0, 5.0))
    axis.tick_params(labelsize=6.5)
    axis.set_xlim(*limits)
    axis.set_ylim(*limits)
    lost = int((~is_matched & rows["unit"].notna()).sum())
    new = int((~is_matched & rows["unit"].isna()).sum())
    text = f"{style.counted(int(is_matched.sum()), 'pair')}\n{lost} lost, {new} new"
    layouts.note_count(axis, text)
