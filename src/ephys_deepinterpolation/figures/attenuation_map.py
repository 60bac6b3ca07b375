"""How much of a spike's peak each condition keeps, over the plane of its size and its width."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.attenuation import COLOUR_MAP, NORM, attenuated_units


@style.styled
def plot_attenuation_map(
    attenuation: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the share of the peak kept over the plane of peak and width, a panel per condition.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        The table `attenuation`; `peak_uv` in µV, `width_ms` in ms.
    reference : str, optional
        The reference condition; not drawn.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A point per true unit, coloured by the share of its peak that is kept.
    """
    values = attenuated_units(attenuation)
    if not values.empty:
        values = values[values["condition"] != reference].dropna(subset=["width_ms", "peak_uv"])
    if values.empty:
        return style.notice("No true unit whose peak and width are known.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(names, colours, extra_height=0.7)
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name].sort_values("kept_peak", ascending=False)
        image = axis.scatter(
            rows["peak_uv"].astype(float),
            rows["width_ms"].astype(float),
            c=rows["kept_peak"].astype(float),
            norm=NORM,
            cmap=COLOUR_MAP,
            s=14,
            edgecolor="#333333",
            linewidth=0.3,
            rasterized=len(rows) > 300,
        )
        axis.set_xscale("log")
        style.log_ticks(axis.xaxis)
        axis.tick_params(axis="x", labelsize=6.5)
        layouts.note_count(axis, f"n = {len(rows)}")
    layouts.label_outer(panels, "Peak (µV)", "Width (ms)")
    every = (axis for (axis,) in panels)
    bar = style.colour_bar(figure, image, every, "Share of the peak kept")
    bar.ax.set_xscale("linear")
    return figure
