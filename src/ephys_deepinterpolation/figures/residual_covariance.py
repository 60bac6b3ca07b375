"""Correlation between contacts, by their distance, before and after a condition."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.residual_spectra import TRACES, trace_handles


@style.styled
def plot_residual_covariance(
    residual_covariance: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the correlation of channels against their distance, a panel per condition.

    Parameters
    ----------
    residual_covariance : DataFrame, one row per trace x distance bin x condition x replicate
        The table `residual_covariance`; `distance_um` in µm, `correlation` without unit.
    reference : str, optional
        The reference condition, which removes nothing: not drawn for itself.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A line per trace, the mean over recordings.
    """
    values = residual_covariance
    if not values.empty:
        values = values[values["condition"] != reference].dropna(subset=["correlation"])
    if values.empty:
        return style.notice("Nothing to compare: no condition but the reference was measured.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(names, colours)
    for name, (axis,) in zip(names, panels, strict=True):
        rows = values[values["condition"] == name]
        axis.axhline(0.0, color=style.MUTED, linestyle=":", linewidth=0.8)
        for trace, (colour, line, _) in TRACES.items():
            of_trace = rows[rows["trace"] == trace].astype({"distance_um": float})
            mean = of_trace.groupby("distance_um")["correlation"].mean().astype(float)
            if len(mean):
                axis.plot(
                    mean.index, mean, color=colour, linestyle=line, marker=".", markersize=3.5
                )
        axis.set_ylim(min(-0.1, float(values["correlation"].min())), 1.03)
    layouts.label_outer(panels, "Distance (µm)", "Correlation")
    recordings = layouts.count_recordings(values)
    figure.suptitle(f"Correlation between contacts; n = {recordings}", x=0.01, ha="left")
    style.outside_legend(figure, trace_handles(list(values["trace"].unique())))
    return figure
