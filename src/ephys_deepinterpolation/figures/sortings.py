"""How many units each sorter returned, and of which class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ephys_deepinterpolation.figures import layouts, style

CLASSES = {
    "well_detected": ("well detected", "#0173b2"),
    "overmerged": ("overmerged", "#cc78bc"),
    "redundant": ("redundant", "#de8f05"),
    "false_positive": ("false positive", "#a33c00"),
}
OTHER = ("other", "#c9c9c9")
LETTERS = {"failed": "F", "timeout": "T", "out_of_memory": "M", "empty": "N"}
"""Of what became of some of the sortings that a bar is the mean of."""
UNKNOWN = ("sorted, no ground truth", "#8f8f8f")


def count_classes(row: pd.Series) -> tuple[dict[str, int], bool]:
    """Split the sorted units of one sorting into classes that add up to their number.

    Parameters
    ----------
    row : Series
        One row of the table `sortings`, with status ``ok``.

    Returns
    -------
    dict
        Label of the class to its number. Where the classes name more units than were sorted
        (a unit may be of two classes), the last ones are drawn smaller.
    bool
        Whether that happened.
    """
    total = 0 if pd.isna(row["sorted_units"]) else int(row["sorted_units"])
    if all(pd.isna(row[name]) for name in CLASSES):
        return {UNKNOWN[0]: total}, False
    left = total
    counts: dict[str, int] = {}
    overlap = False
    for name, (label, _) in CLASSES.items():
        number = 0 if pd.isna(row[name]) else int(row[name])
        overlap = overlap or number > left
        counts[label] = min(number, left)
        left -= counts[label]
    counts[OTHER[0]] = left
    return counts, overlap


@style.styled
def plot_sortings(
    sortings: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the number of sorted units by class, one panel per dataset and sorter.

    Parameters
    ----------
    sortings : DataFrame, one row per condition x sorter x repeat x replicate
        The table `sortings`. With replicates or repeats, the mean over those that ran is drawn;
        with many panels, the mean over all datasets, a panel per sorter.
    reference : str, optional
        The reference condition, marked as such.
    conditions : sequence of str, optional
        Every condition of the study, in the order to draw.

    Returns
    -------
    Figure
        A stacked bar per condition, the reference in bold; a dashed line at the true units.
    """
    if sortings.empty:
        return style.notice("Nothing was sorted.")
    known = style.study_conditions(sortings, conditions)
    table = style.pool_datasets(sortings)
    names = style.in_order(sortings["condition"], known)
    keys = style.dataset_sorter_panels(table)
    height = max(0.9, 0.22 * len(names)) + 0.9
    columns = 2 if len(keys) in (1, 2, 4) else 3
    several = bool((table.groupby(["dataset", "condition", "sorter"]).size() > 1).any())
    figure, axes = style.panels(len(keys), columns, height, extra_height=0.6, sharey=True)
    drawn: list[str] = []
    overlaps = False
    for axis, (dataset, sorter) in zip(axes, keys, strict=True):
        rows = style.rows_of(table, {"dataset": dataset, "sorter": sorter})
        labels, overlap = _draw_panel(axis, rows, names)
        if table is not sortings:
            _draw_rings(axis, rows, names, reference)
        layouts.name_rows(axis, names, reference)
        axis.grid(visible=False)
        drawn += labels
        overlaps = overlaps or overlap
        axis.set_title(style.fitted(axis, f"{sorter}\n{dataset}"))
        units = rows[["sorted_units", "true_units"]].to_numpy(float, na_value=np.nan)
        axis.set_xlim(0, 1.35 * float(np.nanmax(units, initial=1.0)))
    present = [status for status in LETTERS if (sortings["status"] == status).any()]
    if several and present:
        letters = (f"{LETTERS[status]} {style.fate(status)}" for status in present)
        title = f"Of the sortings of a bar: {', '.join(letters)}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=7.5, color=style.WARNING)
    handles = _legend_handles(drawn, table, several, overlaps)
    if table is not sortings:
        handles += layouts.ring_handles(reference, names)
    style.outside_legend(figure, handles, columns=4)
    return figure


def _draw_panel(axis: Axes, rows: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], bool]:
    colours = dict([*CLASSES.values(), OTHER, UNKNOWN])
    drawn: list[str] = []
    overlaps = False
    for position, name in enumerate(names):
        of_name = rows[rows["condition"] == name]
        if of_name.empty:
            axis.text(0, position, " not run", color=style.MUTED, va="center", fontsize=6.5)
            continue
        ran = of_name[~style.broken(of_name["status"])]
        splits = [count_classes(row) for _, row in ran.iterrows()]
        means = pd.DataFrame([counts for counts, _ in splits]).fillna(0).mean()
        base = 0.0
        for label, number in means.items():
            if number > 0:
                axis.barh(position, number, 0.68, left=base, color=colours[str(label)])
                base += float(number)
                drawn.append(str(label))
        overlap = any(flag for _, flag in splits)
        overlaps = overlaps or overlap
        _write_total(axis, position, base, of_name, overlap)
    true_units = rows["true_units"].dropna()
    if len(true_units):
        axis.axvline(float(true_units.mean()), color="black", linestyle="--", linewidth=1.0)
    several = len(rows) > rows["condition"].nunique()
    most = int(rows.groupby("condition").size().max())
    axis.set_xlabel(f"Sorted units, mean of n = {most}" if several else "Sorted units")
    return drawn, overlaps


def _draw_rings(
    axis: Axes, rows: pd.DataFrame, names: Sequence[str], reference: str | None
) -> None:
    """Draw the reference's mean beside each bar, over the recordings of the bar."""
    for position, name in enumerate(names):
        _, beside = layouts.beside_reference(rows, name, reference)
        ended = beside[~style.broken(beside["status"])]
        if len(ended):
            layouts.draw_ring(axis, float(ended["sorted_units"].astype(float).mean()), position)


def _write_total(
    axis: Axes, position: int, total: float, rows: pd.DataFrame, overlap: bool
) -> None:
    ran = rows[~style.broken(rows["status"])]
    fates = rows.loc[rows["status"] != "ok", "status"].value_counts()
    if ran.empty:
        words = ", ".join(style.fate(status) for status in fates.index)
        axis.text(0, position, f" {words}", color=style.WARNING, va="center", fontsize=7.5)
        return
    text = f"{total:g}" if len(ran) == 1 else f"{total:.1f}"
    text += "*" if overlap else ""
    if len(ran) > 1:
        totals = ran["sorted_units"].fillna(0).to_numpy(float)
        axis.scatter(totals, [position] * len(totals), s=6, color="black", linewidth=0, zorder=3)
        total = max(total, float(totals.max()))
    if len(rows) > 1 and len(fates):
        counts = (f"{number} {LETTERS[str(status)]}" for status, number in fates.items())
        text = f"{text}; {', '.join(counts)}"
    colour = style.WARNING if len(fates) else "black"
    axis.annotate(
        text,
        (total, position),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )


def _legend_handles(
    drawn: Sequence[str], sortings: pd.DataFrame, several: bool, overlaps: bool
) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(color=colour, label=label)
        for label, colour in [*CLASSES.values(), OTHER, UNKNOWN]
        if label in drawn
    ]
    if sortings["true_units"].notna().any():
        handles.append(Line2D([], [], color="black", linestyle="--", label="true units"))
    if several:
        handles.append(
            Line2D([], [], color="black", marker=".", linestyle="none", label="one sorting")
        )
    if overlaps:
        handles.append(Line2D([], [], linestyle="none", label="* some units are of two classes"))
    return handles
