"""Spikes put into a real recording: what a condition keeps of their peak and of their shape."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.attenuation import attenuated_units

COLOUR_MAP = "viridis"
PANELS = {"kept_peak": "Peak kept", "cosine": "Cosine"}


@style.styled
def plot_hybrid(
    attenuation: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw peak kept and cosine of injected units against their size, coloured by their width.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        The table `attenuation`; rows of datasets of the kind ``hybrid`` are drawn.
    reference : str, optional
        The reference condition; drawn last, for the noise of the measurement.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A band of two panels per condition, a point per injected unit.
    """
    values = attenuated_units(attenuation)
    values = values if values.empty else values[values["kind"] == "hybrid"]
    if values.empty:
        return style.notice("No hybrid dataset: no spike was put into a real recording.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    names = [name for name in names if name != reference] + [
        name for name in names if name == reference
    ]
    figure, panels = layouts.small_multiples(
        names,
        colours,
        panel_height=1.2,
        each=len(PANELS),
        extra_height=0.7,
        sharex=True,
        sharey="row",
    )
    widths = values["width_ms"].astype(float)
    norm = Normalize(widths.min(), widths.max())
    for name, axes in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        for axis, column in zip(axes, PANELS, strict=True):
            axis.axhline(1.0, color=style.MUTED, linestyle=":", linewidth=0.8)
            image = axis.scatter(
                rows["peak_uv"].astype(float),
                rows[column].astype(float),
                c=rows["width_ms"].astype(float),
                norm=norm,
                cmap=COLOUR_MAP,
                s=10,
                linewidth=0,
                rasterized=len(rows) > 300,
            )
            axis.set_xscale("log")
            style.log_ticks(axis.xaxis)
            axis.tick_params(labelsize=6.5)
            axis.set_ylim(min(0.0, float(values[column].min())), float(values[column].max()) + 0.05)
        layouts.note_count(axes[0], f"n = {len(rows)}")
    layouts.label_outer(panels, "Peak (µV)", list(PANELS.values()))
    every = (axis for axes in panels for axis in axes)
    style.colour_bar(figure, image, every, "Width of the true unit (ms)")
    return figure
