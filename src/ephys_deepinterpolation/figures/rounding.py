"""What rounding a condition's output to the recording's integers does."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style


@style.styled
def plot_rounding(
    rounding: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the error of rounding beside the noise, and the share of samples that clip.

    Parameters
    ----------
    rounding : DataFrame, one row per condition x replicate
        The table `rounding`; `rounding_uv` and `noise_uv` in µV, `clipped_share` without unit.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        Three panels with a row per condition.
    """
    rounding = rounding if rounding.empty else rounding.dropna(subset=["gain_uv_per_bit"])
    if rounding.empty:
        return style.notice("No recording has integers to round to.")
    names, colours, markers = style.drawn_conditions(rounding, reference, conditions)
    table = rounding.assign(
        share=100 * rounding["rounding_uv"].astype(float) / rounding["noise_uv"].astype(float),
        clipped=1e6 * rounding["clipped_share"].astype(float),
    )
    figure, axes = layouts.row_panels(names, 3, 3, extra_height=0.25)
    labels = {
        "rounding_uv": "Error of rounding (µV)",
        "share": "The same, % of the output's noise",
        "clipped": "Clipped samples per million",
    }
    for axis, (column, label) in zip(axes, labels.items(), strict=True):
        layouts.draw_rows(axis, table, column, names, colours, markers, reference)
        layouts.name_rows(axis, names, reference)
        layouts.start_at_zero(axis)
        axis.set_xlabel(label, fontsize=7.5)
    figure.suptitle(
        style.wrapped(f"Rounding to integers, µV per bit: {_bits(rounding)}", 90), x=0.01, ha="left"
    )
    layouts.note_recordings(axes[0], table, "")
    style.outside_legend(figure, layouts.ring_handles(reference, names))
    return figure


def _bits(rounding: pd.DataFrame) -> str:
    """Return what a bit is, once where it is the same in all datasets."""
    of_dataset = {
        str(dataset): f"{rows['gain_uv_per_bit'].astype(float).iloc[0]:.3g}"
        for dataset, rows in rounding.groupby("dataset", sort=False)
    }
    if len(set(of_dataset.values())) == 1:
        return next(iter(of_dataset.values()))
    return ", ".join(f"{dataset}: {bit}" for dataset, bit in of_dataset.items())
