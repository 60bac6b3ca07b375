"""One look for every figure: fonts, colours, panels, wording, and a byte-stable way to save."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ephys_deepinterpolation.files import whole_file

Parameters = ParamSpec("Parameters")

FULL_WIDTH = 7.2
"""Width of a figure over both columns of a paper, inches."""

MOST_PANELS = 8
"""Pairs of dataset and sorter that get a panel each; datasets are pooled beyond."""

VECTOR_DPI = 72.0
"""Dots per inch at which matplotlib lays out letters of SVG and PDF."""

LETTERS_ACROSS = 115
"""Letters of a legend that fit side by side."""

LETTER = 0.56
"""Width of a letter, of its size, on average."""

MARGIN = 0.5
"""Room between panels for labels of axes, inches."""

REFERENCE_COLOUR = "#4d4d4d"
MUTED = "#767676"
WARNING = "#a33c00"

CONDITION_COLOURS = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#cc78bc",
    "#d55e00",
    "#56b4e9",
    "#ca9161",
    "#8c6bb1",
)
CONDITION_MARKERS = ("s", "^", "D", "v", "P", "X", "p", "h")

RC: dict[str, Any] = {
    **sns.axes_style("ticks"),
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.titlesize": 9.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "ephys-deepinterpolation",
    "pdf.fonttype": 42,
}

METADATA: dict[str, dict[str, None]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".png": {"Software": None},
}


def applied() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in this style."""
    return mpl.rc_context(cast(Any, RC))


