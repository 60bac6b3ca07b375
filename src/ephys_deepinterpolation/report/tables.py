"""The tables of a study: as HTML that can be sorted and saved, and as Markdown."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ephys_deepinterpolation.figures.style import asked_units, is_true

LONGEST_TABLE = 200
"""Rows that are shown of a table."""
LONGEST_CSV = 100_000
"""Bytes of a CSV file that are embedded as they are; it is compressed beyond."""
LONGEST_ARCHIVE = 400_000
"""Bytes of a compressed CSV file that are embedded."""
CURVES = (
    "noise_transfer",
    "residual_spectra",
    "residual_covariance",
    "transient_spread",
    "collisions",
    "correlograms",
)
"""Tables of curves, whose medians mean nothing."""
KEYS = ("dataset", "condition", "sorter", "other_sorter", "trains", "threshold", "trace")


@dataclass(frozen=True)
class Cell:
    """One cell of an HTML table; `value` is what it is sorted by."""

    text: str
    value: str
    numeric: bool


@dataclass(frozen=True)
class HtmlTable:
    """A table as the report shows it, and the whole of it as a data URI, if it is not too large."""

    name: str
    columns: list[str]
    rows: list[list[Cell]]
    numeric: set[str]
    note: str = ""
    file: str = ""
    address: str = ""


def datasets_overview(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per dataset: its kind, replicates, channels and true units.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The tables; `noise` counts the channels and `units` the true units, means per replicate.

    Returns
    -------
    DataFrame
        `dataset`, `kind`, `replicates`, `channels`, `true_units`, `background_units`,
        `median_peak_uv`; empty where a table is missing.
    """
    rows: dict[str, dict[str, Any]] = {}
    for table in (tables[name] for name in ("units", "sortings", "noise") if name in tables):
        for (dataset, kind), part in table.groupby(["dataset", "kind"], sort=False):
            row = rows.setdefault(str(dataset), {"dataset": dataset, "kind": kind, "replicates": 0})
            row["replicates"] = (
                max(row["replicates"], part["replicate"].nunique())
                if ("replicate" in part)
                else row["replicates"]
            )
    for dataset, row in rows.items():
        noise = tables.get("noise")
        if noise is not None and (noise["dataset"] == dataset).any():
            row["channels"] = noise.loc[noise["dataset"] == dataset, "channel"].nunique()
        units = tables.get("units")
        if units is not None and (units["dataset"] == dataset).any():
            distinct = units[units["dataset"] == dataset].drop_duplicates(["replicate", "unit"])
            asked = asked_units(distinct)
            replicates = distinct["replicate"].nunique()
            row["true_units"] = len(asked) / replicates
            row["background_units"] = (len(distinct) - len(asked)) / replicates
            row["median_peak_uv"] = asked["peak_uv"].median()
    columns = ["dataset", "kind", "replicates", "channels", "true_units", "background_units"]
    return pd.DataFrame(list(rows.values())).reindex(columns=[*columns, "median_peak_uv"])


def html_table(name: str, table: pd.DataFrame) -> HtmlTable:
    """Return a table to show: all of a short one, a summary of a long one, and the file of it.

    Parameters
    ----------
    name : str
        Of the table, and of the file it is saved as.
    table : DataFrame
        The whole table.

    Returns
    -------
    HtmlTable
        With the CSV file embedded, compressed where it is large; not at all where even that
        would be too much for one report.
    """
    shown, note = _shortened(name, table)
    columns = [str(column) for column in shown]
    rows = [[cell_of(value) for value in row] for row in shown.itertuples(index=False, name=None)]
    file, address = _embedded(name, table)
    if not file:
        note += f" The whole table is too large for this file: see results/tables/{name}.csv."
    return HtmlTable(
        name=name,
        columns=columns,
        rows=rows,
        numeric={columns[place] for row in rows for place, cell in enumerate(row) if cell.numeric},
        note=note.strip(),
        file=file,
        address=address,
    )


