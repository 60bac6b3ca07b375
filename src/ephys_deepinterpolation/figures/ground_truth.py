"""One picture of a dataset: its probe and true units, its traces, its spectrum, its truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style

PART_COLOURS = style.CONDITION_COLOURS
RECORDING_COLOUR = "black"
SPIKE_COLOUR = "#d55e00"


@style.styled
def plot_ground_truth(
    contacts: pd.DataFrame,
    true_units: pd.DataFrame,
    excerpts: pd.DataFrame,
    spectra: pd.DataFrame,
) -> Figure:
    """Draw one dataset, its first replicate.

    Parameters
    ----------
    contacts : DataFrame, one row per channel
        `x_um`, `depth_um`.
    true_units : DataFrame, one row per true unit, maybe none
        From `measure_true_units`.
    excerpts : DataFrame, one row per frame and channel
        From `cut_excerpt`.
    spectra : DataFrame, one row per part and frequency
        From `measure_spectra`.

    Returns
    -------
    Figure
        The probe with the true units; an excerpt with their spikes; the spectrum of the recording
        and of its parts; the peak of the average spike of each unit on the recording against that
        on the noise-free spikes, with two standard errors.
    """
    if excerpts.empty:
        return style.notice("There is nothing to show of this dataset.")
    first = [rows_of_first_replicate(table) for table in (contacts, true_units, excerpts, spectra)]
    contacts, true_units, excerpts, spectra = first
    figure = Figure(figsize=(style.FULL_WIDTH, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1.0, 2.2, 2.2), height_ratios=(1.25, 1.0))
    _draw_probe(figure.add_subplot(grid[:, 0]), contacts, true_units)
    _draw_traces(figure.add_subplot(grid[0, 1:]), excerpts)
    _draw_spectra(figure.add_subplot(grid[1, 1]), spectra)
    _draw_peaks(figure.add_subplot(grid[1, 2]), true_units)
    dataset = f"{excerpts['dataset'].iloc[0]} ({excerpts['kind'].iloc[0]})"
    figure.suptitle(dataset, x=0.01, ha="left", weight="bold")
    return figure


def rows_of_first_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the lowest replicate."""
    return table if table.empty else table[table["replicate"] == table["replicate"].min()]


def _draw_probe(axis: Axes, contacts: pd.DataFrame, units: pd.DataFrame) -> None:
    axis.scatter(
        contacts["x_um"], contacts["depth_um"], marker="s", s=5, color="#c8c8c8", linewidth=0
    )
    if not units.empty:
        size = 8 + 60 * units["peak_uv"] / units["peak_uv"].max()
        axis.scatter(
            units["x_um"],
            units["depth_um"],
            s=size,
            facecolor="none",
            edgecolor=SPIKE_COLOUR,
            linewidth=0.9,
        )
    axis.margins(x=0.25, y=0.03)
    axis.set_xlabel("x (µm)")
    axis.set_ylabel("Depth (µm)")
    shown = style.counted(len(contacts), "contact")
    known = style.counted(len(units), "true unit") if len(units) else "no known units"
    axis.set_title(f"{shown}\n{known}")


def _draw_traces(axis: Axes, excerpts: pd.DataFrame) -> None:
    channels = list(excerpts.groupby("channel", sort=False))
    step = 0.8 * max(
        float(np.quantile(np.abs(rows["trace_uv"].to_numpy(float)), 0.9995)) for _, rows in channels
    )
    step = step or 1.0
    for row, (_, rows) in enumerate(channels):
        times, traces = rows["time_ms"].to_numpy(float), rows["trace_uv"].to_numpy(float)
        axis.plot(times, traces + row * step, color="black", linewidth=0.4)
        fired = rows["unit"].fillna("").to_numpy(str) != ""
        axis.plot(
            times[fired],
            np.full(fired.sum(), (row + 0.45) * step),
            linestyle="none",
            marker="v",
            markersize=3.5,
            color=SPIKE_COLOUR,
        )
    depths = [rows["depth_um"].iloc[0] for _, rows in channels]
    axis.set_yticks(
        [row * step for row in range(len(channels))], [f"{depth:g}" for depth in depths]
    )
    axis.set_ylabel("Depth (µm), a row per channel")
    axis.set_xlabel("Time (ms)")
    axis.margins(x=0.0)
    spikes = "; triangles: true spikes" if (excerpts["unit"].fillna("") != "").any() else ""
    axis.set_title(f"High-passed at 300 Hz, rows {step:.0f} µV apart{spikes}")


def _draw_spectra(axis: Axes, spectra: pd.DataFrame) -> None:
    parts = style.in_order(spectra["part"], ["recording"])
    colours = dict(zip(parts, (RECORDING_COLOUR, *PART_COLOURS), strict=False))
    for part in parts:
        rows = spectra[spectra["part"] == part]
        density = rows["density_uv2_per_hz"].to_numpy(float)
        axis.loglog(
            rows["frequency_hz"],
            np.where(density > 0, density, np.nan),
            color=colours.get(part, style.MUTED),
            linewidth=1.4 if part == "recording" else 0.9,
        )
    whole = spectra.loc[spectra["part"] == "recording", "density_uv2_per_hz"].astype(float)
    axis.set_ylim(whole.min() * 1e-2, whole.max() * 3)
    axis.set_xlabel("Frequency (Hz)")
    axis.set_ylabel("Density (µV²/Hz)")
    axis.set_title("Spectrum, median of channels")
    axis.legend(
        handles=[
            Line2D([], [], color=colours.get(part, style.MUTED), label=part) for part in parts
        ],
        fontsize=6.5,
        loc="lower left",
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
        handlelength=1.2,
        labelspacing=0.2,
    )


def _draw_peaks(axis: Axes, units: pd.DataFrame) -> None:
    axis.set_title("Average spike on the recording")
    if units.empty:
        style.say(axis, "no known spikes")
        axis.set_axis_off()
        return
    axis.axline((0, 0), slope=1, color=style.MUTED, linestyle=":", linewidth=1.0)
    axis.errorbar(
        units["expected_peak_uv"],
        units["average_peak_uv"],
        yerr=2 * units["standard_error_uv"],
        linestyle="none",
        marker="o",
        markersize=3.5,
        color=SPIKE_COLOUR,
        ecolor=SPIKE_COLOUR,
        elinewidth=0.8,
    )
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("Peak without noise (µV)")
    axis.set_ylabel("Peak on the recording (µV)")