def styled(function: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorate a function that draws a figure, so that it draws in this style."""

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with applied():
            return function(*args, **kwargs)

    return wrapper


def save(figure: Figure, path: str | Path, dpi: float = 200.0) -> Path:
    """Write a figure; the same figure gives the same bytes whenever it is written.

    Text becomes outlines in SVG, so that it looks the same where the font is not installed.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : str or Path
        Where to; the suffix decides: ``.svg``, ``.pdf`` or ``.png``.
    dpi : float
        Dots per inch, of a PNG and of images inside SVG and PDF.

    Returns
    -------
    Path
        The path written.
    """
    path = Path(path)
    if path.suffix not in METADATA:
        raise ValueError(f"{path.name}: a figure is saved as {', '.join(METADATA)}")
    with applied(), whole_file(path) as unfinished:
        _settle(figure, dpi if path.suffix == ".png" else VECTOR_DPI)
        figure.savefig(unfinished, dpi=dpi, metadata=METADATA[path.suffix])
    return path


def _settle(figure: Figure, dpi: float) -> None:
    """Lay a figure out for good, with letters as wide as at `dpi`, and round where its panels are.

    The solver of the layout may err in the last digit, otherwise from run to run, and an SVG names
    its panels by all digits.
    """
    layout = figure.get_layout_engine()
    if layout is not None:
        given, figure.dpi = figure.dpi, dpi
        layout.execute(figure)
        figure.set_layout_engine("none")
        figure.dpi = given
    for axis in figure.axes:
        for which in ("original", "active"):
            bounds = axis.get_position(original=which == "original").bounds
            axis.set_position(tuple(np.round(bounds, 6)), which=which)


def in_order(values: Iterable[object], first: Sequence[str] | None = None) -> list[str]:
    """Return the distinct values: those in `first` in its order, the others as they appear."""
    present = list(dict.fromkeys(str(value) for value in values if not pd.isna(cast(Any, value))))
    given = [name for name in dict.fromkeys(first or ()) if name in present]
    return given + [name for name in present if name not in given]


def condition_colours(conditions: Sequence[str], reference: str | None = None) -> dict[str, str]:
    """Return a fixed colour for each condition.

    Parameters
    ----------
    conditions : sequence of str
        Every condition of the study, in its order. The order decides the colours.
    reference : str, optional
        The reference condition, drawn in dark grey; it takes no colour from the others.

    Returns
    -------
    dict
        Condition to hexadecimal colour.
    """
    return _assign(conditions, reference, CONDITION_COLOURS, REFERENCE_COLOUR)


def condition_markers(conditions: Sequence[str], reference: str | None = None) -> dict[str, str]:
    """Return a fixed marker for each condition, so that no figure rests on colour alone.

    Where there are more conditions than colours, those of one colour have different markers.
    """
    cycle = [
        CONDITION_MARKERS[(place + turn) % len(CONDITION_MARKERS)]
        for turn in range(len(CONDITION_MARKERS))
        for place in range(len(CONDITION_COLOURS))
    ]
    return _assign(conditions, reference, cycle, "o")


def _assign(
    conditions: Sequence[str], reference: str | None, cycle: Sequence[str], of_reference: str
) -> dict[str, str]:
    others = [name for name in dict.fromkeys(conditions) if name != reference]
    chosen = {name: cycle[index % len(cycle)] for index, name in enumerate(others)}
    if reference is not None:
        chosen[reference] = of_reference
    return chosen


def study_conditions(table: pd.DataFrame, conditions: Sequence[str] | None) -> list[str]:
    """Return all conditions that colours depend on: those given, then those of the table."""
    return list(dict.fromkeys([*(conditions or ()), *in_order(table["condition"])]))


def drawn_conditions(
    table: pd.DataFrame, reference: str | None, conditions: Sequence[str] | None
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Return what a figure draws of a table, with colours and markers that are the study's.

    Parameters
    ----------
    table : DataFrame
        With `condition`.
    reference : str or None
        The reference condition.
    conditions : sequence of str or None
        Every condition of the study, in order; those of the table when left out.

    Returns
    -------
    list of str
        The conditions of the table, in the order of the study.
    dict, dict
        Colour and marker of each condition of the study.
    """
    known = study_conditions(table, conditions)
    names = in_order(table["condition"], known)
    return names, condition_colours(known, reference), condition_markers(known, reference)


def panels(
    count: int,
    columns: int,
    panel_height: float,
    width: float = FULL_WIDTH,
    extra_height: float = 0.0,
    **subplot_arguments: Any,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its first `count` axes; axes left over are taken away.

    Parameters
    ----------
    count : int
        Number of panels.
    columns : int
        Panels side by side.
    panel_height, width, extra_height : float
        Height of a row of panels, width of the figure, room for a legend; inches.
    **subplot_arguments
        For `Figure.subplots`.
    """
    columns = max(1, min(columns, count))
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width, rows * panel_height + extra_height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **subplot_arguments)
    axes = list(grid.ravel())
    for axis in axes[count:]:
        axis.remove()
    for index in range(count):
        if index + columns >= count:
            axes[index].tick_params(labelbottom=True)
    return figure, axes[:count]


def notice(message: str) -> Figure:
    """Return a figure that only says why there is nothing to draw."""
    with applied():
        figure = Figure(figsize=(FULL_WIDTH, 1.2))
        figure.text(0.5, 0.5, message, ha="center", va="center", color=MUTED, fontsize=10)
    return figure


def say(axis: Axes, message: str, colour: str = MUTED) -> None:
    """Write a message in the middle of a panel that has nothing to show."""
    axis.text(
        0.5,
        0.5,
        message,
        transform=axis.transAxes,
        ha="center",
        va="center",
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0},
    )


def outside_legend(figure: Figure | SubFigure, handles: Sequence[Any], columns: int = 6) -> None:
    """Put one legend for all panels below them."""
    if handles:
        longest = max(len(str(handle.get_label())) for handle in handles)
        fitting = LETTERS_ACROSS // (longest + 6)
        figure.legend(
            handles=list(handles),
            loc="outside lower center",
            ncols=max(1, min(columns, fitting, len(handles))),
            columnspacing=1.4,
            handlelength=1.6,
        )


def colour_bar(figure: Figure, image: Any, axes: Iterable[Axes], label: str) -> Colorbar:
    """Put one colour bar for all panels below them."""
    bar = figure.colorbar(image, ax=list(axes), location="bottom", shrink=0.5, aspect=35)
    bar.set_label(label)
    return bar


def marker_handle(name: str, colour: str, marker: str) -> Line2D:
    """Return a legend's entry for a marker."""
    return Line2D([], [], color=colour, marker=marker, markersize=5, linestyle="none", label=name)


def limit_categories(axis: Axes, count: int) -> None:
    """Set x limits around categories 0, 1, ..., wide enough that a single one stays slim."""
    room = 0.6 + max(0.0, (3 - count) / 2)
    axis.set_xlim(-room, count - 1 + room)


def log_ticks(axis: Any, each: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Label a logarithmic axis at some multiples of the powers of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=tuple(each)))
    axis.set_major_formatter(FuncFormatter(_plain_number))
    axis.set_minor_formatter(NullFormatter())


def _plain_number(value: float, _: object) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def spread_scale(axis: Axes, values: Iterable[float]) -> None:
    """Make x, of positive numbers, logarithmic where they span more than a factor of four."""
    numbers = np.array([value for value in values if np.isfinite(value) and value > 0])
    if not numbers.size:
        return
    low, high = float(numbers.min()), float(numbers.max())
    if high / low > 4:
        axis.set_xscale("log")
        log_ticks(axis.xaxis)
        axis.set_xlim(low / 1.3, high * 1.3)
    else:
        axis.set_xlim(0.0, 1.1 * high)
        axis.xaxis.set_major_formatter(FuncFormatter(_plain_number))


def fitted(axis: Axes, text: str, size: float = 8.5) -> str:
    """Return a text broken into lines that are no wider than their panel.

    Parameters
    ----------
    axis : Axes
        A panel of a grid, which its place there gives the width of.
    text : str
        Its own line breaks stay.
    size : float
        Of the letters, points.
    """
    place, figure = axis.get_subplotspec(), axis.get_figure(root=True)
    columns = 1 if place is None else place.get_gridspec().ncols
    width = FULL_WIDTH if figure is None else figure.get_figwidth()
    letters = int((width / columns - MARGIN) * 72 / (LETTER * size))
    return "\n".join(wrapped(line, letters) for line in text.split("\n"))


def wrapped(name: str, width: int = 13) -> str:
    """Return a name broken into lines at its hyphens and spaces."""
    return "\n".join(textwrap.wrap(name, width)) or name


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign: ``+0.031``, ``−0.020``, ``0.000``."""
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        return text.lstrip("-")
    return "−" + text[1:] if text.startswith("-") else "+" + text


def decimals(value: float) -> int:
    """Return how many decimals an effect needs: more for shares than for counts."""
    return 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1


def counted(number: int, noun: str) -> str:
    """Return ``1 unit`` or ``3 units``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def counted_range(numbers: pd.Series, noun: str) -> str:
    """Return ``3 units``, or ``1–3 units`` where the numbers differ."""
    low, high = int(numbers.min()), int(numbers.max())
    return counted(high, noun) if low == high else f"{low}–{high} {noun}s"


def broken(status: pd.Series) -> pd.Series:
    """Return which sortings came to no end: failed, timed out or out of memory."""
    return ~status.isin(["ok", "empty"])


def fate(status: object) -> str:
    """Return a status in words: ``out of memory``, ``found no unit``."""
    return "found no unit" if status == "empty" else str(status).replace("_", " ")


def asked_units(units: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `units` whose true unit is not part of the background."""
    if units.empty:
        return units
    background = units["background"].map(is_true).astype(bool)
    return units[~background]


def is_true(value: object) -> bool:
    """Return whether a cell holds true, whichever file it was read from; empty is not true."""
    if pd.isna(cast(Any, value)):
        return False
    return str(value).lower() in {"true", "1", "1.0"}


def mean_of_repeats(table: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """Return one row per combination of `keys`, with the mean of a column over the others."""
    return (
        table.dropna(subset=[value])
        .astype({value: float})
        .groupby(list(keys), sort=False, observed=True)[value]
        .mean()
        .reset_index()
    )


def dataset_sorter_panels(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the pairs of dataset and sorter in a table, in their order of appearance."""
    pairs = table[["dataset", "sorter"]].drop_duplicates()
    return [
        (dataset, sorter)
        for dataset in in_order(pairs["dataset"])
        for sorter in in_order(pairs["sorter"])
        if ((pairs["dataset"] == dataset) & (pairs["sorter"] == sorter)).any()
    ]


def pool_datasets(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose datasets bear one name, where a panel for each would be too many.

    Replicates get numbers that stay apart.
    """
    pairs = len(table[["dataset", "sorter"]].drop_duplicates())
    datasets = in_order(table["dataset"])
    if pairs <= MOST_PANELS or len(datasets) == 1:
        return table
    return table.assign(
        dataset=f"{len(datasets)} datasets pooled", replicate=recording_names(table)
    )


def recording_names(table: pd.DataFrame) -> pd.Series:
    """Return the name of each row's recording: its dataset and replicate."""
    return table["dataset"].astype(str) + "/" + table["replicate"].astype(str)


def rows_of(table: pd.DataFrame, names: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows in which every named column holds the given value."""
    mask = np.ones(len(table), dtype=bool)
    for column, value in names.items():
        mask &= (table[column] == value).to_numpy(dtype=bool, na_value=False)
    return table[mask]
