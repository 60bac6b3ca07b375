"""Gain against how much data and how many steps a model was trained with."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.effects import effect_interval
from ephys_deepinterpolation.figures.gain_noise import effects_of_datasets
from ephys_deepinterpolation.statistics.transfer import HOME

COLUMNS = {"training_frames": "Frames of training data", "steps": "Optimiser steps"}


def training_of_conditions(models: pd.DataFrame, model_uses: pd.DataFrame) -> pd.DataFrame:
    """Return how the model of each condition was trained, wherever that was.

    Parameters
    ----------
    models : DataFrame, one row per trained model
        The table `models`.
    model_uses : DataFrame, one row per condition x dataset x replicate
        The table `model_uses`.

    Returns
    -------
    DataFrame, one row per dataset and condition that denoises with a trained model
        `dataset`, `condition`, `training_frames`, `steps`; means over replicates.
    """
    homes = models.rename(columns=HOME)[[*HOME.values(), "model", *COLUMNS]]
    uses = model_uses.dropna(subset=["trained_on"]).astype({"trained_replicate": int})
    found = uses.merge(homes, on=[*HOME.values(), "model"]).astype(dict.fromkeys(COLUMNS, float))
    keys = ["dataset", "condition"]
    return found.groupby(keys, sort=False)[list(COLUMNS)].mean().reset_index()


@style.styled
def plot_training_gain(
    models: pd.DataFrame,
    effects: pd.DataFrame,
    model_uses: pd.DataFrame | None = None,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the effect of each trained condition against its training.

    Parameters
    ----------
    models : DataFrame, one row per trained model
        The table `models`; `training_frames` and `steps` are counts.
    effects : DataFrame
        The table `effects`; the first endpoint of accuracy by dataset is drawn.
    model_uses : DataFrame, optional
        The table `model_uses`; without it, each model is drawn only where it was trained.
    reference : str, optional
        The reference condition, which is subtracted.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Two panels; a marker per condition and dataset with its 95 % interval.
    """
    rows = effects_of_datasets(effects)
    if models.empty or rows.empty:
        return style.notice("Nothing to compare: no trained model has an effect on accuracy.")
    endpoint = style.in_order(rows["endpoint"])[0]
    rows = rows[rows["endpoint"] == endpoint]
    if model_uses is None:
        model_uses = models.assign(**{home: models[column] for column, home in HOME.items()})
    joined = rows.merge(training_of_conditions(models, model_uses), on=["dataset", "condition"])
    if joined.empty:
        return style.notice("Nothing to compare: no trained model has an effect on accuracy.")
    known, colours, markers = style.drawn_conditions(rows, reference, conditions)
    names = style.in_order(joined["condition"], known)
    legend = 0.2 * -(-len(names) // 4) + 0.1
    figure, axes = style.panels(2, 2, 2.7, extra_height=legend, sharey=True)
    for axis, (column, label) in zip(axes, COLUMNS.items(), strict=True):
        axis.axhline(0.0, color="black", linewidth=0.8)
        for place, name in enumerate(names):
            shift = 1.02 ** (place - (len(names) - 1) / 2)
            for _, row in joined[joined["condition"] == name].iterrows():
                # No steps at all, of a model that was solved for, has no place on a log axis.
                if not row[column] > 0:
                    continue
                x = shift * float(row[column])
                interval = effect_interval(row)
                if interval is not None:
                    axis.vlines(x, *interval, color=colours[name], linewidth=0.9)
                effect = float(row["effect"])
                axis.plot(x, effect, marker=markers[name], color=colours[name], markersize=4.5)
        style.spread_scale(axis, joined[column].tolist())
        axis.set_xlabel(label)
    axes[0].set_ylabel(f"Change of {endpoint}\nagainst {reference}")
    datasets = style.counted(len(style.in_order(joined["dataset"])), "dataset")
    axes[0].set_title(f"n = {style.counted(len(joined), 'effect')} on {datasets}")
    style.outside_legend(
        figure,
        [style.marker_handle(name, colours[name], markers[name]) for name in names],
        columns=4,
    )
    return figure
