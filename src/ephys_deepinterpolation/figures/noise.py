"""Noise of each channel, by condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style


@style.styled
def plot_noise(
    noise: pd.DataFrame, reference: str, conditions: Sequence[str] | None = None
) -> Figure:
    """Draw the distribution of the noise over channels, one panel per dataset.

    Parameters
    ----------
    noise : DataFrame, one row per channel x condition x replicate
        The table `noise`; `noise_uv` in µV. Replicates are pooled.
    reference : str
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        One violin, its channels and its median per condition; y starts at 0.
    """
    values = noise if noise.empty else noise.dropna(subset=["noise_uv"])
    if values.empty:
        return style.notice("No noise was measured.")
    known = style.study_conditions(values, conditions)
    colours = style.condition_colours(known, reference)
    datasets = style.in_order(values["dataset"])
    most = values["condition"].nunique()
    figure, axes = style.panels(len(datasets), 2 if most <= 6 else 1, panel_height=2.9)
    for axis, dataset in zip(axes, datasets, strict=True):
        _draw_dataset(axis, values[values["dataset"] == dataset], known, colours)
        axis.set_title(dataset, fontweight="bold")
    for axis in axes:
        axis.set_ylabel("Noise of a channel (µV)")
    return figure


def _draw_dataset(
    axis: Axes, table: pd.DataFrame, known: Sequence[str], colours: dict[str, str]
) -> None:
    names = style.in_order(table["condition"], known)
    generator = np.random.default_rng(0)
    top = float(table["noise_uv"].max())
    for position, name in enumerate(names):
        rows = table[table["condition"] == name]
        values = rows["noise_uv"].to_numpy(float)
        _draw_violin(axis, values, position, colours[name])
        jitter = generator.uniform(-0.1, 0.1, len(values))
        size = 7 if len(values) < 200 else 3
        axis.scatter(
            position + jitter,
            values,
            s=size,
            color=colours[name],
            alpha=0.55,
            linewidth=0,
            zorder=3,
        )
        median = float(np.median(values))
        axis.hlines(
            median, position - 0.36, position + 0.36, color="black", linewidth=1.3, zorder=4
        )
        axis.text(
            position,
            float(values.max()) + 0.04 * top,
            f"{median:.2f}",
            ha="center",
            va="bottom",
            fontweight="bold",
        )
    axis.set_ylim(0.0, 1.16 * top if top > 0 else 1.0)
    style.limit_categories(axis, len(names))
    counts = [int((table["condition"] == name).sum()) for name in names]
    same = len(set(counts)) == 1
    axis.set_xticks(
        range(len(names)),
        [
            style.wrapped(name) + ("" if same else f"\nn = {count}")
            for name, count in zip(names, counts, strict=True)
        ],
    )
    number = f"over {style.counted(counts[0], 'channel')}" if same else "over n channels"
    replicates = table["replicate"].nunique()
    pooled = f", {replicates} replicates pooled" if replicates > 1 else ""
    axis.set_xlabel(f"Bar and number: median {number}{pooled}")


def _draw_violin(axis: Axes, values: np.ndarray, position: int, colour: str) -> None:
    if len(np.unique(values)) < 5:
        return
    sns.violinplot(
        x=np.full(len(values), position),
        y=values,
        ax=axis,
        native_scale=True,
        color=colour,
        inner=None,
        cut=0,
        width=0.8,
        linewidth=0.8,
        alpha=0.25,
    )
