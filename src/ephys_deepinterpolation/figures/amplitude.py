"""Accuracy against the size of the true unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import layouts, style

UNITS_PER_BIN = 6
MOST_BINS = 8
MOST_CONDITIONS = 5
RESAMPLES = 2000
_SHIFT = 1.035


def amplitude_edges(peaks: np.ndarray) -> np.ndarray:
    """Return edges of bins that hold equal numbers of units.

    Parameters
    ----------
    peaks : ndarray, (n_units,)
        Peak of each true unit, µV.

    Returns
    -------
    ndarray, (n_bins + 1,)
        Quantiles of the peaks: about 6 units to a bin, 8 bins at most; distinct and ascending.
    """
    bins = int(np.clip(len(peaks) // UNITS_PER_BIN, 1, MOST_BINS))
    return np.unique(np.quantile(peaks, np.linspace(0, 1, bins + 1)))


def binned_accuracy(peaks: np.ndarray, accuracy: np.ndarray, edges: np.ndarray) -> pd.DataFrame:
    """Return the mean accuracy in each bin of amplitude, with a bootstrap interval over units.

    Parameters
    ----------
    peaks, accuracy : ndarray, (n_units,)
        Peak in µV and accuracy of each true unit.
    edges : ndarray, (n_bins + 1,)
        Edges of the bins, µV; the last one is inclusive.

    Returns
    -------
    DataFrame, one row per bin that holds a unit
        `peak_uv` (geometric mean), `mean`, `low`, `high` (2.5 and 97.5 percent quantiles of
        means of resampled units; empty for one unit), `units`.
    """
    generator = np.random.default_rng(0)
    bins = max(1, len(edges) - 1)
    member = np.clip(np.searchsorted(edges, peaks, side="right") - 1, 0, bins - 1)
    rows = []
    for index in range(bins):
        inside = member == index
        if not inside.any():
            continue
        values = accuracy[inside]
        draws = generator.integers(0, len(values), (RESAMPLES, len(values)))
        low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
        rows.append(
            {
                "peak_uv": float(np.exp(np.log(peaks[inside]).mean())),
                "mean": float(values.mean()),
                "low": float(low) if len(values) > 1 else np.nan,
                "high": float(high) if len(values) > 1 else np.nan,
                "units": len(values),
            }
        )
    return pd.DataFrame(rows)


@style.styled
def plot_amplitude(
    units: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw accuracy against the peak of the true unit, a line per condition.

    Parameters
    ----------
    units : DataFrame, one row per true unit x condition x sorter x repeat x replicate
        The table `units`; `peak_uv` in µV. Background units are left out, replicates pooled,
        repeats averaged.
    reference : str, optional
        The reference condition, drawn in grey.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        One panel per dataset and sorter: a point per unit, and the mean in bins of amplitude
        with its 95 % interval (units resampled within a bin). With many conditions, datasets or
        sorters, a panel per condition with the reference beside it, datasets pooled and sorters
        averaged.
    """
    asked = style.asked_units(units)
    judged = not asked.empty and asked["accuracy"].notna().any()
    if not judged and (asked.empty or not style.broken(asked["status"]).any()):
        return style.notice("No ground truth: there is no accuracy to draw.")
    pairs = len(style.dataset_sorter_panels(asked))
    if judged and (asked["condition"].nunique() > MOST_CONDITIONS or pairs > style.MOST_PANELS):
        return _plot_each_condition(asked, reference, conditions)
    names, colours, markers = style.drawn_conditions(asked, reference, conditions)
    keys = style.dataset_sorter_panels(asked)
    columns = min(2, len(keys))
    figure, axes = style.panels(len(keys), columns, 2.9, extra_height=0.3, sharey=True)
    for axis, (dataset, sorter) in zip(axes, keys, strict=True):
        rows = style.rows_of(asked, {"dataset": dataset, "sorter": sorter})
        _draw_panel(axis, rows, style.in_order(rows["condition"], names), colours, markers)
        axis.set_title(f"{sorter}\n{dataset}, {_count_label(rows)}")
    style.outside_legend(
        figure,
        [
            Line2D([], [], color=colours[name], marker=markers[name], markersize=4, label=name)
            for name in names
        ],
    )
    return figure


