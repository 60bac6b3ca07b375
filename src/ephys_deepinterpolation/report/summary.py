"""Effects as a table for a text: a row per endpoint, a column per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ephys_deepinterpolation.figures.effects import (
    SIGNIFICANT,
    effect_decimals,
    effect_interval,
    in_scope,
)
from ephys_deepinterpolation.figures.style import in_order, signed
from ephys_deepinterpolation.report.tables import markdown


def effects_in_markdown(
    effects: pd.DataFrame,
    verdict: Mapping[str, Any],
    conditions: Sequence[str],
    by: str | None = None,
) -> str:
    """Return effects as a table in Markdown.

    Parameters
    ----------
    effects : DataFrame
        The table `effects`.
    verdict : mapping
        What `statistics.give_verdict` made of them: it knows the endpoints in words.
    conditions : sequence of str
        Every condition of the study, in order.
    by : {"dataset", "sorter"}, optional
        What to spread the effects over; without it they are over all datasets and sorters.

    Returns
    -------
    str
        In each cell the mean paired difference from the reference and its 95 % interval; in bold
        where Holm's p is below 0.05.
    """
    rows = in_scope(effects, datasets=by == "dataset", sorters=by == "sorter")
    rows = rows[rows["effect"].notna()]
    names = in_order(rows["condition"], conditions)
    lines = []
    for endpoint in verdict["endpoints"]:
        of_endpoint = rows[rows["endpoint"] == endpoint["name"]]
        for group, here in of_endpoint.groupby(by, sort=False) if by else [("", of_endpoint)]:
            if len(here):
                cells = {f"`{name}`": _cell(here[here["condition"] == name]) for name in names}
                lines.append(
                    {"endpoint": endpoint["words"], **({by: group} if by else {}), **cells}
                )
    return markdown(pd.DataFrame(lines)) + "\n"


def _cell(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    row = rows.iloc[0]
    interval = effect_interval(row)
    numbers = [float(row["effect"]), *(interval or ())]
    digits = effect_decimals(row)
    effect, *bounds = (signed(number, digits) for number in numbers)
    text = "{} ({} to {})".format(effect, *bounds) if bounds else effect
    p = row["p_holm"]
    return f"**{text}**" if pd.notna(p) and p < SIGNIFICANT else text
