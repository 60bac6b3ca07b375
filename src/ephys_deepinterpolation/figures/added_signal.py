"""What a condition adds around true spikes: on channels, and at times, where there is no spike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.attenuation import attenuated_units

CLEAR = 3.0
"""Standard errors beyond which what was added is drawn as more than chance."""

PANELS = {"leak": "Elsewhere (µV)", "echo": "Before, after (µV)"}
PLACES = {
    "leak": ("leak_distance_um", "Distance of what is elsewhere (µm)", "viridis"),
    "echo": ("echo_lag_ms", "Time of what is before or after (ms)", "coolwarm"),
}
UNCLEAR = "#b0b0b0"


def clearly_added(rows: pd.DataFrame, kind: str) -> pd.Series:
    """Return which units have more added than three standard errors: by chance, one in a thousand.

    Parameters
    ----------
    rows : DataFrame, one row per true unit x condition x replicate
        With ``{kind}_uv`` and ``{kind}_standard_error_uv``, µV.
    kind : str
        ``leak`` or ``echo``.

    Returns
    -------
    Series of bool
    """
    return rows[f"{kind}_uv"] > CLEAR * rows[f"{kind}_standard_error_uv"]


@style.styled
def plot_added_signal(
    attenuation: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw what is added around each unit's spikes against their expected peak.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        The table `attenuation`; `leak_uv` and `echo_uv` with their standard errors in µV.
    reference : str, optional
        The reference condition; nothing can be added to it, and it is not drawn.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Two panels per condition: a point per true unit with its standard error, coloured by
        distance or lag where it is more than chance, grey otherwise.
    """
    values = attenuated_units(attenuation)
    if not values.empty:
        numbers = [f"{kind}{part}" for kind in PANELS for part in ("_uv", "_standard_error_uv")]
        numbers += ["expected_peak_uv", *(place for place, _, _ in PLACES.values())]
        values = values[values["condition"] != reference].astype(dict.fromkeys(numbers, float))
        values = values.dropna(subset=["leak_uv", "echo_uv"], how="all")
    if values.empty:
        return style.notice("No true unit around which anything could have been added.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    figure, panels = layouts.small_multiples(
        names,
        colours,
        panel_height=1.3,
        each=len(PANELS),
        extra_height=0.9,
    )
    norms = {"leak": _reach(values["leak_distance_um"], signed=False)}
    norms["echo"] = _reach(values["echo_lag_ms"], signed=True)
    for kind_place, kind in enumerate(PANELS):
        top = float(np.nanmax(values[f"{kind}_uv"].to_numpy(float), initial=0.0))
        low = float(np.nanmin(values[f"{kind}_uv"].to_numpy(float), initial=0.0))
        room = 0.12 * ((top - low) or 1.0)
        for name, axes in zip(names, panels, strict=True):
            axis = axes[kind_place]
            image = _draw(axis, values[values["condition"] == name], kind, norms[kind])
            axis.set_ylim(low - room, top + 3 * room)
            axis.set_xscale("log")
            style.log_ticks(axis.xaxis)
            axis.tick_params(labelsize=6.5)
        bar = figure.colorbar(
            image,
            ax=[axis for axes in panels for axis in axes],
            location="bottom" if kind == "leak" else "right",
            shrink=0.5,
            aspect=35,
        )
        bar.set_label(PLACES[kind][1], fontsize=7.5)
    layouts.label_outer(panels, "Expected peak (µV)", list(PANELS.values()))
    return figure


def _reach(places: pd.Series, signed: bool) -> Normalize:
    largest = float(np.nanmax(np.abs(places.to_numpy(float)), initial=1.0))
    return Normalize(-largest if signed else 0.0, largest)


def _draw(axis: Axes, rows: pd.DataFrame, kind: str, norm: Normalize):
    place, _, colour_map = PLACES[kind]
    clear = clearly_added(rows, kind)
    axis.axhline(0.0, color=style.MUTED, linewidth=0.6)
    axis.vlines(
        rows["expected_peak_uv"],
        rows[f"{kind}_uv"] - rows[f"{kind}_standard_error_uv"],
        rows[f"{kind}_uv"] + rows[f"{kind}_standard_error_uv"],
        color=UNCLEAR,
        linewidth=0.6,
        rasterized=len(rows) > 300,
    )
    faint = rows[~clear]
    axis.scatter(faint["expected_peak_uv"], faint[f"{kind}_uv"], s=5, color=UNCLEAR, linewidth=0)
    known = int(rows[f"{kind}_uv"].notna().sum())
    text = f"{int(clear.sum())} of {known} beyond {CLEAR:g} s.e."
    axis.text(
        0.03,
        0.97,
        text,
        transform=axis.transAxes,
        va="top",
        fontsize=6,
        color=style.MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
    )
    return axis.scatter(
        rows.loc[clear, "expected_peak_uv"],
        rows.loc[clear, f"{kind}_uv"],
        c=rows.loc[clear, place],
        norm=norm,
        cmap=colour_map,
        s=14,
        edgecolor="#333333",
        linewidth=0.4,
        zorder=3,
    )
