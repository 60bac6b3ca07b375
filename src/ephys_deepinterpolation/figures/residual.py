"""What each condition removed, in four numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import layouts, style

MEASURES = {
    "removed_uv": "Removed (µV)",
    "known_noise_correlation": "Its correlation with\nthe known noise",
    "kept_input": "Input that the\noutput copies (share)",
    "ks_statistic": "Distance from a Gaussian\n(Kolmogorov–Smirnov)",
}


@style.styled
def plot_residual(
    residual: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw what was removed: how much, whether it was noise, how much was kept, how Gaussian.

    Parameters
    ----------
    residual : DataFrame, one row per channel x condition x replicate
        The table `residual`; `removed_uv` in µV, the others without unit.
    reference : str, optional
        The reference condition, which removes nothing: not drawn.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A row per condition: the mean over channels and recordings, and each recording.
    """
    values = residual if residual.empty else residual[residual["condition"] != reference]
    measures = [name for name in MEASURES if name in values and values[name].notna().any()]
    if values.empty or not measures:
        return style.notice("Nothing to compare: no condition but the reference was measured.")
    names, colours, markers = style.drawn_conditions(values, reference, conditions)
    figure, axes = layouts.row_panels(names, len(measures), 4)
    for axis, measure in zip(axes, measures, strict=True):
        layouts.draw_rows(axis, values, measure, names, colours, markers)
        axis.set_xlabel(MEASURES[measure], fontsize=7.5)
        axis.axvline(0.0, color=style.MUTED, linestyle=":", linewidth=0.8)
    recordings = layouts.count_recordings(values)
    figure.suptitle(
        f"Removed by each condition, mean over channels; n = {recordings}", x=0.01, ha="left"
    )
    return figure
