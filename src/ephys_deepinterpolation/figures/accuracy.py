"""Accuracy of each true unit, with and without a condition."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style

PAIR = ["dataset", "replicate", "sorter", "repeat", "unit"]
COLOUR_MAP = "viridis"


def pair_accuracies(units: pd.DataFrame, reference: str, condition: str) -> pd.DataFrame:
    """Return one row per true unit that has an accuracy in both conditions.

    Parameters
    ----------
    units : DataFrame, one row per true unit x condition x sorter x repeat x replicate
        The table `units`. Background units are left out, repeats averaged.
    reference, condition : str
        The two conditions.

    Returns
    -------
    DataFrame
        `dataset`, `replicate`, `sorter`, `repeat`, `unit`, `peak_uv`, `before`, `after`.
    """
    asked = style.asked_units(units)
    peaks = asked.drop_duplicates(PAIR)[[*PAIR, "peak_uv"]]
    known = style.mean_of_repeats(asked, [*PAIR, "condition"], "accuracy")
    before = known.loc[known["condition"] == reference, [*PAIR, "accuracy"]]
    after = known.loc[known["condition"] == condition, [*PAIR, "accuracy"]]
    pairs = before.rename(columns={"accuracy": "before"}).merge(
        after.rename(columns={"accuracy": "after"}), on=PAIR, validate="one_to_one"
    )
    return pairs.merge(peaks, on=PAIR)


@style.styled
def plot_accuracy(units: pd.DataFrame, reference: str, condition: str) -> Figure:
    """Draw accuracy with the reference (x) against accuracy with a condition (y).

    Parameters
    ----------
    units : DataFrame, one row per true unit x condition x sorter x replicate
        The table `units`; `peak_uv` in µV. Background units are left out, replicates pooled.
    reference, condition : str
        The two conditions.

    Returns
    -------
    Figure
        One panel per dataset and sorter (per sorter, where these are many), a point per true
        unit coloured by its peak.
    """
    asked = style.asked_units(units)
    if asked.empty:
        return style.notice("Nothing to compare: no dataset has a ground truth.")
    if condition == reference or condition not in set(asked["condition"]):
        return style.notice(f"Nothing to compare: no accuracy of {condition} besides {reference}.")
    rows = style.pool_datasets(asked[asked["condition"].isin([reference, condition])])
    keys = style.dataset_sorter_panels(rows)
    pairs = pair_accuracies(rows, reference, condition)
    short = max(len(name) for key in keys for name in key) <= 22
    columns = 3 if len(keys) > 4 and short else 2
    height = 3.6 if columns == 2 else 3.2
    figure, axes = style.panels(len(keys), columns, height, extra_height=0.5)
    norm = _amplitude_norm(pairs["peak_uv"])
    for axis, (dataset, sorter) in zip(axes, keys, strict=True):
        names = {"dataset": dataset, "sorter": sorter}
        of_panel = style.rows_of(pairs, names)
        _draw_panel(axis, of_panel, norm)
        missing = _what_is_missing(style.rows_of(rows, names), (reference, condition))
        if of_panel.empty:
            style.say(axis, "\n".join(missing or ["no ground truth"]), style.WARNING)
        elif missing:
            _warn_above(axis, missing)
        axis.set_xlabel(_axis_label(reference))
        axis.set_ylabel(_axis_label(condition))
        pad = 5.0 if of_panel.empty else 5.0 + 9.5 * len(missing)
        axis.set_title(_title(dataset, sorter, of_panel), pad=pad)
    if not pairs.empty:
        image = ScalarMappable(norm, COLOUR_MAP)
        bar = style.colour_bar(figure, image, axes, "Peak of the true unit (µV)")
        style.log_ticks(bar.ax.xaxis)
    return figure


def _axis_label(condition: str) -> str:
    return f"Accuracy,\n{condition}" if len(condition) > 12 else f"Accuracy, {condition}"


def _amplitude_norm(peaks: pd.Series) -> LogNorm:
    positive = peaks[peaks > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 10.0)
    return LogNorm(low, high) if high > low else LogNorm(low / 1.5, high * 1.5)


def _draw_panel(axis: Axes, pairs: pd.DataFrame, norm: LogNorm) -> None:
    axis.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.9, zorder=1)
    axis.scatter(
        pairs["before"],
        pairs["after"],
        c=pairs["peak_uv"],
        norm=norm,
        cmap=COLOUR_MAP,
        s=24,
        edgecolor="#333333",
        linewidth=0.3,
        rasterized=len(pairs) > 300,
        zorder=2,
        clip_on=False,
    )
    axis.set_xlim(-0.03, 1.03)
    axis.set_ylim(-0.03, 1.03)
    axis.set_aspect("equal")
    ticks = np.linspace(0, 1, 6)
    axis.set_xticks(ticks)
    axis.set_yticks(ticks)


def _what_is_missing(rows: pd.DataFrame, names: tuple[str, str]) -> list[str]:
    lines = []
    for name in names:
        of_name = rows[rows["condition"] == name]
        for status in style.in_order(of_name["status"]):
            some = of_name["replicate"][of_name["status"] == status].nunique()
            total = of_name["replicate"].nunique()
            if status != "ok":
                count = f" in {some} of {total} replicates" if total > 1 else ""
                lines.append(f"{name}: {style.fate(status)}{count}")
        if of_name.empty:
            lines.append(f"{name}: not run")
    return lines


def _warn_above(axis: Axes, lines: list[str]) -> None:
    axis.annotate(
        "\n".join(lines),
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0.0, 4.0),
        textcoords="offset points",
        va="bottom",
        fontsize=7.5,
        color=style.WARNING,
    )


def _title(dataset: str, sorter: str, pairs: pd.DataFrame) -> str:
    if pairs.empty:
        return f"{sorter}\n{dataset}\nno pair"
    difference = float((pairs["after"] - pairs["before"]).mean())
    number = style.counted(len(pairs), "unit")
    return f"{sorter}\n{dataset}\nn = {number}\nmean difference {style.signed(difference)}"
