"""A surrogate's noise against the recording that it was made after."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style

REAL_COLOUR = "black"
SURROGATE_COLOUR = "#d55e00"


@style.styled
def plot_surrogate(likeness: pd.DataFrame) -> Figure:
    """Draw spectrum and covariance of one dataset, its first replicate.

    Parameters
    ----------
    likeness : DataFrame
        From `measure_likeness`, with `dataset` and `replicate`.

    Returns
    -------
    Figure
        The power spectral density; the correlation of channels against their distance; and the
        covariance of each of some pairs of channels, the surrogate's against the original's.
    """
    if likeness.empty:
        return style.notice("There is nothing to compare of this dataset.")
    first = likeness[likeness["replicate"] == likeness["replicate"].min()]
    of = {str(measure): rows for measure, rows in first.groupby("measure")}
    figure = Figure(figsize=(style.FULL_WIDTH, 2.6), layout="constrained")
    spectrum, correlation, covariance = figure.subplots(1, 3)
    _draw_pair(spectrum, of["spectrum"])
    spectrum.set_xscale("log")
    spectrum.set_yscale("log")
    spectrum.set_xlabel("Frequency (Hz)")
    spectrum.set_ylabel("Density (µV²/Hz)")
    spectrum.legend(loc="lower left")
    _draw_pair(correlation, of["correlation"])
    correlation.set_ylim(min(0.0, correlation.get_ylim()[0]), 1.0)
    correlation.set_xlabel("Distance (µm)")
    correlation.set_ylabel("Correlation above 300 Hz")
    _draw_covariance(covariance, of["covariance"])
    figure.suptitle(str(first["dataset"].iloc[0]), x=0.01, ha="left", weight="bold")
    return figure


def _draw_pair(axis: Axes, rows: pd.DataFrame) -> None:
    axis.plot(rows["x"], rows["original"], color=REAL_COLOUR, label="original, no spikes")
    axis.plot(
        rows["x"], rows["surrogate"], color=SURROGATE_COLOUR, linestyle="--", label="surrogate"
    )


def _draw_covariance(axis: Axes, rows: pd.DataFrame) -> None:
    original, surrogate = rows["original"].to_numpy(), rows["surrogate"].to_numpy()
    ends = [min(original.min(), surrogate.min()), max(original.max(), surrogate.max())]
    axis.plot(ends, ends, color=style.MUTED, linestyle=":", linewidth=1.0)
    axis.scatter(original, surrogate, s=3, color=SURROGATE_COLOUR, alpha=0.4, linewidth=0)
    axis.set_xlabel("Original covariance (µV²)")
    axis.set_ylabel("Surrogate covariance (µV²)")
    r = np.corrcoef(original, surrogate)[0, 1]
    axis.set_title(f"{style.counted(len(rows), 'pair')}, r = {r:.3f}")
