"""Which parts of a synthetic recording pass a condition, and which are removed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style


@style.styled
def plot_noise_parts(
    noise_parts: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the share of each named part that is passed, one panel per synthetic dataset.

    Parameters
    ----------
    noise_parts : DataFrame, one row per part x condition x replicate
        The table `noise_parts`; `passed` has no unit, `level_uv` is in µV.
    reference : str, optional
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A marker per condition at the mean over replicates, replicates as small dots beside it;
        dotted lines at 0 (removed) and 1 (kept).
    """
    values = noise_parts if noise_parts.empty else noise_parts.dropna(subset=["passed"])
    if values.empty:
        return style.notice("No synthetic dataset: the parts of the signal are not known.")
    known = style.study_conditions(values, conditions)
    colours = style.condition_colours(known, reference)
    markers = style.condition_markers(known, reference)
    datasets = style.in_order(values["dataset"])
    figure, axes = style.panels(len(datasets), 2, panel_height=2.7, extra_height=0.3, sharey=True)
    for axis, dataset in zip(axes, datasets, strict=True):
        _draw_dataset(axis, values[values["dataset"] == dataset], known, colours, markers)
        axis.set_title(dataset, fontweight="bold")
    for axis in axes:
        axis.set_ylabel("Share passed (1 kept, 0 removed)")
    style.outside_legend(
        figure,
        [
            Line2D([], [], color=colours[name], marker=markers[name], linestyle="none", label=name)
            for name in style.in_order(values["condition"], known)
        ],
    )
    return figure


def _draw_dataset(
    axis: Axes,
    table: pd.DataFrame,
    known: Sequence[str],
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    parts = style.in_order(table["part"], ("units", "background", "correlated", "independent"))
    names = style.in_order(table["condition"], known)
    offsets = np.linspace(-0.3, 0.3, len(names)) if len(names) > 1 else np.zeros(1)
    for level in (0.0, 1.0):
        axis.axhline(level, color=style.MUTED, linestyle=":", linewidth=1.0, zorder=0)
    for offset, name in zip(offsets, names, strict=True):
        for position, part in enumerate(parts):
            rows = style.rows_of(table, {"condition": name, "part": part})
            if rows.empty:
                continue
            place = position + offset
            passed = rows["passed"].to_numpy(float)
            axis.plot(place, passed.mean(), marker=markers[name], color=colours[name], markersize=6)
            if len(passed) > 1:
                side = np.full(len(passed), place + 0.07)
                axis.scatter(side, passed, s=5, color=colours[name], alpha=0.7, linewidth=0)
    axis.set_xticks(range(len(parts)), [_part_label(table, part) for part in parts])
    axis.set_xlim(-0.5, len(parts) - 0.5)
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -0.08), max(high, 1.12))
    count = table["replicate"].nunique()
    axis.set_xlabel(
        "Part, and its level in the reference"
        + (f"\nmean of {count} replicates" if count > 1 else "")
    )


def _part_label(table: pd.DataFrame, part: str) -> str:
    level = table.loc[table["part"] == part, "level_uv"].mean()
    return f"{part}\n{level:.1f} µV" if np.isfinite(level) else part
