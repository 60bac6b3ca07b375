"""How far the correlograms of sorted units are from those of the true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

KINDS = {"auto": "#0173b2", "cross": "#d55e00"}


@style.styled
def plot_correlograms(
    correlograms: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the error of auto- and cross-correlograms against the lag, a panel per condition.

    Parameters
    ----------
    correlograms : DataFrame, one row per condition x sorter x kind x lag x replicate
        The table `correlograms`; `lag_ms` in ms, `error` relative to the true correlogram.
    reference : str, optional
        The reference condition, dotted in every panel.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A line per kind, the mean over sorters and recordings weighted by pairs.
    """
    values = correlograms if correlograms.empty else correlograms.dropna(subset=["error"])
    if values.empty:
        return style.notice("No sorted unit has a true one whose correlogram it could be held to.")
    known = style.study_conditions(values, conditions)
    names = style.in_order(values["condition"], known)
    figure, panels = layouts.small_multiples(names, style.condition_colours(known, reference))
    beside = values[values["condition"] == reference]
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        for kind, colour in KINDS.items():
            if name != reference:
                _draw(axis, beside[beside["kind_of"] == kind], colour, ":", 0.9)
            _draw(axis, rows[rows["kind_of"] == kind], colour, "-", 1.2)
        axis.axhline(0.0, color=style.MUTED, linewidth=0.6)
    layouts.label_outer(panels, "Lag (ms)", "Relative error")
    recordings = style.counted(len(values[layouts.RECORDING].drop_duplicates()), "recording")
    figure.suptitle(f"Error of correlograms; n = {recordings}, all sorters", x=0.01, ha="left")
    handles = [
        Line2D([], [], color=colour, label=f"{kind}-correlograms") for kind, colour in KINDS.items()
    ]
    if not beside.empty and len(names) > 1:
        label = f"{reference}, for comparison"
        handles.append(Line2D([], [], color="black", linestyle=":", label=label))
    style.outside_legend(figure, handles)
    return figure


def _draw(axis: Axes, rows: pd.DataFrame, colour: str, line: str, width: float) -> None:
    if rows.empty:
        return
    error = rows["error"].astype(float).to_numpy()
    weight = np.maximum(rows["pairs"].astype(float).to_numpy(), 1e-9)
    lags = rows["lag_ms"].astype(float).to_numpy()
    sums = (
        pd.DataFrame({"lag": lags, "error": error * weight, "weight": weight}).groupby("lag").sum()
    )
    axis.plot(
        sums.index, sums["error"] / sums["weight"], color=colour, linestyle=line, linewidth=width
    )
