"""Paired effects on each dataset, over all sorters."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.effects import in_scope, plot_spread


@style.styled
def plot_effects_by_dataset(
    effects: pd.DataFrame,
    reference: str | None = None,
    conditions: Sequence[str] | None = None,
) -> Figure:
    """Draw the effects on each dataset, over all sorters.

    Parameters
    ----------
    effects : DataFrame
        The table `effects`.
    reference : str, optional
        The reference condition, which is subtracted.
    conditions : sequence of str, optional
        Every condition of the study, in order.

    Returns
    -------
    Figure
        A panel per endpoint, a row per condition, a marker and a 95 % interval per dataset.
    """
    rows = in_scope(effects, datasets=True, sorters=False)
    return plot_spread(rows, "dataset", reference, conditions)
