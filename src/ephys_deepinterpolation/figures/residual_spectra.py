"""Spectrum of what a condition puts out and of what it took away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

TRACES = {
    "reference": (style.REFERENCE_COLOUR, "-", "reference"),
    "output": ("#0173b2", "-", "output of the condition"),
    "removed": ("#d55e00", "--", "removed: reference − output"),
}


def trace_handles(present: Sequence[str]) -> list[Line2D]:
    """Return the entries of a legend for the traces that a table holds."""
    return [
        Line2D([], [], color=colour, linestyle=cast(Any, line), label=label)
        for name, (colour, line, label) in TRACES.items()
        if name in present
    ]


@style.styled
def plot_residual_spectra(
    residual_spectra: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw power spectral densities, a panel per condition.

    Parameters
    ----------
    residual_spectra : DataFrame, one row per trace x frequency x condition x replicate
        The table `residual_spectra`; `density_uv2_per_hz` in µV²/Hz.
    reference : str, optional
        The reference condition, which removes nothing: not drawn for itself.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A line per trace, the geometric mean over recordings.
    """
    values = residual_spectra
    if not values.empty:
        values = values[values["condition"] != reference]
        values = values[(values["density_uv2_per_hz"] > 0) & (values["frequency_hz"] > 0)]
    if values.empty:
        return style.notice("Nothing to compare: no condition but the reference was measured.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(names, colours)
    largest = float(values["density_uv2_per_hz"].max())
    for name, (axis,) in zip(names, panels, strict=True):
        _draw(axis, values[values["condition"] == name])
        axis.set_ylim(largest * 1e-6, largest * 3)
        axis.tick_params(labelsize=6.5)
    layouts.label_outer(panels, "Frequency (Hz)", "µV²/Hz")
    recordings = layouts.count_recordings(values)
    title = f"Power spectral density, median over channels; n = {recordings}"
    figure.suptitle(title, x=0.01, ha="left")
    style.outside_legend(figure, trace_handles(list(values["trace"].unique())))
    return figure


def _draw(axis: Axes, rows: pd.DataFrame) -> None:
    for name, (colour, line, _) in TRACES.items():
        of_trace = rows[rows["trace"] == name]
        if of_trace.empty:
            continue
        logs = of_trace.assign(log=np.log(of_trace["density_uv2_per_hz"].to_numpy(float)))
        mean = logs.astype({"frequency_hz": float}).groupby("frequency_hz")["log"].mean()
        axis.plot(mean.index, np.exp(mean), color=colour, linestyle=line, linewidth=1.1)
    axis.set_xscale("log")
    axis.set_yscale("log")
    style.log_ticks(axis.xaxis, (1.0, 3.0))
