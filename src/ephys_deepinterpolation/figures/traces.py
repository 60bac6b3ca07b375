"""A short excerpt before and after a condition, and what lies between the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style

LOUD_CHANNELS = 3
ZOOM_MS = 5.0
NOISE_DEVIATIONS = 5.0
APART_UM = 60.0
BEFORE_COLOUR = "#9a9a9a"


@style.styled
def plot_traces(
    traces: pd.DataFrame,
    reference: str,
    condition: str,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw one dataset's excerpt before (reference) and after (condition).

    Parameters
    ----------
    traces : DataFrame, one row per frame x channel x condition
        The table `traces` of one dataset; `trace_uv` in µV, `time_ms` in ms, `depth_um` in µm.
    reference, condition : str
        The two conditions.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        Above, three channel x time maps on one scale; below, the channels with the largest
        peak-to-peak in the reference (60 µm apart) and a quiet one, whole and around a peak.
    """
    if traces.empty:
        return style.notice("Nothing to compare: there are no traces.")
    if len(traces["dataset"].unique()) > 1:
        raise ValueError("plot_traces draws one dataset: pass the rows of one")
    if condition == reference:
        return style.notice(f"Nothing to compare: {reference} is the reference itself.")
    channels, before, after = _paired_maps(traces, reference, condition)
    if before.size == 0:
        return style.notice(f"Nothing to compare: no traces of both {reference} and {condition}.")
    known = style.study_conditions(traces, conditions)
    colour = style.condition_colours(known, reference)[condition]
    loud, quiet = _pick_channels(channels, before)
    picked = loud if quiet is None else [*loud, quiet]
    figure = Figure(figsize=(style.FULL_WIDTH, 3.5 + 0.95 * len(picked)), layout="constrained")
    heights = (3.2, 0.3 + 0.95 * len(picked))
    upper, lower = cast(tuple[SubFigure, SubFigure], figure.subfigures(2, 1, height_ratios=heights))
    times = before.columns.to_numpy(float)
    _draw_maps(upper, channels, times, before, after, (reference, condition))
    _draw_channels(
        lower, channels, times, before, after, picked, quiet, colour, (reference, condition)
    )
    dataset = str(traces["dataset"].iloc[0])
    figure.suptitle(f"{dataset}: {reference} and {condition}", x=0.01, ha="left", weight="bold")
    return figure


