"""Units that pass quality control, by sorter and condition."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

SORTING = [*layouts.RECORDING, "condition", "sorter", "repeat"]


def own_units(quality: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that measure the units of a condition's own sorting."""
    return quality if quality.empty else quality[quality["trains"] == "own"]


@style.styled
def plot_quality(
    quality: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw how many units of each sorting pass quality control.

    Parameters
    ----------
    quality : DataFrame, one row per unit x trains x condition x sorter x repeat x replicate
        The table `quality`; rows whose `trains` are ``own`` are counted.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per sorter, a row per condition: the mean number over recordings.
    """
    own = own_units(quality)
    if own.empty:
        return style.notice("No sorting found a unit.")
    names, colours, markers = style.drawn_conditions(own, reference, conditions)
    passing = own.assign(passes=own["passes"].map(style.is_true).astype(float))
    counts = passing.groupby(SORTING, sort=False, observed=True)["passes"].sum().reset_index()
    sorters = style.in_order(own["sorter"])
    figure, axes = layouts.row_panels(names, len(sorters), 4, extra_height=0.25, sharex=True)
    for axis, sorter in zip(axes, sorters, strict=True):
        rows = counts[counts["sorter"] == sorter]
        layouts.draw_rows(axis, rows, "passes", names, colours, markers, reference)
        layouts.name_rows(axis, names, reference)
        layouts.note_recordings(axis, rows, sorter)
        axis.set_xlabel("Units passing", fontsize=7.5)
    largest = float(counts["passes"].max())
    axes[0].set_xlim(-0.05 * max(largest, 1.0), 1.08 * max(largest, 1.0))
    style.outside_legend(figure, layouts.ring_handles(reference, names))
    return figure
