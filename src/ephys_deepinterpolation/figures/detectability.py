"""How well an optimal detector could tell each true unit's spikes, before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

COLOUR_MAP = "viridis"


def paired_with_reference(
    table: pd.DataFrame, value: str, reference: str | None, keys: Sequence[str]
) -> pd.DataFrame:
    """Return rows of the other conditions with the reference's value of the same unit beside them.

    Parameters
    ----------
    table : DataFrame
        With `condition`, the keys and the value.
    value : str
        The column to pair.
    reference : str or None
        The reference condition.
    keys : sequence of str
        What makes two rows the same but for their condition.

    Returns
    -------
    DataFrame
        The other conditions' rows that have a partner, with `before` and `after`.
    """
    known = table.dropna(subset=[value]).astype({value: float})
    before = known.loc[known["condition"] == reference, [*keys, value]]
    others = known[known["condition"] != reference].assign(after=lambda rows: rows[value])
    return others.merge(before.rename(columns={value: "before"}), on=list(keys))


@style.styled
def plot_detectability(
    detectability: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw d′ of each true unit with the reference (x) against that with each condition (y).

    Parameters
    ----------
    detectability : DataFrame, one row per true unit x condition x replicate
        The table `detectability`; `d_prime` without unit, `peak_uv` in µV.
    reference : str, optional
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per condition, a point per true unit coloured by its peak.
    """
    asked = style.asked_units(detectability)
    pairs = pd.DataFrame()
    if not asked.empty:
        pairs = paired_with_reference(asked, "d_prime", reference, layouts.UNIT)
    if pairs.empty:
        return style.notice("Nothing to compare: no true unit has a d′ in two conditions.")
    known, colours, _ = style.drawn_conditions(asked, reference, conditions)
    names = style.in_order(pairs["condition"], known)
    figure, panels = layouts.small_multiples(names, colours, panel_height=1.7, extra_height=0.7)
    peaks = pairs["peak_uv"].astype(float)
    positive = peaks[peaks > 0]
    norm = LogNorm(positive.min() / 1.01, positive.max() * 1.01)
    ends = pairs[["before", "after"]].to_numpy(float)
    limits = (min(0.0, float(ends.min())), 1.05 * float(ends.max()))
    for name, (axis,) in zip(names, panels, strict=True):
        _draw(axis, pairs[pairs["condition"] == name], norm, limits)
    layouts.label_outer(panels, f"d′, {reference}", "d′ after")
    image = ScalarMappable(norm, COLOUR_MAP)
    every = (axis for (axis,) in panels)
    bar = style.colour_bar(figure, image, every, "Peak of the true unit (µV)")
    style.log_ticks(bar.ax.xaxis)
    return figure


def _draw(axis: Axes, pairs: pd.DataFrame, norm: LogNorm, limits: tuple[float, float]) -> None:
    axis.axline((0, 0), slope=1, color=style.MUTED, linewidth=0.8, zorder=1)
    axis.scatter(
        pairs["before"],
        pairs["after"],
        c=pairs["peak_uv"].astype(float),
        norm=norm,
        cmap=COLOUR_MAP,
        s=10,
        edgecolor="#333333",
        linewidth=0.25,
        zorder=2,
        rasterized=len(pairs) > 300,
    )
    axis.set_xlim(*limits)
    axis.set_ylim(*limits)
    difference = float(np.mean(pairs["after"] - pairs["before"]))
    axis.text(
        0.04,
        0.97,
        f"mean {style.signed(difference, 2)}\nn = {style.counted(len(pairs), 'unit')}",
        transform=axis.transAxes,
        va="top",
        fontsize=6.5,
    )
