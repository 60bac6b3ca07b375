"""How much of each part of the noise a condition passes, by frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

INPUT = "input"


@style.styled
def plot_noise_transfer(
    noise_transfer: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the gain of each part of the noise against frequency, a panel per condition.

    Parameters
    ----------
    noise_transfer : DataFrame, one row per part x frequency x condition x replicate
        The table `noise_transfer`; `frequency_hz` in Hz, `gain` and `coherence` without unit.
    reference : str, optional
        The reference condition, by which gains are measured; not drawn.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Solid: gain of each part, the mean over recordings thick and each recording thin; dashed:
        coherence of the output with the whole input.
    """
    values = noise_transfer
    if not values.empty:
        values = values[values["condition"] != reference].dropna(subset=["gain"])
    if values.empty:
        return style.notice("Nothing to compare: no condition but the reference was measured.")
    names, title_colours, _ = style.drawn_conditions(values, reference, conditions)
    parts = style.in_order(values["part"], [INPUT])
    colours = dict(zip(parts, ("black", *style.CONDITION_COLOURS), strict=False))
    figure, panels = layouts.small_multiples(names, title_colours)
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        for level in (0.0, 1.0):
            axis.axhline(level, color=style.MUTED, linestyle=":", linewidth=0.8)
        for part in parts:
            _draw_part(axis, rows[rows["part"] == part], "gain", colours[part], "-")
        _draw_part(axis, rows[rows["part"] == INPUT], "coherence", colours.get(INPUT, "k"), "--")
        axis.set_xscale("log")
        style.log_ticks(axis.xaxis, (1.0, 3.0))
        axis.set_ylim(-0.05, max(1.3, min(2.0, float(rows["gain"].quantile(0.99)) * 1.05)))
        axis.tick_params(axis="x", labelsize=6.5)
    layouts.label_outer(panels, "Frequency (Hz)", "Gain")
    recordings = layouts.count_recordings(values)
    figure.suptitle(f"Noise passed, by frequency; n = {recordings}", x=0.01, ha="left")
    handles = [
        Line2D([], [], color=colours[part], label="whole input" if part == INPUT else part)
        for part in parts
    ]
    if INPUT in parts:
        handles.append(Line2D([], [], color="black", linestyle="--", label="coherence with input"))
    style.outside_legend(figure, handles)
    return figure


def _draw_part(axis: Axes, rows: pd.DataFrame, column: str, colour: str, line: str) -> None:
    if rows.empty:
        return
    wide = rows.pivot_table(index="frequency_hz", columns=layouts.RECORDING, values=column)
    frequencies = wide.index.to_numpy(float)
    positive = frequencies > 0
    if wide.shape[1] > 1:
        axis.plot(
            frequencies[positive],
            wide.to_numpy(float)[positive],
            color=colour,
            linewidth=0.4,
            alpha=0.4,
            linestyle=line,
            rasterized=wide.size > 20_000,
        )
    mean = np.nanmean(wide.to_numpy(float)[positive], axis=1)
    axis.plot(frequencies[positive], mean, color=colour, linewidth=1.3, linestyle=line)
