"""How far the sorters agree with each other, by condition."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style


@style.styled
def plot_agreement(
    agreement: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the share of units that two sorters both found, a row per condition.

    Parameters
    ----------
    agreement : DataFrame, one row per condition x pair of sorters x replicate
        The table `agreement`; `share` and `matched`.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        The share and the number of units in agreement, means over pairs of sorters.
    """
    values = agreement if agreement.empty else agreement.dropna(subset=["share"])
    if values.empty:
        return style.notice("Nothing to compare: no two sorters found units in one condition.")
    names, colours, markers = style.drawn_conditions(values, reference, conditions)
    figure, axes = layouts.row_panels(names, 2, 2, extra_height=0.25)
    labels = {"share": "Share of units both sorters found", "matched": "Units both sorters found"}
    for axis, (column, label) in zip(axes, labels.items(), strict=True):
        layouts.draw_rows(axis, values, column, names, colours, markers, reference)
        layouts.name_rows(axis, names, reference)
        layouts.start_at_zero(axis)
        axis.set_xlabel(label)
    pairs = len(values[["sorter", "other_sorter"]].drop_duplicates())
    layouts.note_recordings(axes[0], values, f"Mean over {style.counted(pairs, 'pair')} of sorters")
    style.outside_legend(figure, layouts.ring_handles(reference, names))
    return figure
