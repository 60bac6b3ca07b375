"""What a condition does to the shape and the time of spikes, by their size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.amplitude import amplitude_edges
from ephys_deepinterpolation.figures.attenuation import attenuated_units

NARROW_MS = 0.4
"""Time from trough to peak below which a spike counts as narrow."""

PANELS = {"kept_width": "Width kept", "cosine": "Cosine", "shift_us": "Shift (µs)"}
_IDEAL = {"kept_width": 1.0, "cosine": 1.0, "shift_us": 0.0}
_SHOWN = (0.02, 0.98)
"""Quantiles of a measure between which the axis reaches."""


def median_by_size(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the median of a measure in bins of the expected peak that hold as many units each.

    Parameters
    ----------
    rows : DataFrame, one row per true unit x replicate
        `expected_peak_uv` in µV, and the measure.
    column : str
        The measure; rows where it is empty are left out.

    Returns
    -------
    DataFrame, one row per bin
        `peak_uv` (median of the bin, µV) and `median`.
    """
    known = rows.dropna(subset=["expected_peak_uv", column])
    peaks = known["expected_peak_uv"].to_numpy(float)
    if not len(peaks):
        return pd.DataFrame(columns=["peak_uv", "median"])
    edges = amplitude_edges(peaks)
    member = np.searchsorted(edges[1:-1], peaks, side="right")
    values = known[column].to_numpy(float)
    table = pd.DataFrame({"bin": member, "peak_uv": peaks, "median": values})
    return table.groupby("bin").median().reset_index(drop=True)


@style.styled
def plot_spike_shape(
    attenuation: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw width, cosine and shift of each unit's average spike against its expected peak.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        The table `attenuation`; `expected_peak_uv` in µV, `shift_us` in µs, `width_ms` in ms.
    reference : str, optional
        The reference condition, whose medians are dotted in every panel.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Three panels per condition: a point per true unit, a triangle where its spike is narrow,
        and the median in bins of the peak.
    """
    values = attenuated_units(attenuation)
    if values.empty:
        return style.notice("No true unit: there is no shape to hold against what it should be.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(
        names, colours, panel_height=1.1, each=len(PANELS), extra_height=0.6
    )
    width = values["width_ms"] if "width_ms" in values else pd.Series(np.nan, values.index)
    narrow = width.astype(float) < NARROW_MS
    limits = {column: _limits(values[column], _IDEAL[column]) for column in PANELS}
    for name, axes in zip(names, panels, strict=True):
        rows, beside = layouts.beside_reference(values, name, reference)
        for axis, column in zip(axes, PANELS, strict=True):
            axis.axhline(_IDEAL[column], color=style.MUTED, linewidth=0.6)
            for chosen, marker in ((~narrow, "o"), (narrow, "^")):
                shown = rows[chosen.loc[rows.index]]
                _draw_units(axis, shown, column, limits[column], colours[name], marker)
            _draw_medians(axis, rows, column, colours[name], "-")
            _draw_medians(axis, beside, column, "black", ":")
            axis.set_ylim(*limits[column])
            axis.set_xscale("log")
            style.log_ticks(axis.xaxis)
            axis.tick_params(labelsize=6.5)
        layouts.note_count(axes[1], f"n = {len(rows)} units")
    layouts.label_outer(panels, "Expected peak (µV)", list(PANELS.values()))
    style.outside_legend(figure, _legend(bool(narrow.any()), reference, len(names) > 1))
    return figure


def _limits(values: pd.Series, ideal: float) -> tuple[float, float]:
    """Return limits that hold nearly all of the values and the ideal, with room at the ends."""
    known = values.dropna().to_numpy(float)
    if not len(known):
        return ideal - 0.1, ideal + 0.1
    low, high = np.quantile(known, _SHOWN)
    low, high = min(float(low), ideal), max(float(high), ideal)
    room = 0.15 * ((high - low) or 0.1)
    return low - room, high + room


def _draw_units(
    axis: Axes,
    rows: pd.DataFrame,
    column: str,
    limits: tuple[float, float],
    colour: str,
    marker: str,
) -> None:
    axis.scatter(
        rows["expected_peak_uv"].astype(float),
        rows[column].astype(float).clip(*limits),
        s=7 if marker == "o" else 12,
        color=colour,
        alpha=0.45,
        marker=marker,
        linewidth=0,
        clip_on=False,
        rasterized=len(rows) > 300,
    )


def _draw_medians(axis: Axes, rows: pd.DataFrame, column: str, colour: str, line: str) -> None:
    medians = median_by_size(rows, column)
    axis.plot(
        medians["peak_uv"].astype(float),
        medians["median"].astype(float),
        color=colour,
        linestyle=line,
        linewidth=1.2,
    )


def _legend(narrow: bool, reference: str | None, compared: bool) -> list[Line2D]:
    handles = [
        style.marker_handle("a true unit", style.MUTED, "o"),
        Line2D([], [], color=style.MUTED, label="median by size"),
    ]
    if narrow:
        label = f"narrow, below {NARROW_MS:g} ms"
        handles.insert(1, style.marker_handle(label, style.MUTED, "^"))
    if reference is not None and compared:
        handles.append(
            Line2D([], [], color="black", linestyle=":", label=f"{reference}, the same recordings")
        )
    return handles
