"""Loss of each model during training, against what it must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style

MODEL = ["dataset", "condition", "model"]


@style.styled
def plot_training(
    training: pd.DataFrame,
    models: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the losses of every model over its steps, one panel per dataset, condition and model.

    Parameters
    ----------
    training : DataFrame, one row per evaluation
        The table `training`; losses in units of the input's variance.
    models : DataFrame, one row per trained model
        The table `models`, with the losses of linear interpolation and of the best constant.
    reference : str, optional
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        Training and validation loss, a curve per replicate, with the two baselines.
    """
    if training.empty:
        return style.notice("No model was trained.")
    known = style.study_conditions(training, conditions)
    colours = style.condition_colours(known, reference)
    keys = training[MODEL].drop_duplicates().astype(str)
    figure, axes = style.panels(len(keys), 2, panel_height=2.6, extra_height=0.3)
    for axis, (dataset, condition, model) in zip(
        axes, keys.itertuples(index=False, name=None), strict=True
    ):
        names = {"dataset": dataset, "condition": condition, "model": model}
        _draw_model(
            axis, style.rows_of(training, names), style.rows_of(models, names), colours[condition]
        )
        axis.set_title(f"{model} for {condition}\n{dataset}", pad=14)
    style.outside_legend(figure, _legend_handles())
    return figure


def _legend_handles() -> list[Line2D]:
    return [
        Line2D([], [], color=style.MUTED, linewidth=1.8, label="validation"),
        Line2D([], [], color=style.MUTED, linewidth=0.8, alpha=0.6, label="training"),
        Line2D([], [], color="black", linestyle="--", label="linear interpolation, validation"),
        Line2D([], [], color="black", linestyle=":", label="best constant"),
    ]


def _draw_model(axis: Axes, training: pd.DataFrame, models: pd.DataFrame, colour: str) -> None:
    for _, rows in training.groupby("replicate", sort=True):
        ordered = rows.sort_values("step")
        steps = ordered["step"].to_numpy(float)
        axis.plot(
            steps, ordered["training_loss"].to_numpy(float), color=colour, linewidth=0.8, alpha=0.6
        )
        axis.plot(
            steps,
            ordered["validation_loss"].to_numpy(float),
            color=colour,
            linewidth=1.8,
            marker="o" if len(steps) == 1 else None,
        )
    for column, line in (("linear_loss", "--"), ("constant_loss", ":")):
        for value in models[column].dropna().unique():
            axis.axhline(float(value), color="black", linestyle=line, linewidth=1.0)
    axis.set_xlabel("Step")
    axis.set_ylabel("Loss (share of variance)")
    _choose_scale(axis, training, models)
    text, warn = _verdict(models)
    axis.text(
        0.0,
        1.02,
        text,
        transform=axis.transAxes,
        va="bottom",
        fontsize=7.5,
        color=style.WARNING if warn else style.MUTED,
    )


def _choose_scale(axis: Axes, training: pd.DataFrame, models: pd.DataFrame) -> None:
    losses = np.concatenate(
        [
            training[["training_loss", "validation_loss"]].to_numpy(float, na_value=np.nan).ravel(),
            models[["linear_loss", "constant_loss"]].to_numpy(float, na_value=np.nan).ravel(),
        ]
    )
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() / losses.min() > 10:
        axis.set_yscale("log")
        style.log_ticks(axis.yaxis)
        axis.set_ylabel("Loss (share of variance, log)")


def _verdict(models: pd.DataFrame) -> tuple[str, bool]:
    rows = models.dropna(subset=["validation_loss", "linear_loss"])
    if rows.empty:
        return "no linear baseline", True
    beaten = int((rows["validation_loss"] < rows["linear_loss"]).sum())
    if len(rows) == 1:
        row = rows.iloc[0]
        text = f"network {row['validation_loss']:.4g}, linear {row['linear_loss']:.4g}"
        return (text, False) if beaten else (f"{text}: does not beat it", True)
    return f"beats linear in {beaten} of {len(rows)} replicates", beaten < len(rows)