def _plot_each_condition(
    asked: pd.DataFrame, reference: str | None, conditions: Sequence[str] | None
) -> Figure:
    keys = ["dataset", "replicate", "unit", "condition", "peak_uv"]
    judged = asked.dropna(subset=["accuracy"])
    means = style.mean_of_repeats(judged, keys, "accuracy")
    known, colours, markers = style.drawn_conditions(asked, reference, conditions)
    names = [name for name in style.in_order(means["condition"], known) if name != reference]
    distinct = means.drop_duplicates(["dataset", "replicate", "unit"])
    edges = amplitude_edges(distinct["peak_uv"].to_numpy(float))
    figure, panels = layouts.small_multiples(names, colours, panel_height=1.6, extra_height=0.4)
    for name, (axis,) in zip(names, panels, strict=True):
        rows, beside = (
            style.mean_of_repeats(part, keys, "accuracy")
            for part in layouts.beside_reference(judged, name, reference)
        )
        if reference is not None and len(beside):
            _draw_condition(axis, beside, edges, 1 / _SHIFT, colours[reference], markers[reference])
        _draw_condition(axis, rows, edges, _SHIFT, colours[name], markers[name])
        axis.set_xscale("log")
        style.log_ticks(axis.xaxis)
        axis.tick_params(labelsize=6.5)
        axis.set_ylim(-0.03, 1.03)
        layouts.note_count(axis, f"n = {len(rows)}")
    layouts.label_outer(panels, "Peak of the true unit (µV)", "Accuracy")
    figure.suptitle(
        f"{style.counted(asked['dataset'].nunique(), 'dataset')} pooled, mean of "
        f"{style.counted(asked['sorter'].nunique(), 'sorter')}; n = true units",
        x=0.01,
        ha="left",
    )
    if reference is not None:
        label = f"{reference}, the same sortings"
        colour = colours[reference]
        handle = Line2D([], [], color=colour, marker=markers[reference], markersize=4, label=label)
        style.outside_legend(figure, [handle])
    return figure


def _count_label(rows: pd.DataFrame) -> str:
    judged = rows.dropna(subset=["accuracy"]).drop_duplicates(["condition", "replicate", "unit"])
    counts = judged.groupby("condition", sort=False).size()
    if counts.empty:
        return "n = 0"
    return f"n = {style.counted_range(counts, 'unit')}"


def _draw_panel(
    axis: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    axis.set_xscale("log")
    style.log_ticks(axis.xaxis)
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel("Peak of the true unit (µV)")
    axis.set_ylabel("Accuracy")
    keys = ["replicate", "unit", "condition", "peak_uv"]
    valid = style.mean_of_repeats(rows[rows["peak_uv"] > 0], keys, "accuracy")
    missing = _missing_lines(rows, valid, names)
    if valid.empty:
        axis.set_xticks([])
        style.say(axis, "\n".join(missing) or "no ground truth", style.WARNING)
        return
    distinct = valid.drop_duplicates(["replicate", "unit"])
    edges = amplitude_edges(distinct["peak_uv"].to_numpy(float))
    for place, name in enumerate(names):
        of_name = valid[valid["condition"] == name]
        if not of_name.empty:
            # Side by side around the same amplitude, so that no interval hides another.
            shift = _SHIFT ** (place - (len(names) - 1) / 2)
            _draw_condition(axis, of_name, edges, shift, colours[name], markers[name])
    if missing:
        axis.text(
            0.02,
            0.98,
            "\n".join(missing),
            transform=axis.transAxes,
            va="top",
            color=style.WARNING,
            fontsize=7.5,
        )


def _draw_condition(
    axis: Axes, rows: pd.DataFrame, edges: np.ndarray, shift: float, colour: str, marker: str
) -> None:
    peaks, accuracy = rows["peak_uv"].to_numpy(float), rows["accuracy"].to_numpy(float)
    axis.scatter(
        shift * peaks,
        accuracy,
        s=9,
        color=colour,
        marker=marker,
        alpha=0.45,
        linewidth=0,
        clip_on=False,
        rasterized=len(rows) > 300,
    )
    means = binned_accuracy(peaks, accuracy, edges)
    below, above = means["mean"] - means["low"], means["high"] - means["mean"]
    axis.errorbar(
        shift * means["peak_uv"],
        means["mean"],
        yerr=[below, above],
        elinewidth=1.2,
        capsize=2,
        clip_on=False,
        color=colour,
        marker=marker,
        markersize=4.5,
        linewidth=1.0,
        zorder=3,
    )


def _missing_lines(rows: pd.DataFrame, valid: pd.DataFrame, names: Sequence[str]) -> list[str]:
    lines = []
    for name in names:
        of_name = rows[rows["condition"] == name]
        is_broken = style.broken(of_name["status"])
        failed = of_name["replicate"][is_broken].nunique()
        if failed:
            partly = (valid["condition"] == name).any()
            fate = style.fate(of_name["status"][is_broken].iloc[0])
            lines.append(f"{name}: {fate}" + (f" in {failed} replicates" if partly else ""))
        elif (of_name["status"] == "empty").any():
            lines.append(f"{name}: found no unit")
    return lines
