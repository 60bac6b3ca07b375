"""Three ways to show many conditions without a colour each: rows, small multiples, and cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.intervals import mean_interval

RECORDING = ["dataset", "replicate"]
UNIT = [*RECORDING, "unit"]
SORTING = [*RECORDING, "sorter", "other_sorter", "repeat"]
"""Columns by which two rows are of the same recording, sorted in the same way."""
ROW_HEIGHT = 0.2
RING: dict[str, Any] = {
    "marker": "o",
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
    "linestyle": "none",
}
LONGEST_TITLE = 17
"""Letters of a name that fit above a small panel."""
LONGEST_CELL = 8
"""Letters of ordinary size that fit below a cell."""


def row_panels(
    names: Sequence[str], count: int, columns: int, extra_height: float = 0.0, **arguments: Any
) -> tuple[Figure, list[Axes]]:
    """Return panels that share their rows, a row per condition, named at the left.

    Parameters
    ----------
    names : sequence of str
        The conditions, from top to bottom.
    count, columns : int
        Number of panels, and of panels side by side.
    extra_height : float
        Room for a legend, inches.
    **arguments
        For `Figure.subplots`.
    """
    height = max(0.6, ROW_HEIGHT * len(names)) + 0.75
    figure, axes = style.panels(
        count, columns, height, extra_height=extra_height, sharey=True, **arguments
    )
    for axis in axes:
        name_rows(axis, names)
    return figure, axes


def name_rows(axis: Axes, names: Sequence[str], reference: str | None = None) -> None:
    """Name rows 0, 1, ... from top to bottom; the reference in bold."""
    axis.set_yticks(range(len(names)), names, fontsize=7.5)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axis.set_axisbelow(True)
    for label in axis.get_yticklabels():
        if label.get_text() == reference:
            label.set_fontweight("bold")


def beside_reference(
    table: pd.DataFrame, name: str, reference: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a condition and those of the reference, of the same recordings.

    A condition need not exist for every dataset, and a sorter may fail with one condition alone:
    means over all that there is would compare one set of recordings with another.

    Parameters
    ----------
    table : DataFrame
        With `condition`, `dataset`, `replicate`, maybe `sorter`, `other_sorter` and `repeat`.
    name : str
        The condition.
    reference : str or None
        The reference condition.

    Returns
    -------
    DataFrame, DataFrame
        Rows of the recordings (sorters, repeats) that both have. Where they share none, or the
        condition is the reference: all rows of the condition, and no row.
    """
    rows = table[table["condition"] == name]
    others = table[table["condition"] == reference]
    keys = [column for column in SORTING if column in table]
    of_rows, of_others = (pd.MultiIndex.from_frame(part[keys]) for part in (rows, others))
    shared = of_rows.isin(of_others)
    if name == reference or not shared.any():
        return rows, others.iloc[:0]
    return rows[shared], others[of_others.isin(of_rows)]


def draw_rows(
    axis: Axes,
    table: pd.DataFrame,
    value: str,
    names: Sequence[str],
    colours: Mapping[str, str],
    markers: Mapping[str, str],
    reference: str | None = None,
) -> None:
    """Draw, in the row of each condition, the mean of a value and its recordings.

    A small dot is the mean of a recording (dataset and replicate), the marker the mean over
    recordings, the line its 95 % bootstrap interval over recordings, where there are several.
    With a reference, a grey ring is its mean over the same recordings.
    """
    known = table.dropna(subset=[value])
    for row, name in enumerate(names):
        own, beside = beside_reference(known, name, reference)
        values = _means_of_recordings(own, value)
        if not len(values):
            continue
        mean = mean_interval(values)
        if len(values) > 1:
            axis.scatter(
                values, np.full(len(values), row), s=7, color=colours[name], alpha=0.45, linewidth=0
            )
            axis.hlines(row, mean.low, mean.high, color=colours[name], linewidth=1.5)
        axis.plot(mean.value, row, marker=markers[name], color=colours[name], markersize=5)
        if len(beside):
            draw_ring(axis, float(_means_of_recordings(beside, value).mean()), row)


def _means_of_recordings(rows: pd.DataFrame, value: str) -> np.ndarray:
    means = style.mean_of_repeats(rows, RECORDING, value)[value].to_numpy(float)
    return means[np.isfinite(means)]


def draw_ring(axis: Axes, x: float, y: float, size: float = 6.5) -> None:
    """Draw the reference's value on the recordings of another condition, around its marker."""
    axis.plot(x, y, color=style.REFERENCE_COLOUR, markersize=size, **RING)


def ring_handles(reference: str | None, names: Sequence[str]) -> list[Line2D]:
    """Return the legend's entry of the rings, none where no condition stands beside another."""
    if reference not in names or len(names) < 2:
        return []
    label = f"{reference}, the same recordings"
    return [Line2D([], [], color=style.REFERENCE_COLOUR, markersize=6.5, label=label, **RING)]


