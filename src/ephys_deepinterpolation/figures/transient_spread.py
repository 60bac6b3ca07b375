"""How far a saturation or a stimulation artifact spreads through each condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

AXES = {"time_ms": "Time from it (ms)", "distance_um": "Distance from it (µm)"}
COLOURS = ("#0173b2", "#d55e00", "#029e73", "#cc78bc")


@style.styled
def plot_transient_spread(
    transient_spread: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw what a transient changes in the output, against time and distance from it.

    Parameters
    ----------
    transient_spread : DataFrame, one row per condition x transient x axis x offset x replicate
        The table `transient_spread`; `offset` in ms or µm, `difference_uv` in µV.
    reference : str, optional
        The reference condition, dotted in every panel.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A band of two panels per condition, time above and distance below, a line per transient;
        a tick at the top marks how far it reaches.
    """
    if transient_spread.empty:
        return style.notice("No transient was put into a recording.")
    names, colours, _ = style.drawn_conditions(transient_spread, reference, conditions)
    transients = style.in_order(transient_spread["transient"])
    present = [axis for axis in AXES if (transient_spread["axis"] == axis).any()]
    figure, panels = layouts.small_multiples(
        names,
        colours,
        panel_height=1.25,
        each=len(present),
        extra_height=0.6,
        sharex=False,
        sharey=True,
    )
    for name, axes in zip(names, panels, strict=True):
        rows, beside = layouts.beside_reference(transient_spread, name, reference)
        for axis, kind in zip(axes, present, strict=True):
            for transient, colour in zip(transients, COLOURS, strict=False):
                here = {"axis": kind, "transient": transient}
                _draw(axis, style.rows_of(beside, here), colour, ":", 0.8)
                line = ":" if name == reference else "-"
                _draw(axis, style.rows_of(rows, here), colour, line, 1.2)
                _mark_reach(axis, style.rows_of(rows, here), colour)
            _finish(axis, kind)
    layouts.label_left(panels, "Change (µV)", fontsize=7)
    recordings = layouts.count_recordings(transient_spread)
    figure.suptitle(
        f"Change of the output by a transient; n = {recordings}",
        x=0.01,
        ha="left",
    )
    handles = [
        Line2D([], [], color=colour, label=name.replace("_", " "))
        for name, colour in zip(transients, COLOURS, strict=False)
    ]
    handles.append(
        Line2D([], [], color="black", linestyle=":", label=f"{reference}, the same recordings")
    )
    handles.append(
        Line2D([], [], color="black", marker="v", markersize=4, linestyle="none", label="reach")
    )
    style.outside_legend(figure, handles)
    return figure


def _draw(axis: Axes, rows: pd.DataFrame, colour: str, line: str, width: float) -> None:
    if rows.empty:
        return
    mean = rows.astype({"offset": float}).groupby("offset")["difference_uv"].mean().astype(float)
    axis.plot(mean.index, mean, color=colour, linestyle=line, linewidth=width)


def _mark_reach(axis: Axes, rows: pd.DataFrame, colour: str) -> None:
    reach = rows["reach"].astype(float).dropna()
    if len(reach):
        axis.plot(
            reach.mean(),
            1.0,
            marker="v",
            color=colour,
            markersize=4,
            transform=axis.get_xaxis_transform(),
            clip_on=False,
        )


def _finish(axis: Axes, kind: str) -> None:
    axis.set_yscale("symlog", linthresh=1.0)
    axis.set_yticks([0, 1, 10, 100, 1000])
    axis.tick_params(labelsize=6.5, labelbottom=True)
    axis.set_xlabel(AXES[kind], fontsize=6.5, labelpad=1)
    axis.axhline(0.0, color=style.MUTED, linewidth=0.5)
    low, _ = axis.get_ylim()
    axis.set_ylim(bottom=min(0.0, low) if np.isfinite(low) else 0.0)
