"""Which rows of a study's tables speak of one model, on recordings that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ephys_deepinterpolation.figures.style import in_order, is_true

TABLES = (
    "noise",
    "attenuation",
    "detectability",
    "noise_alone",
    "noise_alone_sortings",
    "sortings",
    "units",
)
"""Those that say what a condition does to a recording."""
HOME = ("trained_on", "trained_replicate", "trained_for")
"""Columns of `model_uses` that say which training of a recipe a model came from."""
_PLACE = ["dataset", "replicate", "condition"]

Place = tuple[str, int, str]


@dataclass(frozen=True)
class Evidence:
    """What a study measured of one model.

    Attributes
    ----------
    held_out : bool
        Whether the model was not trained on any of these recordings. Where all that it denoised
        are such, the evidence is of these, and says so.
    recordings : list of (dataset, replicate)
    conditions : list of str
        That denoise with the model.
    tables : dict of str to DataFrame
        Those of `TABLES` that have a row: of these recordings alone, in these conditions and in
        the reference.
    """

    held_out: bool
    recordings: list[tuple[str, int]] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def uses_of(model_uses: pd.DataFrame, model: str, home: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows of `model_uses` that denoise with one training of a recipe.

    Parameters
    ----------
    model_uses : DataFrame
        The table of that name.
    model : str
        The recipe.
    home : mapping
        The columns `HOME` of that training. A recipe that is trained on each dataset, or in each
        replicate, makes as many models.
    """
    if not {"model", *HOME} <= set(model_uses):
        return model_uses.iloc[:0]
    mine = model_uses["model"] == model
    for column in HOME:
        mine &= (model_uses[column] == home[column]).fillna(False)
    return model_uses[mine]


def gather_evidence(
    tables: Mapping[str, pd.DataFrame], uses: pd.DataFrame, reference: str
) -> Evidence:
    """Pick the rows that speak of a model: those of held-out recordings, if there are any.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of docs/tables.md, by name; any of them may be missing or empty.
    uses : DataFrame
        From `uses_of`.
    reference : str
        The condition that the others are compared with.
    """
    measured, seen = _measured(tables), _seen(tables)
    places = [place for place in _places(uses) if place in measured]
    held_out = [place for place in places if place not in seen]
    chosen = held_out or places
    recordings = list(dict.fromkeys(place[:2] for place in chosen))
    return Evidence(
        held_out=bool(held_out),
        recordings=recordings,
        conditions=in_order(place[2] for place in chosen),
        tables=rows_at(tables, [*chosen, *((*each, reference) for each in recordings)]),
    )


def rows_at(tables: Mapping[str, pd.DataFrame], places: list[Place]) -> dict[str, pd.DataFrame]:
    """Return the rows of `TABLES` at these (dataset, replicate, condition), where there are any."""
    wanted = set(places)
    found = {}
    for name in TABLES:
        table = tables.get(name)
        if table is not None and not table.empty:
            rows = table[[place in wanted for place in _places(table)]]
            if len(rows):
                found[name] = rows
    return found


def _places(table: pd.DataFrame) -> list[Place]:
    if table.empty:
        return []
    return [
        (str(dataset), int(replicate), str(condition))
        for dataset, replicate, condition in table[_PLACE].itertuples(index=False, name=None)
    ]


def _measured(tables: Mapping[str, pd.DataFrame]) -> set[Place]:
    present = (tables[name] for name in TABLES if name in tables)
    return {place for table in present for place in _places(table)}


def _seen(tables: Mapping[str, pd.DataFrame]) -> set[Place]:
    """Return where a condition denoises with a model that was trained on that very recording."""
    flagged = [table for table in tables.values() if "model_saw_recording" in table]
    return {
        place
        for table in flagged
        if set(_PLACE) <= set(table)
        for place in _places(table[table["model_saw_recording"].map(is_true).astype(bool)])
    }
