"""How much of a spike's peak each condition keeps, by its size, its width and its rate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

COLOUR_MAP = "PuOr"
NORM = TwoSlopeNorm(vmin=0.4, vcenter=1.0, vmax=1.3)
BINS = {
    "peak_uv": ("Peak (µV)", (0.0, 15.0, 30.0, 80.0, np.inf)),
    "width_ms": ("Width (ms)", (0.0, 0.2, 0.35, 0.5, np.inf)),
    "firing_rate_hz": ("Rate (1/s)", (0.0, 2.0, 5.0, 10.0, np.inf)),
}


def attenuated_units(attenuation: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of true units outside the background whose kept peak is known."""
    if attenuation.empty:
        return attenuation
    return style.asked_units(attenuation).dropna(subset=["kept_peak"])


def kept_by_bin(
    attenuation: pd.DataFrame, column: str, edges: Sequence[float], value: str = "kept_peak"
) -> pd.DataFrame:
    """Return the median kept peak of each condition in each bin of a property of the units.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        Of units asked for.
    column : str
        The property.
    edges : sequence of float
        Of the bins, ascending; a bin holds its lower edge.
    value : str
        Another column, of this table or of another with one row per unit, in place of `kept_peak`.

    Returns
    -------
    DataFrame, one row per condition
        One column per bin that holds a unit, named by its bounds and its number of units, a
        range where a condition does not exist for every recording.
    """
    values = attenuation[column].astype(float)
    member = pd.cut(values, list(edges), right=False, labels=False)
    columns = {}
    conditions = attenuation["condition"].unique()
    for index, (low, high) in enumerate(itertools.pairwise(edges)):
        rows = attenuation[member == index]
        if rows.empty:
            continue
        each = rows[[*layouts.RECORDING, "condition", "unit"]].drop_duplicates()
        units = each.groupby("condition").size().reindex(conditions, fill_value=0)
        least, most = units.min(), units.max()
        number = f"{most}" if least == most else f"{least}–{most}"
        name = (
            f"≥ {low:g}" if np.isinf(high) else f"< {high:g}" if low == 0 else f"{low:g}–{high:g}"
        )
        kept = rows.groupby("condition", sort=False)[value]
        columns[f"{name}\nn = {number}"] = kept.median().astype(float)
    return pd.DataFrame(columns)


@style.styled
def plot_attenuation(
    attenuation: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the median share of the peak that is kept, a row of cells per condition.

    Parameters
    ----------
    attenuation : DataFrame, one row per true unit x condition x replicate
        The table `attenuation`; `kept_peak` is 1 where the average spike is as large as expected.
    reference : str, optional
        The reference condition, drawn as well: it checks the ruler.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Three blocks of cells: by peak (µV), by width (ms), by firing rate (1/s).
    """
    values = attenuated_units(attenuation)
    if values.empty:
        return style.notice("No true unit: there is no peak to hold against what it should be.")
    names = style.in_order(values["condition"], style.study_conditions(values, conditions))
    blocks = {
        column: kept_by_bin(values, column, edges).reindex(names)
        for column, (_, edges) in BINS.items()
        if column in values and values[column].notna().any()
    }
    figure = Figure(figsize=(style.FULL_WIDTH, 1.5 + 0.22 * len(names)), layout="constrained")
    widths = [max(1, block.shape[1]) for block in blocks.values()]
    axes = figure.subplots(1, len(blocks), squeeze=False, width_ratios=widths)[0]
    for axis, (column, block) in zip(axes, blocks.items(), strict=True):
        image = layouts.draw_cells(axis, block, NORM, COLOUR_MAP)
        axis.set_xlabel(BINS[column][0])
        if axis is not axes[0]:
            axis.set_yticks([])
    bar = figure.colorbar(image, ax=list(axes), extend="both", pad=0.01, aspect=20)
    bar.set_label("Peak kept")
    bar.set_ticks([0.4, 0.6, 0.8, 1.0, 1.15, 1.3])
    recordings = layouts.count_recordings(values)
    title = f"Share of the peak kept, median over true units; {recordings}"
    figure.suptitle(title, x=0.01, ha="left")
    return figure
