"""Loss of each model during training, against what it must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style

MOST_MODELS = 12
MODEL = ["dataset", "condition", "model"]

BASELINES: dict[str, tuple[Literal[":", "--", "-."], str]] = {
    "constant_loss": (":", "best constant"),
    "linear_loss": ("--", "linear interpolation, validation"),
    "noise_floor": ("-.", "noise floor, estimated"),
}
"""Columns of the table `models`: line and label."""


@style.styled
def plot_loss(history: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Draw the losses of one model over its steps, against what they are read against.

    Parameters
    ----------
    history : DataFrame, one row per evaluation
        `Model.history`: step, training_loss, validation_loss; mean squared errors of normalized
        traces. A model of the deepinterpolation package has none, and the figure says so.
    summary : mapping
        `Model.summary`; of it constant_loss, linear_loss and noise_floor are drawn.

    Returns
    -------
    Figure
        Training and validation loss, and a line for each baseline with its value.
    """
    if history.empty:
        return style.notice("This model holds no history of its training.")
    figure = Figure(figsize=(style.FULL_WIDTH, 3.2), layout="constrained")
    axis = figure.subplots()
    colour = style.CONDITION_COLOURS[0]
    _draw_curves(axis, history, colour)
    models = pd.DataFrame([summary]).reindex(columns=["validation_loss", "steps", *BASELINES])
    handles = _curve_handles(colour)
    for column, (line, label) in BASELINES.items():
        value = models[column].iloc[0]
        if pd.notna(value):
            axis.axhline(float(value), color="black", linestyle=line, linewidth=1.0)
            text = f"{label}: {value:.4g}"
            handles.append(Line2D([], [], color="black", linestyle=line, label=text))
    _finish(axis, history, models)
    style.outside_legend(figure, handles, columns=3)
    return figure


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
        The table `training`; losses in units of the input's variance. Linear interpolation,
        which is solved for in no step, has no panel of its own.
    models : DataFrame, one row per trained model
        The table `models`, with the losses of linear interpolation and of the best constant, and
        the noise floor.
    reference : str, optional
        The reference condition.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        Training and validation loss, a curve per replicate, with the baselines.
    """
    if training.empty:
        return style.notice("No model was trained.")
    known = style.study_conditions(training, conditions)
    stepped = training.groupby(MODEL)["step"].transform("max") > 0
    if stepped.any():
        training = training[stepped]
    colours = style.condition_colours(known, reference)
    if len(training[MODEL].drop_duplicates()) > MOST_MODELS:
        training, models = _pool_datasets(training), _pool_datasets(models)
    keys = training[MODEL].drop_duplicates().astype(str)
    columns = 2 if len(keys) <= 6 else 3
    figure, axes = style.panels(len(keys), columns, panel_height=2.6, extra_height=0.3)
    for axis, (dataset, condition, model) in zip(
        axes, keys.itertuples(index=False, name=None), strict=True
    ):
        names = {"dataset": dataset, "condition": condition, "model": model}
        _draw_model(
            axis, style.rows_of(training, names), style.rows_of(models, names), colours[condition]
        )
        replicates = style.counted(
            style.rows_of(training, names)["replicate"].nunique(), "recording"
        )
        title = f"{model} for {condition}\n{dataset}, n = {replicates}"
        axis.set_title(style.fitted(axis, title), pad=14)
    style.outside_legend(figure, _legend_handles())
    return figure


def _pool_datasets(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(
        dataset=style.counted(table["dataset"].nunique(), "dataset"),
        replicate=style.recording_names(table),
    )


def _legend_handles() -> list[Line2D]:
    return _curve_handles(style.MUTED) + [
        Line2D([], [], color="black", linestyle=line, label=label)
        for line, label in BASELINES.values()
    ]


def _curve_handles(colour: str) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, linewidth=1.8, label="validation"),
        Line2D([], [], color=colour, linewidth=0.8, alpha=0.6, label="training"),
    ]


def _draw_model(axis: Axes, training: pd.DataFrame, models: pd.DataFrame, colour: str) -> None:
    for _, rows in training.groupby("replicate", sort=True):
        _draw_curves(axis, rows, colour)
    for column, (line, _) in BASELINES.items():
        values = models[column].dropna().unique()
        for value in values:
            width = 1.0 if len(values) <= 5 else 0.4
            axis.axhline(float(value), color="black", linestyle=line, linewidth=width)
    _finish(axis, training, models)


def _draw_curves(axis: Axes, history: pd.DataFrame, colour: str) -> None:
    ordered = history.sort_values("step")
    steps = ordered["step"].to_numpy(float)
    training, validation = (
        ordered[name].to_numpy(float, na_value=np.nan)
        for name in ("training_loss", "validation_loss")
    )
    axis.plot(steps, training, color=colour, linewidth=0.8, alpha=0.6)
    marker = "o" if len(steps) == 1 else None
    axis.plot(steps, validation, color=colour, linewidth=1.8, marker=marker)


def _finish(axis: Axes, training: pd.DataFrame, models: pd.DataFrame) -> None:
    """Name the axes, and write above the panel whether linear interpolation was beaten."""
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
            models[list(BASELINES)].to_numpy(float, na_value=np.nan).ravel(),
        ]
    )
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() / losses.min() > 10:
        axis.set_yscale("log")
        style.log_ticks(axis.yaxis)
        axis.set_ylabel("Loss (share of variance, log)")


def _verdict(models: pd.DataFrame) -> tuple[str, bool]:
    if "steps" in models and len(models) and (models["steps"] == 0).all():
        return "linear interpolation itself, solved for without steps", False
    rows = models.dropna(subset=["validation_loss", "linear_loss"])
    if rows.empty:
        return "no linear baseline", True
    beaten = int((rows["validation_loss"] < rows["linear_loss"]).sum())
    if len(rows) == 1:
        row = rows.iloc[0]
        text = f"network {row['validation_loss']:.4g}, linear {row['linear_loss']:.4g}"
        return (text, False) if beaten else (f"{text}: does not beat it", True)
    return f"beats linear in {beaten} of {len(rows)} replicates", beaten < len(rows)
