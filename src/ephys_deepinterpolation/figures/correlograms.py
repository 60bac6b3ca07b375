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


PANELS = {"error": "Relative error", "bias": "Bias"}


@style.styled
def plot_correlograms(
    correlograms: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw error and bias of auto- and cross-correlograms against the lag, by condition.

    Parameters
    ----------
    correlograms : DataFrame, one row per condition x sorter x kind x lag x replicate
        The table `correlograms`; `lag_ms` in ms, `error` and `bias` over the mean true count.
    reference : str, optional
        The reference condition; dotted beside the others, for the same units.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Two panels per condition, a line per kind: means over sorters and recordings, weighted by
        pairs.
    """
    values = correlograms if correlograms.empty else correlograms.dropna(subset=["error"])
    if values.empty:
        return style.notice("No sorted unit has a true one whose correlogram it could be held to.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(names, colours, panel_height=1.15, each=len(PANELS))
    for name, axes in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        for axis, column in zip(axes, PANELS, strict=True):
            axis.axhline(0.0, color=style.MUTED, linewidth=0.6)
            axis.tick_params(labelsize=6.5)
            for kind, colour in KINDS.items():
                of_kind = rows[rows["kind_of"] == kind]
                if name != reference:
                    _draw(axis, of_kind, f"reference_{column}", colour, ":", 0.9)
                _draw(axis, of_kind, column, colour, "-", 1.2)
    for alike in zip(*panels, strict=True):
        lows, highs = zip(*(axis.get_ylim() for axis in alike), strict=True)
        for axis in alike:
            axis.set_ylim(min(lows), max(highs))
    layouts.label_outer(panels, "Lag (ms)", list(PANELS.values()))
    recordings = layouts.count_recordings(values)
    figure.suptitle(f"Error of correlograms; n = {recordings}, all sorters", x=0.01, ha="left")
    handles = [
        Line2D([], [], color=colour, label=f"{kind}-correlograms") for kind, colour in KINDS.items()
    ]
    if set(names) - {reference}:
        label = f"{reference}, the same units"
        handles.append(Line2D([], [], color="black", linestyle=":", label=label))
    style.outside_legend(figure, handles)
    return figure


def _draw(
    axis: Axes, rows: pd.DataFrame, column: str, colour: str, line: str, width: float
) -> None:
    if rows.empty or column not in rows:
        return
    rows = rows.dropna(subset=[column])
    weight = np.maximum(rows["pairs"].astype(float).to_numpy(), 1e-9)
    weighted = rows[column].astype(float).to_numpy() * weight
    lags = rows["lag_ms"].astype(float).to_numpy()
    sums = pd.DataFrame({"lag": lags, "sum": weighted, "weight": weight}).groupby("lag").sum()
    axis.plot(
        sums.index, sums["sum"] / sums["weight"], color=colour, linestyle=line, linewidth=width
    )
