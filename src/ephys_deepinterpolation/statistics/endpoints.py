"""What a study is judged by: endpoints, and where in the tables their values stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Measure:
    """A column of a table that endpoints can be made of.

    Attributes
    ----------
    table, column : str
    words : str
        What a sentence calls it.
    of_units : bool
        Whether there is a value for each true unit; else there is one for each sorting or
        recording.
    better : int
        1 where higher is better, -1 where lower is, 0 where neither is.
    cost : bool
        Whether it is a price that a gain elsewhere may have.
    unit : str
    """

    table: str
    column: str
    words: str
    of_units: bool = True
    better: int = 1
    cost: bool = False
    unit: str = ""


MEASURES = {
    "accuracy": Measure("units", "accuracy", "accuracy"),
    "recall": Measure("units", "recall", "recall"),
    "precision": Measure("units", "precision", "precision"),
    "well_detected": Measure("units", "well_detected", "share of well-detected true units"),
    "false_positive": Measure(
        "sortings",
        "false_positive",
        "false-positive units per sorting",
        of_units=False,
        better=-1,
        cost=True,
    ),
    "sorted_units": Measure(
        "sortings", "sorted_units", "sorted units per sorting", of_units=False, better=0, cost=True
    ),
    "kept_peak": Measure("attenuation", "kept_peak", "share of the peak that is kept"),
    "d_prime": Measure("detectability", "d_prime", "detectability d'"),
    "auc": Measure("detectability", "auc", "detectability as ROC AUC"),
    "phantom_rate": Measure(
        "noise_alone",
        "crossings_per_channel_s",
        "phantom rate, crossings on noise alone",
        of_units=False,
        better=-1,
        cost=True,
        unit="per channel and second",
    ),
    "noise_alone_units": Measure(
        "noise_alone_sortings",
        "sorted_units",
        "units sorted from noise alone",
        of_units=False,
        better=-1,
        cost=True,
    ),
}


@dataclass(frozen=True)
class Endpoint:
    """A quantity declared before the study ran, by which it is judged.

    Attributes
    ----------
    name : str
    measure : str
        A key of `MEASURES`.
    peak_uv : (float, float or None), optional
        Only true units whose peak is at least the first and below the second, µV.
    threshold : float, optional
        Of a phantom rate, in robust deviations of the noise.
    primary : bool
        Whether it is one of those whose p-values are corrected for their number.
    margin : float, optional
        The largest difference that does not matter.
    """

    name: str
    measure: str
    peak_uv: tuple[float, float | None] | None = None
    threshold: float | None = None
    primary: bool = True
    margin: float | None = None

    @property
    def words(self) -> str:
        """What a sentence calls the endpoint."""
        words = MEASURES[self.measure].words
        if self.peak_uv is not None:
            low, high = self.peak_uv
            band = f"of {low:g} µV and more" if high is None else f"of {low:g} to {high:g} µV"
            words += f" {band}" if words.endswith("true units") else f" of true units {band}"
        if self.threshold is not None:
            words += f" beyond {self.threshold:g} robust deviations"
        return words


def read_endpoints(section: Mapping[str, Mapping[str, Any]]) -> list[Endpoint]:
    """Make the endpoints that a valid section `endpoints` of the configuration declares."""
    endpoints = []
    for name, settings in section.items():
        band = settings.get("peak_uv")
        rest = {key: value for key, value in settings.items() if key != "peak_uv"}
        endpoints.append(Endpoint(name, peak_uv=tuple(band) if band else None, **rest))
    return endpoints


def tables_of(endpoints: Iterable[Endpoint]) -> list[str]:
    """Name the tables that hold the values of endpoints, each once."""
    return list(dict.fromkeys(MEASURES[endpoint.measure].table for endpoint in endpoints))


_SORTED = ("ok", "empty")
OBSERVED = ["dataset", "kind", "replicate", "sorter", "repeat", "unit", "condition"]


def observations(endpoint: Endpoint, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Pick the values of an endpoint from the tables; units of the background are left out.

    Parameters
    ----------
    endpoint : Endpoint
    tables : mapping of str to DataFrame
        Those of docs/tables.md, by name; any of them may be missing or empty.

    Returns
    -------
    pandas.DataFrame
        The columns `OBSERVED`, an empty text where the measure knows no sorter or unit; `value`,
        NaN where there is none; `failed`, whether for want of a sorting; and `tuned`, whether the
        model had seen the recording. Datasets that cannot have a value, as they have no truth, are
        left out.
    """
    measure = MEASURES[endpoint.measure]
    table = tables.get(measure.table)
    if table is None or table.empty:
        return pd.DataFrame(columns=[*OBSERVED, "value", "failed", "tuned"])
    rows = table
    if measure.of_units:
        rows = rows[~rows["background"].astype(bool)]
    if endpoint.peak_uv is not None:
        low, high = endpoint.peak_uv
        peak = rows["peak_uv"]
        rows = rows[(peak >= low) & (peak < (np.inf if high is None else high))]
    if endpoint.threshold is not None:
        rows = rows[np.isclose(rows["threshold"], endpoint.threshold)]
    absent: dict[str, Any] = {
        "sorter": "",
        "repeat": 0,
        "unit": "",
        "status": "ok",
        "model_saw_recording": False,
    }
    if not measure.of_units:
        rows = rows.drop(columns="unit", errors="ignore")
    rows = rows.assign(**{name: rows.get(name, value) for name, value in absent.items()})
    seen = rows[OBSERVED].assign(
        value=rows[measure.column].to_numpy(float, na_value=np.nan),
        failed=~rows["status"].isin(_SORTED),
        tuned=rows["model_saw_recording"].astype("boolean").fillna(False).astype(bool),
    )
    may_have_one = seen["value"].notna() | seen["failed"]
    return seen[may_have_one.groupby(seen["dataset"]).transform("any")]
