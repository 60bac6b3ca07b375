"""Gain in accuracy against how correlated the noise of a dataset is."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.effects import effect_interval, in_scope

ENDPOINTS = ("accuracy", "d_prime")


def effects_of_datasets(effects: pd.DataFrame) -> pd.DataFrame:
    """Return the effects on accuracy by dataset over all sorters; those on d′ without a sorting.

    Where there are several endpoints of accuracy (bands of amplitude), all are kept.
    """
    rows = in_scope(effects, datasets=True, sorters=False)
    rows = rows if rows.empty else rows.dropna(subset=["effect"])
    for measure in ENDPOINTS:
        if not rows.empty and (rows["measure"] == measure).any():
            return rows[rows["measure"] == measure]
    return rows.iloc[:0]


@style.styled
def plot_gain_noise(
    effects: pd.DataFrame,
    recordings: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the effect on each dataset against the correlation of its noise.

    Parameters
    ----------
    effects : DataFrame
        The table `effects`.
    recordings : DataFrame, one row per dataset x replicate
        The table `recordings`; `neighbour_correlation` without unit.
    reference : str, optional
        The reference condition, which is subtracted.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per condition, a point per dataset and endpoint with its 95 % interval.
    """
    rows = effects_of_datasets(effects)
    if rows.empty or recordings.empty:
        return style.notice("Nothing to compare: no dataset has an effect on accuracy.")
    known = recordings.astype({"neighbour_correlation": float})
    level = known.groupby("dataset")["neighbour_correlation"].mean()
    rows = rows.assign(correlation=rows["dataset"].map(level)).dropna(subset=["correlation"])
    if rows["dataset"].nunique() < 2:
        return style.notice("One dataset with an effect: no sweep of noise correlation to draw.")
    names, colours, _ = style.drawn_conditions(rows, reference, conditions)
    endpoints = style.in_order(rows["endpoint"])
    figure, panels = layouts.small_multiples(names, colours, extra_height=0.5)
    looks = dict(
        zip(
            endpoints,
            zip(style.CONDITION_COLOURS, style.CONDITION_MARKERS, strict=True),
            strict=False,
        )
    )
    for name, (axis,) in zip(names, panels, strict=True):
        axis.axhline(0.0, color="black", linewidth=0.8)
        of_name = rows[rows["condition"] == name]
        for endpoint, look in looks.items():
            _draw(axis, of_name[of_name["endpoint"] == endpoint], *look)
        layouts.note_count(axis, f"n = {of_name['dataset'].nunique()}")
        axis.tick_params(labelsize=6.5)
    measure = str(rows["measure"].iloc[0]).replace("d_prime", "d′")
    layouts.label_outer(panels, "Correlation of noise within 30 µm", f"Change of {measure}")
    for axes in panels:
        axes[0].xaxis.label.set_fontsize(6.5)
    figure.suptitle(f"Change of {measure} against {reference}; n = datasets", x=0.01, ha="left")
    style.outside_legend(
        figure,
        [style.marker_handle(name, colour, marker) for name, (colour, marker) in looks.items()],
    )
    return figure


def _draw(axis: Axes, rows: pd.DataFrame, colour: str, marker: str) -> None:
    ordered = rows.sort_values("correlation")
    for _, row in ordered.iterrows():
        interval = effect_interval(row)
        if interval is not None:
            axis.vlines(float(row["correlation"]), *interval, color=colour, linewidth=0.9)
    axis.plot(
        ordered["correlation"].astype(float),
        ordered["effect"].astype(float),
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=0.6,
        alpha=0.9,
    )
