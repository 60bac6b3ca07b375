"""What a condition gains in sorted units, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.detectability import paired_with_reference

MEASURES = {
    "well_detected": "Well detected",
    "sorted_units": "Sorted units",
    "false_positive": "False positives",
    "redundant": "Redundant",
}
SORTING = [*layouts.RECORDING, "sorter", "repeat"]


@style.styled
def plot_cost(
    sortings: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw changes in the numbers of good and of bad units beside each other.

    Parameters
    ----------
    sortings : DataFrame, one row per condition x sorter x repeat x replicate
        The table `sortings`.
    reference : str, optional
        The reference condition, which is subtracted: same recording, sorter and repeat.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per count, a row per condition: the mean difference over recordings.
    """
    pairs = {}
    ended = sortings if sortings.empty else sortings[~style.broken(sortings["status"])]
    for column in MEASURES if not ended.empty else ():
        rows = paired_with_reference(ended, column, reference, SORTING)
        if not rows.empty:
            pairs[column] = rows.assign(difference=rows["after"] - rows["before"])
    if not pairs:
        return style.notice("Nothing to compare: no sorting of two conditions came to an end.")
    known, colours, markers = style.drawn_conditions(sortings, reference, conditions)
    together = pd.concat(pairs.values())
    names = style.in_order(together["condition"], known)
    figure, axes = layouts.row_panels(names, len(pairs), 4)
    for axis, (column, rows) in zip(axes, pairs.items(), strict=True):
        axis.axvline(0.0, color="black", linewidth=0.8)
        layouts.draw_rows(axis, rows, "difference", names, colours, markers)
        layouts.note_recordings(axis, rows, MEASURES[column])
        axis.set_xlabel(f"Change per sorting,\nagainst {reference}", fontsize=7.5)
    return figure
