"""Noise of each channel, by condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

MOST_POINTS = 1000


@style.styled
def plot_noise(
    noise: pd.DataFrame, reference: str | None = None, conditions: Sequence[str] | None = None
) -> Figure:
    """Draw the distribution of the noise over channels, one panel per dataset.

    Parameters
    ----------
    noise : DataFrame, one row per channel x condition x replicate
        The table `noise`; `noise_uv` in µV. Replicates are pooled.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A row per condition: a violin, its channels, and its median as a bar and a number; x
        starts at 0.
    """
    values = noise if noise.empty else noise.dropna(subset=["noise_uv"])
    if values.empty:
        return style.notice("No noise was measured.")
    names, colours, _ = style.drawn_conditions(values, reference, conditions)
    datasets = style.in_order(values["dataset"])
    height = max(0.9, 0.3 * len(names)) + 0.95
    figure, axes = style.panels(len(datasets), 2, height, sharey=True)
    for axis, dataset in zip(axes, datasets, strict=True):
        layouts.name_rows(axis, names, reference)
        _draw_dataset(axis, values[values["dataset"] == dataset], names, colours)
        axis.set_title(dataset, fontweight="bold")
    return figure


def _draw_dataset(
    axis: Axes, table: pd.DataFrame, names: Sequence[str], colours: dict[str, str]
) -> None:
    generator = np.random.default_rng(0)
    top = float(table["noise_uv"].max())
    counts = []
    for position, name in enumerate(names):
        values = table.loc[table["condition"] == name, "noise_uv"].to_numpy(float)
        if not len(values):
            axis.text(0, position, " not run", color=style.MUTED, va="center", fontsize=6.5)
            continue
        counts.append(len(values))
        _draw_violin(axis, values, position, colours[name])
        shown = values if len(values) <= MOST_POINTS else generator.choice(values, MOST_POINTS)
        axis.scatter(
            shown,
            position + generator.uniform(-0.1, 0.1, len(shown)),
            s=6 if len(shown) < 200 else 2,
            color=colours[name],
            alpha=0.5,
            linewidth=0,
            zorder=3,
            rasterized=True,
        )
        median = float(np.median(values))
        axis.vlines(
            median, position - 0.36, position + 0.36, color="black", linewidth=1.3, zorder=4
        )
        axis.text(
            float(values.max()) + 0.03 * top,
            position,
            f"{median:.2f}",
            va="center",
            fontsize=7.5,
            fontweight="bold",
        )
    axis.set_xlim(0.0, 1.18 * top if top > 0 else 1.0)
    same = min(counts) == max(counts)
    number = f"{counts[0]}" if same else f"{min(counts)} to {max(counts)}"
    replicates = table["replicate"].nunique()
    pooled = f" of {replicates} replicates" if replicates > 1 else ""
    axis.set_xlabel(f"Noise (µV); n = {number} channels{pooled}")


def _draw_violin(axis: Axes, values: np.ndarray, position: int, colour: str) -> None:
    if len(np.unique(values)) < 5:
        return
    sns.violinplot(
        x=values,
        y=np.full(len(values), position),
        ax=axis,
        orient="h",
        native_scale=True,
        color=colour,
        inner=None,
        cut=0,
        width=0.8,
        linewidth=0.8,
        alpha=0.25,
    )
    axis.set_ylabel("")
