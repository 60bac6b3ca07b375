"""What a model trained elsewhere is worth, as it is and with more and more data of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.statistics.transfer import (
    AS_IT_IS,
    FINE_TUNED,
    FROM_SCRATCH,
    LINEAR,
    headline,
    seconds,
)

LABELS = {
    "loss": "Loss (share\nof power)",
    "kept_peak": "Change of\npeak kept",
    "d_prime": "Change of d′",
    "accuracy": "Change of\naccuracy",
    "training_seconds": "Training (s)",
}
"""Measures that are drawn, from top to bottom; changes are against the reference."""
COLOURS = dict(zip((FINE_TUNED, FROM_SCRATCH), style.CONDITION_COLOURS, strict=False))
MARKERS = {FINE_TUNED: "s", FROM_SCRATCH: "^"}
ACROSS = 5
MOST_DATASETS = 10
ROW_HEIGHT = 1.15


@style.styled
def plot_transfer(
    transfer: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw what models are worth against the seconds of a dataset they were trained on.

    Parameters
    ----------
    transfer : DataFrame
        The table `transfer`.
    reference : str, optional
        The reference condition, which changes are against.
    conditions : sequence of str, optional
        Not needed: lines are ways to come by a model.

    Returns
    -------
    Figure
        A column per dataset, a row per measure. The line of fine-tuning begins with the model as
        it is, at 0 s; linear interpolation is a level.
    """
    # A dataset without a tuned model has nothing that was transferred to it.
    if not transfer.empty:
        tuned = transfer.loc[transfer["way"] == FINE_TUNED, "dataset"]
        transfer = transfer[transfer["dataset"].isin(tuned)]
    if transfer.empty:
        return style.notice("Nothing to compare: no model was trained further on a dataset.")
    rows = _drawn(transfer)
    datasets = style.in_order(rows["dataset"])
    measures = [name for name in LABELS if (rows["measure"] == name).any()]
    across = min(ACROSS, len(datasets))
    bands = math.ceil(len(datasets) / across)
    height = bands * (len(measures) * ROW_HEIGHT + 0.6) + 0.7
    figure = Figure(figsize=(style.FULL_WIDTH, height), layout="constrained")
    grid = figure.subplots(bands * len(measures), across, squeeze=False)
    for index in range(bands * across):
        band, column = divmod(index, across)
        axes = grid[band * len(measures) : (band + 1) * len(measures), column]
        if index >= len(datasets):
            for axis in axes:
                axis.remove()
            continue
        of_dataset = rows[rows["dataset"] == datasets[index]]
        places = _places(of_dataset["data_s"])
        for measure, axis in zip(measures, axes, strict=True):
            _draw(axis, of_dataset[of_dataset["measure"] == measure], places)
            names = list(places) if axis is axes[-1] else [""] * len(places)
            axis.set_xticks(list(places.values()), names, fontsize=6.5)
            axis.set_xlim(min(places.values()) - 0.2, max(places.values()) + 0.2)
            axis.tick_params(axis="y", labelsize=6.5)
            if measure not in ("loss", "training_seconds"):
                axis.axhline(0.0, color=style.REFERENCE_COLOUR, linewidth=0.8)
            if column == 0:
                axis.set_ylabel(LABELS[measure], fontsize=7)
        recordings = style.counted(int(of_dataset["recordings"].max()), "recording")
        axes[0].set_title(
            f"{style.wrapped(datasets[index], 20)}\nn = {recordings}",
            fontsize=7.5,
        )
        axes[-1].set_xlabel("Own data (s)", fontsize=7)
    figure.suptitle(style.wrapped(headline(transfer), 120), x=0.01, ha="left", fontsize=8)
    style.outside_legend(figure, _legend(reference), columns=5)
    return figure


def _drawn(transfer: pd.DataFrame) -> pd.DataFrame:
    """Return the first endpoint of each measure, the time of training, and datasets few enough."""
    numbers = ["value", "low", "high", "data_s", "training_seconds"]
    transfer = transfer.astype(dict.fromkeys(numbers, float))
    first = transfer.drop_duplicates(["dataset", "measure"])[["dataset", "measure", "endpoint"]]
    rows = transfer.merge(first)
    spent = rows[rows["way"] != AS_IT_IS].drop_duplicates(["dataset", "way", "data_s", "condition"])
    spent = spent.assign(measure="training_seconds", low=math.nan, high=math.nan)
    rows = pd.concat([rows, spent.assign(value=spent["training_seconds"])], ignore_index=True)
    datasets = rows["dataset"].nunique()
    if datasets <= MOST_DATASETS:
        return rows
    # The same model of many datasets, by what it saw: one value each.
    rows = rows.assign(dataset=f"{datasets} datasets", data_s=rows["data_s"].map(seconds))
    rows["data_s"] = rows["data_s"].astype(float)
    keys = ["dataset", "condition", "way", "data_s", "measure"]
    pooled = rows.groupby(keys, sort=False).agg(
        value=("value", "mean"), recordings=("value", "size")
    )
    return pooled.reset_index().assign(low=math.nan, high=math.nan)


def _places(data_s: pd.Series) -> dict[str, float]:
    """Say where on the axis seconds lie: logarithmic, but for a left end that stands for none."""
    amounts = {seconds(value): value for value in sorted(set(data_s))}
    lowest = min((value for value in amounts.values() if value > 0), default=1.0)
    return {
        name: math.log10(value) if value > 0 else math.log10(lowest) - 0.7
        for name, value in amounts.items()
    }


def _draw(axis: Axes, rows: pd.DataFrame, places: dict[str, float]) -> None:
    rows = rows.assign(x=[places[seconds(value)] for value in rows["data_s"]])
    start = rows[rows["way"] == AS_IT_IS]
    for level in rows.loc[rows["way"] == LINEAR, "value"]:
        axis.axhline(level, color="black", linestyle="--", linewidth=1.0)
    for way, colour in COLOURS.items():
        line = rows[rows["way"] == way]
        # From the model as it is, where there is only one.
        begun = way == FINE_TUNED and len(start) == 1
        line = pd.concat([start, line]) if begun else line
        line = line.sort_values("data_s", kind="stable")
        axis.plot(line["x"], line["value"], color=colour, marker=MARKERS[way], markersize=4)
        axis.vlines(line["x"], line["low"], line["high"], color=colour, linewidth=0.9)
    axis.plot(start["x"], start["value"], color=COLOURS[FINE_TUNED], marker="o", linestyle="none")


def _legend(reference: str | None) -> list[Line2D]:
    lines = [
        Line2D([], [], color=COLOURS[way], marker=MARKERS[way], markersize=4, label=way)
        for way in COLOURS
    ]
    return [
        style.marker_handle("as it is", COLOURS[FINE_TUNED], "o"),
        *lines,
        Line2D([], [], color="black", linestyle="--", label="linear interpolation"),
        Line2D([], [], color=style.REFERENCE_COLOUR, label=str(reference)),
    ]
