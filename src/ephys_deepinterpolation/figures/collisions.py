"""Recall of spikes that overlap with those of another unit, by their lag."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style


def recall_by_lag(collisions: pd.DataFrame, column: str = "recall") -> pd.Series:
    """Return the recall at each lag, every spike counted once.

    Parameters
    ----------
    collisions : DataFrame
        Rows of the table `collisions`: `lag_ms`, `recall`, `spikes`.
    column : str
        ``recall``, or ``reference_recall`` for the reference's of the same spikes.

    Returns
    -------
    Series
        By lag, ms.
    """
    known = collisions.dropna(subset=[column]).astype({column: float, "spikes": float})
    known = known[known["spikes"] > 0]
    found = (known[column] * known["spikes"]).groupby(known["lag_ms"].astype(float)).sum()
    return found / known["spikes"].groupby(known["lag_ms"].astype(float)).sum()


@style.styled
def plot_collisions(
    collisions: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the recall of overlapping spikes against their lag, a panel per condition.

    Parameters
    ----------
    collisions : DataFrame, one row per condition x sorter x lag x similarity x replicate
        The table `collisions`; `lag_ms` in ms, `recall` from 0 to 1.
    reference : str, optional
        The reference condition; dotted beside the others, for the same spikes.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A line per bin of similarity of the two templates, sorters and recordings pooled.
    """
    values = collisions if collisions.empty else collisions.dropna(subset=["recall"])
    if values.empty:
        return style.notice("No true unit's spikes overlap with another's in a sorting.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    bins = (
        values[["similarity_low", "similarity_high"]]
        .astype(float)
        .drop_duplicates()
        .sort_values("similarity_low")
    )
    edges = list(bins.itertuples(index=False, name=None))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(edges)))
    figure, panels = layouts.small_multiples(names, colours)
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        for (low, high), shade in zip(edges, shades, strict=True):
            here = {"similarity_low": low, "similarity_high": high}
            of_bin = style.rows_of(rows, here)
            if name != reference:
                _draw(axis, of_bin, "reference_recall", shade, ":", 0.9)
            _draw(axis, of_bin, "recall", shade, "-", 1.3)
        axis.set_ylim(-0.03, 1.05)
        spikes = rows["spikes"].astype(float).sum()
        layouts.note_count(axis, f"n = {spikes:.0f}")
    layouts.label_outer(panels, "Lag (ms)", "Recall")
    recordings = layouts.count_recordings(values)
    figure.suptitle(
        f"Recall of overlapping spikes, {recordings}, all sorters; n = spikes", x=0.01, ha="left"
    )
    handles = [
        Line2D([], [], color=shade, label=f"similarity {low:g} to {high:g}")
        for (low, high), shade in zip(edges, shades, strict=True)
    ]
    if reference in names and len(names) > 1:
        label = f"{reference}, the same spikes"
        handles.append(Line2D([], [], color="black", linestyle=":", label=label))
    style.outside_legend(figure, handles, columns=4)
    return figure


def _draw(
    axis: Axes, rows: pd.DataFrame, column: str, colour: object, line: str, width: float
) -> None:
    if rows.empty or column not in rows:
        return
    recall = recall_by_lag(rows, column)
    axis.plot(recall.index, recall, color=colour, linestyle=line, linewidth=width)  # type: ignore[arg-type]
