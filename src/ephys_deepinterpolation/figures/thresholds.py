"""How the number of units that pass quality control moves with each threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.quality import SORTING, own_units

THRESHOLDS = {
    "snr": ("SNR of at least", "above"),
    "isi_violations_ratio": ("ISI violations below", "below"),
    "amplitude_cutoff": ("Amplitude cutoff below", "below"),
}


def count_by_threshold(
    values: pd.Series, thresholds: np.ndarray, side: str, sortings: int
) -> np.ndarray:
    """Return how many units per sorting lie on the good side of each threshold.

    Parameters
    ----------
    values : Series
        Of all units of all sortings; a unit without a value never passes.
    thresholds : ndarray, (n_thresholds,)
        In the unit of the values.
    side : str
        ``above`` counts values of at least the threshold, ``below`` those under it.
    sortings : int
        Number of sortings the units come from.

    Returns
    -------
    ndarray, (n_thresholds,)
        Mean number of units.
    """
    numbers = values.to_numpy(float, na_value=np.nan)[:, None]
    good = numbers >= thresholds if side == "above" else numbers < thresholds
    return good.sum(axis=0) / max(1, sortings)


@style.styled
def plot_thresholds(
    quality: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw how many units remain as the threshold on a quality metric moves.

    Parameters
    ----------
    quality : DataFrame, one row per unit x trains x condition x sorter x repeat x replicate
        The table `quality`; rows whose `trains` are ``own`` are counted.
    reference : str, optional
        The reference condition, grey in every panel.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A band of three panels per condition: units per sorting, mean over sorters and recordings.
    """
    own = own_units(quality)
    if not own.empty:
        names, colours, _ = style.drawn_conditions(own, reference, conditions)
        names = [name for name in names if name != reference]
    if own.empty or not names:
        return style.notice("Nothing to compare: no sorting but the reference's found a unit.")
    figure, panels = layouts.small_multiples(
        names, colours, panel_height=1.15, each=len(THRESHOLDS), sharex=False, sharey=True
    )
    for name, axes in zip(names, panels, strict=True):
        rows, beside = layouts.beside_reference(own, name, reference)
        for axis, (column, (label, side)) in zip(axes, THRESHOLDS.items(), strict=True):
            thresholds = _thresholds(own[column])
            for table, colour in ((beside, style.REFERENCE_COLOUR), (rows, colours[name])):
                if table.empty:
                    continue
                sortings = len(table[SORTING].drop_duplicates())
                counts = count_by_threshold(table[column], thresholds, side, sortings)
                axis.plot(thresholds, counts, color=colour)
            _finish(axis, label)
            if rows[column].isna().all():
                style.say(axis, "not known of any unit")
        sortings = len(rows[SORTING].drop_duplicates())
        layouts.note_count(axes[0], f"n = {sortings}")
    # All panels share y: limits that are set while lines are still to come would cut them.
    panels[0][0].set_ylim(bottom=0)
    layouts.label_left(panels, "Units left", fontsize=7)
    figure.suptitle("Units per sorting; n = sortings with units", x=0.01, ha="left")
    label = f"{reference}, the same sortings"
    style.outside_legend(figure, [Line2D([], [], color=style.REFERENCE_COLOUR, label=label)])
    return figure


def _thresholds(values: pd.Series) -> np.ndarray:
    known = values.astype(float).dropna()
    known = known[np.isfinite(known)]
    if known.empty:
        return np.linspace(0.0, 1.0, 50)
    return np.linspace(0.0, max(float(known.quantile(0.95)), 1e-3), 50)


def _finish(axis: Axes, label: str) -> None:
    axis.set_xlim(left=0)
    axis.tick_params(labelsize=6.5, labelbottom=True)
    axis.set_xlabel(label, fontsize=6.5, labelpad=1)
