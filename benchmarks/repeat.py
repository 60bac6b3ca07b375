"""Hold two runs of a study against each other: another processor rounds otherwise.

    python benchmarks/repeat.py docs/study/tables docs/study/rulers/tables

Of each recording and condition that both runs sorted: how many sortings are alike in every true
unit's accuracy, how many units were sorted, and how far the accuracies of true units lie apart.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ephys_deepinterpolation.figures.style import asked_units
from ephys_deepinterpolation.files import read_table
from ephys_deepinterpolation.report.tables import markdown

SORTING = ["dataset", "replicate", "condition", "sorter", "repeat"]
APART = 0.1
"""Difference of two accuracies that counts as another result."""


def shared(tables: Sequence[pd.DataFrame], keys: list[str], column: str) -> pd.DataFrame:
    """Return one row per key that both runs have, with the `first` and the `second` value."""
    first, second = (table.set_index(keys)[column] for table in tables)
    return pd.DataFrame({"first": first, "second": second}).dropna().reset_index()


def compare(units: pd.DataFrame, sortings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sorter."""
    apart = units.assign(apart=(units["second"] - units["first"]).abs())
    found = apart[(apart["first"] > 0) | (apart["second"] > 0)]
    rows = []
    for sorter, of_sorter in apart.groupby("sorter", sort=False):
        numbers = sortings[sortings["sorter"] == sorter]
        alike = of_sorter.groupby(SORTING)["apart"].max() == 0
        of_found = found[found["sorter"] == sorter]
        rows.append(
            {
                "sorter": sorter,
                "sortings": len(alike),
                "alike": int(alike.sum()),
                "sorted units": f"{numbers['first'].astype(float).mean():.1f}",
                "sorted units, again": f"{numbers['second'].astype(float).mean():.1f}",
                "true units found in either run": len(of_found),
                f"of these apart by more than {APART:g}": int((of_found["apart"] > APART).sum()),
                "mean accuracy": f"{of_sorter['first'].mean():.3f}",
                "mean accuracy, again": f"{of_sorter['second'].mean():.3f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs=2, type=Path, help="folder of a run's tables")
    folders = parser.parse_args().tables
    units = [asked_units(read_table(folder / "units.parquet")) for folder in folders]
    sortings = [read_table(folder / "sortings.parquet") for folder in folders]
    of_units = shared(units, [*SORTING, "unit"], "accuracy")
    print(markdown(compare(of_units, shared(sortings, SORTING, "sorted_units"))))
