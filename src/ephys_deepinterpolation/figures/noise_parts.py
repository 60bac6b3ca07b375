"""Which parts of a recording pass a condition, and which are removed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

PARTS = ("units", "background", "correlated", "independent")


@style.styled
def plot_noise_parts(
    noise_parts: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the share of each named part that is passed, one panel per part.

    Parameters
    ----------
    noise_parts : DataFrame, one row per part x condition x replicate
        The table `noise_parts`; `passed` has no unit, `level_uv` is in µV.
    reference : str, optional
        The reference condition, in bold.
    conditions : sequence of str, optional
        Every condition of the study, in order, for colours that are the same in every figure.

    Returns
    -------
    Figure
        A row per condition, its mean over recordings; dotted lines at 0 (removed) and 1 (kept).
    """
    values = noise_parts if noise_parts.empty else noise_parts.dropna(subset=["passed"])
    if values.empty:
        return style.notice("No dataset is the sum of known parts.")
    names, colours, markers = style.drawn_conditions(values, reference, conditions)
    parts = style.in_order(values["part"], PARTS)
    figure, axes = layouts.row_panels(names, len(parts), 4, sharex=True)
    low = min(-0.08, float(values["passed"].min()) - 0.05)
    high = max(1.12, float(values["passed"].max()) + 0.05)
    for axis, part in zip(axes, parts, strict=True):
        rows = values[values["part"] == part]
        for level in (0.0, 1.0):
            axis.axvline(level, color=style.MUTED, linestyle=":", linewidth=1.0, zorder=0)
        layouts.draw_rows(axis, rows, "passed", names, colours, markers)
        layouts.name_rows(axis, names, reference)
        layouts.note_recordings(axis, rows, _part_label(rows, part))
        axis.set_xlim(low, high)
        axis.set_xlabel("Share passed", fontsize=7.5)
    return figure


def _part_label(rows: pd.DataFrame, part: str) -> str:
    level = rows.drop_duplicates(layouts.RECORDING)["level_uv"].astype(float).mean()
    return f"{part}, {level:.1f} µV" if np.isfinite(level) else part