def data_uri(mime: str, content: bytes) -> str:
    """Return the address of a file that lies in the address itself."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def _embedded(name: str, table: pd.DataFrame) -> tuple[str, str]:
    """Return file name and address of the whole table; empty where it is too large."""
    csv = table.to_csv(index=False, lineterminator="\n").encode()
    if len(csv) <= LONGEST_CSV:
        return f"{name}.csv", data_uri("text/csv", csv)
    archive = gzip.compress(csv, mtime=0)
    if len(archive) <= LONGEST_ARCHIVE:
        return f"{name}.csv.gz", data_uri("application/gzip", archive)
    return "", ""


def _shortened(name: str, table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return what is shown of a long table, and the words that say so."""
    if len(table) <= LONGEST_TABLE:
        return table, ""
    whole = f"the whole table has {len(table)} rows"
    if name == "noise":
        return _noise_summary(table), f"Summed up by dataset and condition; {whole}."
    if name == "units":
        return _units_summary(table), f"Summed up by dataset, condition and sorter; {whole}."
    if name == "training":
        keys = ["dataset", "replicate", "condition", "model"]
        last = table.sort_values("step", kind="stable").groupby(keys, sort=False).tail(1)
        return last.head(LONGEST_TABLE), f"The last evaluation of each model; {whole}."
    keys = [key for key in KEYS if key in table]
    medians = _medians(table, keys) if name not in (*CURVES, "effects") and keys else table
    if len(medians) <= LONGEST_TABLE:
        return medians, f"Medians by {', '.join(keys).replace('_', ' ')}; {whole}."
    return table.head(LONGEST_TABLE), f"The first {LONGEST_TABLE} rows; {whole}."


def _medians(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the number of rows and the median of each number, by keys."""
    numbers = [
        name
        for name in table.select_dtypes("number").columns
        if name not in (*keys, "replicate", "repeat")
    ]
    groups = table.groupby(keys, sort=False, dropna=False)
    return groups[numbers].median().assign(rows=groups.size()).reset_index()


def _noise_summary(noise: pd.DataFrame) -> pd.DataFrame:
    groups = noise.groupby(["dataset", "condition"], sort=False)["noise_uv"]
    return groups.agg(
        values="count",
        median_uv="median",
        lower_quartile_uv=lambda values: values.quantile(0.25),
        upper_quartile_uv=lambda values: values.quantile(0.75),
    ).reset_index()


def _units_summary(units: pd.DataFrame) -> pd.DataFrame:
    asked = asked_units(units)
    asked = asked.assign(
        well_detected=asked["well_detected"].map(is_true).where(asked["accuracy"].notna()),
    ).astype({"well_detected": float})
    return (
        asked.groupby(["dataset", "condition", "sorter"], sort=False)
        .agg(
            true_units=("unit", "size"),
            with_accuracy=("accuracy", "count"),
            mean_accuracy=("accuracy", "mean"),
            mean_precision=("precision", "mean"),
            mean_recall=("recall", "mean"),
            well_detected=("well_detected", lambda values: values.sum(min_count=1)),
        )
        .reset_index()
    )


def cell_of(value: Any) -> Cell:
    """Return a value as a table shows it: numbers to four digits, a dash where there is none."""
    if value is None or pd.isna(value):
        return Cell("–", "", False)
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:
        return Cell("yes" if value else "no", str(int(value)), False)
    if isinstance(value, str):
        return Cell(value, value, False)
    number = float(value)
    text = f"{int(number)}" if number.is_integer() else f"{number:.4g}"
    return Cell(text.replace("-", "−"), repr(number), True)


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown: numbers to four digits, at the right."""
    columns = [str(column).replace("|", "\\|") for column in table]
    cells = [[cell_of(value) for value in row] for row in table.itertuples(index=False, name=None)]
    right = [any(row[place].numeric for row in cells) for place in range(len(columns))]
    lines = [columns, ["---:" if numeric else "---" for numeric in right]]
    lines += [[" ".join(cell.text.replace("|", "\\|").split()) for cell in row] for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
