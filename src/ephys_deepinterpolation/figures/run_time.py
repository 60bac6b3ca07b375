"""Time and memory that each sorter took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

MEASURES = {"minutes": "Wall time (min)", "memory_gb": "Largest memory (GB)"}


@style.styled
def plot_run_time(
    sortings: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw wall time and memory of each sorter, a marker per condition.

    Parameters
    ----------
    sortings : DataFrame, one row per condition x sorter x repeat x replicate
        The table `sortings`; `seconds` in s, `peak_memory_mb` in MB.
    reference : str, optional
        The reference condition, in grey.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Two panels, a row per sorter; a marker is the mean over recordings and repeats.
    """
    ended = sortings if sortings.empty else sortings[~style.broken(sortings["status"])]
    if ended.empty:
        return style.notice("No sorting came to an end.")
    names, colours, markers = style.drawn_conditions(ended, reference, conditions)
    sorters = style.in_order(ended["sorter"])
    table = ended.assign(
        minutes=ended["seconds"].astype(float) / 60.0,
        memory_gb=ended["peak_memory_mb"].astype(float) / 1000.0,
    )
    legend = 0.2 * -(-(len(names) + 1) // 5) + 0.2
    height = max(0.9, 0.32 * len(sorters), 0.08 * len(names) * len(sorters)) + 0.85
    figure, axes = style.panels(2, 2, height, extra_height=legend, sharey=True)
    for axis, (column, label) in zip(axes, MEASURES.items(), strict=True):
        for place, sorter in enumerate(sorters):
            rows = table[table["sorter"] == sorter]
            _draw(axis, rows, column, place, names, colours, markers, reference)
        layouts.name_rows(axis, sorters)
        means = table.groupby(["sorter", "condition"])[column].mean()
        style.spread_scale(axis, means.tolist())
        axis.set_xlabel(label)
    layouts.note_recordings(axes[0], table, "Means over recordings and repeats")
    handles = [
        Line2D([], [], color=colours[name], marker=markers[name], linestyle="none", label=name)
        for name in names
    ]
    rings = layouts.ring_handles(reference, names)
    style.outside_legend(figure, [*handles, *rings], columns=5)
    return figure


def _draw(
    axis: Axes,
    rows: pd.DataFrame,
    column: str,
    place: int,
    names: Sequence[str],
    colours: dict[str, str],
    markers: dict[str, str],
    reference: str | None,
) -> None:
    offsets = np.linspace(-0.3, 0.3, len(names)) if len(names) > 1 else np.zeros(1)
    known = rows[rows[column] > 0]
    for name, offset in zip(names, offsets, strict=True):
        own, beside = layouts.beside_reference(known, name, reference)
        if own.empty:
            continue
        mean, row = float(own[column].mean()), place + offset
        axis.plot(mean, row, marker=markers[name], color=colours[name], markersize=4)
        if len(beside):
            layouts.draw_ring(axis, float(beside[column].mean()), row, size=5)