def _paired_maps(
    traces: pd.DataFrame, reference: str, condition: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the channels in drawing order, and two channels x frames tables (µV)."""
    rows = traces[traces["condition"].isin([reference, condition])].dropna(subset=["trace_uv"])
    rows = rows.assign(time_ms=rows["time_ms"].astype(float).round(6))
    rows = rows[rows["replicate"] == rows["replicate"].min()]
    tables = [
        rows[rows["condition"] == name].pivot(  # noqa: PD010 (refuses duplicates)
            index="channel", columns="time_ms", values="trace_uv"
        )
        for name in (reference, condition)
    ]
    channels = (
        rows[["channel", "shank", "depth_um", "x_um"]]
        .drop_duplicates("channel")
        .sort_values(["shank", "depth_um", "x_um", "channel"])
        .set_index("channel")
    )
    shared = channels.index[
        channels.index.isin(tables[0].index) & channels.index.isin(tables[1].index)
    ]
    frames = tables[0].columns.intersection(tables[1].columns)
    before, after = (table.loc[shared, frames] for table in tables)
    return channels.loc[shared], before, after


def _pick_channels(channels: pd.DataFrame, before: pd.DataFrame) -> tuple[list[int], int | None]:
    """Return rows: the loudest that lie apart from each other, and a quiet one if there is one.

    Loudness is the peak-to-peak; the quiet channel lies at its lower quartile.
    """
    order = np.argsort(-np.ptp(before.to_numpy(float), axis=1), kind="stable").tolist()
    shanks, depths = channels["shank"].tolist(), channels["depth_um"].tolist()
    loud: list[int] = []
    for row in order:
        near = [
            other
            for other in loud
            if shanks[other] == shanks[row] and abs(depths[other] - depths[row]) < APART_UM
        ]
        if not near and len(loud) < LOUD_CHANNELS:
            loud.append(row)
    quiet = order[min(len(order) - 1, round(0.75 * len(order)))]
    return loud, None if quiet in loud else quiet


def _draw_maps(
    figure: SubFigure,
    channels: pd.DataFrame,
    times: np.ndarray,
    before: pd.DataFrame,
    after: pd.DataFrame,
    names: tuple[str, str],
) -> None:
    maps = [before.to_numpy(float), after.to_numpy(float)]
    maps.append(maps[0] - maps[1])
    scale = _colour_scale(maps[0])
    titles = (f"Before: {names[0]}", f"After: {names[1]}", "Difference: before − after")
    axes = list(figure.subplots(1, 3, sharex=True, sharey=True))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    extent = (times[0] - step / 2, times[-1] + step / 2, -0.5, len(channels) - 0.5)
    for axis, values, title in zip(axes, maps, titles, strict=True):
        image = axis.imshow(
            values,
            cmap="RdBu_r",
            vmin=-scale,
            vmax=scale,
            aspect="auto",
            origin="lower",
            extent=extent,
            # The array itself goes into vector files, not a picture of it ten times as large.
            interpolation="none",
        )
        axis.set_title(title)
        axis.set_xlabel("Time (ms)")
        for edge in _shank_starts(channels)[1:]:
            axis.axhline(edge - 0.5, color="black", linewidth=0.8)
    _label_depth(axes[0], channels)
    bar = figure.colorbar(image, ax=axes, extend="both", pad=0.01, aspect=30)
    bar.set_label("µV, the same scale for all three")


def _colour_scale(before: np.ndarray) -> float:
    """Return the end of the colour scale (µV), small enough that noise can be seen."""
    deviation = float(np.median(np.abs(before - np.median(before)))) / 0.6745
    largest = float(np.abs(before).max())
    return min(NOISE_DEVIATIONS * deviation, largest) or largest or 1.0


def _shank_starts(channels: pd.DataFrame) -> list[int]:
    shanks = channels["shank"].astype(str).to_numpy()
    return [0, *[row for row in range(1, len(shanks)) if shanks[row] != shanks[row - 1]]]


def _label_depth(axis: Axes, channels: pd.DataFrame) -> None:
    starts = _shank_starts(channels)
    stops = [*starts[1:], len(channels)]
    each = max(2, 7 // len(starts))
    rows = [
        row
        for start, stop in zip(starts, stops, strict=True)
        for row in _spread_rows(start, stop, each, last=stop == len(channels))
    ]
    depths = channels["depth_um"].to_numpy(float)
    axis.set_yticks(rows, [f"{depths[row]:g}" for row in rows])
    axis.set_ylabel("Depth (µm), a row per channel")
    if len(starts) > 1:
        for start, stop in zip(starts, stops, strict=True):
            axis.text(
                0.02,
                stop - 1,
                f"shank {channels['shank'].iloc[start]}",
                transform=axis.get_yaxis_transform(),
                va="top",
                fontsize=7,
                bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
            )


def _spread_rows(start: int, stop: int, number: int, last: bool) -> list[int]:
    """Return rows to label; that at the border to the next shank only where there is none."""
    rows = np.unique(np.linspace(start, stop - 1, number if last else number + 1).round())
    return [int(row) for row in (rows if last or len(rows) < 2 else rows[:-1])]


def _draw_channels(
    figure: SubFigure,
    channels: pd.DataFrame,
    times: np.ndarray,
    before: pd.DataFrame,
    after: pd.DataFrame,
    picked: list[int],
    quiet: int | None,
    colour: str,
    names: tuple[str, str],
) -> None:
    axes = figure.subplots(len(picked), 2, squeeze=False, width_ratios=(2.6, 1.0), sharex="col")
    loudest = _time_of_peak(times, before.iloc[picked[0]])
    for row, (left, right) in zip(picked, axes, strict=True):
        old, new = before.iloc[row].to_numpy(float), after.iloc[row].to_numpy(float)
        moved = old - new + _offset_of_difference(old, new)
        _draw_channel(left, times, (old, new, moved), colour)
        title = f"channel {channels.index[row]}, {channels['depth_um'].iloc[row]:g} µm"
        left.set_title(title + (", a quiet one" if row == quiet else ""), fontsize=8, pad=2)
        centre = loudest if row == quiet else _time_of_peak(times, before.iloc[row])
        near = np.abs(times - centre) <= ZOOM_MS / 2
        _draw_channel(right, times[near] - centre, (old[near], new[near], moved[near]), colour)
        right.set_title(f"around {centre:.1f} ms", fontsize=8, pad=2)
        right.set_ylim(left.get_ylim())
        _scale_bar(left, old)
        if row != picked[-1]:
            for axis in (left, right):
                axis.spines["bottom"].set_visible(False)
                axis.tick_params(axis="x", length=0)
    axes[-1][0].set_xlabel("Time (ms)")
    axes[-1][1].set_xlabel("Time from the peak (ms)")
    style.outside_legend(
        figure,
        [
            Line2D([], [], color=BEFORE_COLOUR, label=f"before: {names[0]}"),
            Line2D([], [], color=colour, label=f"after: {names[1]}"),
            Line2D([], [], color="black", linewidth=0.7, label="before − after, moved down"),
        ],
    )


def _time_of_peak(times: np.ndarray, trace: pd.Series) -> float:
    return float(times[int(np.argmax(np.abs(trace.to_numpy(float))))])


def _offset_of_difference(before: np.ndarray, after: np.ndarray) -> float:
    floor = min(before.min(), after.min())
    return float(floor - (before - after).max() - 0.1 * (np.ptp(before) or 1.0))


def _draw_channel(
    axis: Axes, times: np.ndarray, curves: tuple[np.ndarray, np.ndarray, np.ndarray], colour: str
) -> None:
    before, after, difference = curves
    axis.plot(times, before, color=BEFORE_COLOUR, linewidth=0.9)
    axis.plot(times, after, color=colour, linewidth=0.9)
    axis.plot(times, difference, color="black", linewidth=0.6)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.margins(x=0.01)


def _scale_bar(axis: Axes, before: np.ndarray) -> None:
    """Draw a vertical bar of a round length (µV) left of the traces."""
    length = _round_length(float(np.ptp(before)) / 2)
    top = float(before.max())
    transform = axis.get_yaxis_transform()
    axis.plot(
        [-0.012, -0.012],
        [top - length, top],
        color="black",
        linewidth=1.6,
        transform=transform,
        clip_on=False,
        solid_capstyle="butt",
    )
    axis.text(
        -0.022,
        top - length / 2,
        f"{length:g} µV",
        transform=transform,
        ha="right",
        va="center",
        fontsize=7.5,
    )


def _round_length(length: float) -> float:
    if length <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step for step in (1.0, 2.0, 5.0) if step * power <= length) * power)