def start_at_zero(axis: Axes) -> None:
    """Let x begin just left of 0, so that a marker there is whole, and end right of all markers."""
    high = max(0.0, axis.dataLim.x1)
    high = high if np.isfinite(high) and high > 0 else 1.0
    axis.set_xlim(-0.04 * high, 1.08 * high)
    axis.xaxis.set_major_locator(MaxNLocator(4))


def count_recordings(table: pd.DataFrame) -> str:
    """Return ``2 recordings``, or ``1–2 recordings`` where some conditions exist for fewer."""
    each = table[[*RECORDING, "condition"]].drop_duplicates().groupby("condition").size()
    return style.counted_range(each, "recording")


def note_recordings(axis: Axes, table: pd.DataFrame, title: str) -> None:
    """Title a panel, with the number of its recordings."""
    text = f"{title}\nn = {count_recordings(table)}".strip()
    axis.set_title(style.fitted(axis, text, 8.0), fontsize=8.0)


def small_multiples(
    names: Sequence[str],
    colours: Mapping[str, str],
    panel_height: float = 1.45,
    columns: int = 4,
    each: int = 1,
    extra_height: float = 0.3,
    **arguments: Any,
) -> tuple[Figure, list[list[Axes]]]:
    """Return panels with a condition each, titled in its colour, that share their axes.

    Parameters
    ----------
    names : sequence of str
        The conditions, from left to right and from top to bottom.
    colours : mapping of str to str
        Colour of each condition.
    panel_height : float
        Of one panel, inches.
    columns : int
        Conditions side by side; where there are fewer, panels keep their size and leave room.
    each : int
        Panels of a condition, one above the other.
    extra_height : float
        Room for a legend, inches.
    **arguments
        For `Figure.subplots`.

    Returns
    -------
    Figure
    list of list of Axes
        Of each condition, its panels from top to bottom.
    """
    bands = math.ceil(len(names) / columns)
    height = bands * each * panel_height + 0.25 * bands + extra_height + 0.2
    figure = Figure(figsize=(style.FULL_WIDTH, height), layout="constrained")
    given = {"sharex": True, "sharey": "row" if each > 1 else True} | arguments
    grid = figure.subplots(bands * each, columns, squeeze=False, **given)
    found: list[list[Axes]] = []
    for index in range(bands * columns):
        band, column = divmod(index, columns)
        axes = list(grid[band * each : (band + 1) * each, column])
        if index >= len(names):
            for axis in axes:
                axis.remove()
            continue
        lowest = index + columns >= len(names)
        axes[-1].tick_params(labelbottom=lowest)
        title_condition(axes[0], names[index], colours[names[index]])
        found.append(axes)
    return figure, found


def title_condition(axis: Axes, name: str, colour: str) -> None:
    """Write the name of a condition above a panel, in its colour."""
    size = 8.5 if len(name) <= LONGEST_TITLE else 6.5
    title = style.wrapped(name, 2 * LONGEST_TITLE - 10)
    axis.set_title(title, color=colour, fontweight="bold", fontsize=size, pad=3)


def note_count(axis: Axes, text: str) -> None:
    """Write a number of observations into the lower right corner of a panel."""
    axis.text(
        0.98,
        0.03,
        text,
        transform=axis.transAxes,
        ha="right",
        va="bottom",
        fontsize=6.5,
        color=style.MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
    )


def label_outer(panels: Sequence[Sequence[Axes]], x: str, y: str | Sequence[str]) -> None:
    """Label the axes at the left and at the bottom of small multiples."""
    for axes in panels:
        bottom = axes[-1]
        if bottom.xaxis.get_tick_params()["labelbottom"]:
            bottom.set_xlabel(x)
    label_left(panels, y)


def label_left(panels: Sequence[Sequence[Axes]], y: str | Sequence[str], **text: Any) -> None:
    """Label the y axes at the left of small multiples; `text` is for `Axes.set_ylabel`."""
    labels = [y] * len(panels[0]) if isinstance(y, str) else list(y)
    for axes in panels:
        for axis, label in zip(axes, labels, strict=True):
            place = axis.get_subplotspec()
            if place is not None and place.is_first_col():
                axis.set_ylabel(label, **text)


def draw_cells(
    axis: Axes,
    values: pd.DataFrame,
    norm: Normalize,
    colour_map: str,
) -> Any:
    """Draw a table as coloured cells with their numbers; returns the image for a colour bar."""
    numbers = values.to_numpy(float)
    image = axis.imshow(numbers, norm=norm, cmap=colour_map, aspect="auto", interpolation="nearest")
    for (row, column), number in np.ndenumerate(numbers):
        if np.isfinite(number):
            red, green, blue, _ = mpl.colormaps[colour_map](norm(number))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axis.text(
                column,
                row,
                f"{number:.2f}",
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if dark else "black",
            )
    axis.set_yticks(range(len(values)), [str(name) for name in values.index], fontsize=7.5)
    columns = [str(name) for name in values.columns]
    longest = max((len(line) for name in columns for line in name.split("\n")), default=0)
    axis.set_xticks(range(len(columns)), columns, fontsize=7 if longest <= LONGEST_CELL else 5.5)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    return image
