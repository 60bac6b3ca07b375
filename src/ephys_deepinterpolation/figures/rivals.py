"""Every condition side by side: what it takes away, what it keeps, what sorting gains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.attenuation import attenuated_units
from ephys_deepinterpolation.figures.detectability import paired_with_reference
from ephys_deepinterpolation.figures.effects import effect_interval, in_scope
from ephys_deepinterpolation.figures.gain_noise import ENDPOINTS

CHANNEL = [*layouts.RECORDING, "channel"]


@style.styled
def plot_rivals(
    noise: pd.DataFrame,
    attenuation: pd.DataFrame,
    detectability: pd.DataFrame,
    effects: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw noise left, peak kept, change of d′ and gain in accuracy beside each other.

    Parameters
    ----------
    noise, attenuation, detectability, effects : DataFrame
        The tables of these names.
    reference : str, optional
        The reference condition, against which all is measured.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Four panels, a row per condition; a panel whose table is empty is left out.
    """
    columns = _columns(noise, attenuation, detectability, reference)
    pooled = in_scope(effects, datasets=False, sorters=False)
    judged = pd.DataFrame()
    if not pooled.empty:
        judged = pooled[pooled["measure"] == ENDPOINTS[0]].dropna(subset=["effect"])
    present = [
        *(table["condition"] for _, table, _ in columns),
        *([judged["condition"]] if len(judged) else []),
    ]
    if not present:
        return style.notice("Nothing to compare: nothing was measured but the reference.")
    together = pd.concat(present).to_frame("condition")
    names, colours, markers = style.drawn_conditions(together, reference, conditions)
    names = [name for name in names if name != reference]
    if not names:
        return style.notice("Nothing to compare: nothing was measured but the reference.")
    count = len(columns) + bool(len(judged))
    figure, axes = layouts.row_panels(names, count, 4, extra_height=0.15)
    for axis, (label, table, level) in zip(axes, columns, strict=False):
        axis.axvline(level, color="black", linewidth=0.8)
        layouts.draw_rows(axis, table, "value", names, colours, markers)
        layouts.note_recordings(axis, table, "")
        axis.set_xlabel(label, fontsize=7)
    if len(judged):
        _draw_effects(axes[-1], judged, names, colours, reference)
    return figure


def _columns(
    noise: pd.DataFrame,
    attenuation: pd.DataFrame,
    detectability: pd.DataFrame,
    reference: str | None,
) -> list[tuple[str, pd.DataFrame, float]]:
    """Return label, table with `value`, and the level at which nothing changed."""
    found = []
    if not noise.empty:
        pairs = paired_with_reference(noise, "noise_uv", reference, CHANNEL)
        found.append(
            ("Noise left\n(share)", pairs.assign(value=pairs["after"] / pairs["before"]), 1.0)
        )
    kept = attenuated_units(attenuation)
    if not kept.empty:
        others = kept[kept["condition"] != reference]
        found.append(
            ("Peak of true units kept\n(share)", others.assign(value=others["kept_peak"]), 1.0)
        )
    asked = style.asked_units(detectability)
    if not asked.empty:
        pairs = paired_with_reference(asked, "d_prime", reference, layouts.UNIT)
        change = pairs.assign(value=pairs["after"] - pairs["before"])
        found.append(("Change of d′ of\ntrue units", change, 0.0))
    return [(label, table, level) for label, table, level in found if not table.empty]


def _draw_effects(
    axis: Axes,
    judged: pd.DataFrame,
    names: Sequence[str],
    colours: dict[str, str],
    reference: str | None,
) -> None:
    """Draw the gain in accuracy, a marker for each of its endpoints."""
    endpoints = style.in_order(judged["endpoint"])
    offsets = np.linspace(-0.28, 0.28, len(endpoints)) if len(endpoints) > 1 else np.zeros(1)
    axis.axvline(0.0, color="black", linewidth=0.8)
    for endpoint, offset, marker in zip(endpoints, offsets, "ov^sD", strict=False):
        for _, row in judged[judged["endpoint"] == endpoint].iterrows():
            if row["condition"] not in names:
                continue
            place = list(names).index(row["condition"]) + offset
            interval = effect_interval(row)
            colour = colours[str(row["condition"])]
            if interval is not None:
                axis.hlines(place, *interval, color=colour, linewidth=0.9)
            axis.plot(float(row["effect"]), place, marker=marker, color=colour, markersize=3)
    marks = dict(zip("ov^sD", "○▽△□◇", strict=True))
    key = "  ".join(
        f"{marks[marker]} {endpoint.removeprefix('accuracy-')}"
        for endpoint, marker in zip(endpoints, "ov^sD", strict=False)
    )
    axis.set_title(key, fontsize=6.5)
    axis.set_xlabel(f"Change of accuracy\nagainst {reference}", fontsize=7)
